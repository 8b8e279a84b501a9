// SPDX-License-Identifier: GPL-2.0-or-later
internal import CSystemCalls
internal import Glibc

/// The clocks by which a program decides and dates what it writes down: handed in by its main, so
/// that a test can have a month go by. Nothing else says what time it is; what waits (a socket's
/// deadline, a `Monitor`) waits by the kernel's own clock.
public struct MachineClock: Sendable {
    /// The clock on the wall, in seconds since 1970.
    public let epochSeconds: @Sendable () -> Int64
    /// A clock that nobody sets, and that counts sleep.
    public let now: @Sendable () -> ContinuousClock.Instant

    /// A clock of one's own.
    public init(
        epochSeconds: @escaping @Sendable () -> Int64,
        now: @escaping @Sendable () -> ContinuousClock.Instant
    ) {
        self.epochSeconds = epochSeconds
        self.now = now
    }

    /// This machine's.
    public static var system: MachineClock {
        MachineClock(
            epochSeconds: {
                var time = timespec()
                unsafe clock_gettime(CLOCK_REALTIME, &time)
                return Int64(time.tv_sec)
            },
            now: { .now })
    }
}
