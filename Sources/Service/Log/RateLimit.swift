// SPDX-License-Identifier: GPL-2.0-or-later
internal import SystemCalls

/// So many of something at once for each caller, and then one now and then.
struct RateLimit: Sendable {
    private struct Account {
        var left: Double
        var at: ContinuousClock.Instant
    }

    /// The most at once.
    let burst: Double
    /// How many come back in a second.
    let perSecond: Double
    private let clock: MachineClock
    private var accounts: [String: Account] = [:]

    init(burst: Double, perSecond: Double, clock: MachineClock) {
        self.burst = burst
        self.perSecond = perSecond
        self.clock = clock
    }

    /// How many a caller has left.
    func left(of caller: String) -> Double {
        guard let account = accounts[caller] else { return burst }
        return min(burst, account.left + (clock.now() - account.at).inSeconds * perSecond)
    }

    /// Takes one of a caller's.
    /// - Returns: false when it has none left.
    mutating func take(_ caller: String) -> Bool {
        let left = left(of: caller)
        guard left >= 1 else { return false }
        accounts[caller] = Account(left: left - 1, at: clock.now())
        return true
    }

    /// Forgets who has as many as if it had never called: what is kept is bounded by who calls.
    mutating func forgetIdle() {
        for caller in accounts.keys where left(of: caller) >= burst { accounts[caller] = nil }
    }
}
