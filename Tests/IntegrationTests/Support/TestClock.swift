// SPDX-License-Identifier: GPL-2.0-or-later
import SystemCalls

/// A clock that stands until a test sets it: no matter how long anything takes, it is as late as
/// the test says.
final class TestClock: Sendable {
    private let seconds: Monitor<Int64>
    private let first: Int64
    private let start = ContinuousClock.now

    /// - Parameter seconds: what it shows first, in seconds since 1970.
    init(at seconds: Int64) {
        first = seconds
        self.seconds = Monitor(seconds)
    }

    /// What it shows, in seconds since 1970.
    var now: Int64 { seconds.withLock { $0 } }

    /// Time goes by, also while the machine is off.
    func set(_ moment: Int64) { seconds.withLock { $0 = max($0, moment) } }

    /// What is handed to a program.
    var machine: MachineClock {
        MachineClock(
            epochSeconds: { [self] in now }, now: { [self] in start + .seconds(now - first) })
    }
}
