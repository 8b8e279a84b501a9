// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import SystemCalls

/// Each caller's share of the log: so many lines at once, and then one now and then. What is beyond
/// it is counted. dom0's own calls have no such bound.
final class CallShare: Sendable {
    private struct State {
        var lines: RateLimit
        var omitted: [String: Int] = [:]
    }

    private let state: Monitor<State>
    /// With how many lines a caller has again what was left out of it is written down.
    private let refilled: Double

    init(bounds: Bounds, clock: MachineClock) {
        refilled = bounds.logLinesRefilled
        state = Monitor(
            State(
                lines: RateLimit(
                    burst: bounds.logLines, perSecond: bounds.logLinesPerSecond, clock: clock)))
    }

    /// Takes one line of a caller's; calls that came without a caller's name are one caller.
    /// - Returns: false when there is none left, and the call is only counted.
    func take(_ caller: String) -> Bool {
        if caller == QubeName.machine { return true }
        return state.withLock { state in
            if state.lines.take(caller) { return true }
            state.omitted[caller, default: 0] += 1
            return false
        }
    }

    /// How many were left out of each caller that has lines again: to be written now.
    func owed() -> [(caller: String, count: Int)] {
        state.withLock { state in
            let owed = state.omitted.filter { state.lines.left(of: $0.key) >= refilled }
            for caller in owed.keys { state.omitted[caller] = nil }
            state.lines.forgetIdle()
            return owed.map { ($0.key, $0.value) }.sorted { $0.0 < $1.0 }
        }
    }

    /// What was left out of everybody.
    func all() -> [(caller: String, count: Int)] {
        state.withLock { state in
            defer { state.omitted = [:] }
            return state.omitted.map { ($0.key, $0.value) }.sorted { $0.0 < $1.0 }
        }
    }
}
