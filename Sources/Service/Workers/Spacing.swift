// SPDX-License-Identifier: GPL-2.0-or-later
internal import SystemCalls

/// Puts time between the calls of one caller: who asks as fast as it is answered would keep a
/// processor of dom0's for itself, however little each answer takes. Nobody waits for another.
/// It waits, and does so by the kernel's clock.
final class Spacing: Sendable {
    private let between: Duration
    /// When a caller may go on next; only of those that have to wait.
    private let free = Monitor<[String: ContinuousClock.Instant]>([:])

    init(seconds: Double) { between = .seconds(seconds) }

    /// Waits until it is the caller's time.
    func wait(_ caller: String) {
        let turn = free.withLock { free in
            let now = ContinuousClock.now
            free = free.filter { $0.value > now }
            let turn = free[caller] ?? now
            free[caller] = turn + between
            return turn
        }
        let left = (turn - .now).inSeconds
        if left > 0 { _ = free.wait(timeoutSeconds: left) { _ -> Bool? in nil } }
    }
}
