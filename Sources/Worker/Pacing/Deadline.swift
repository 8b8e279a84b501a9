// SPDX-License-Identifier: GPL-2.0-or-later

/// When a job begins nothing new any more: so many seconds after it began, whether or not it was
/// held meanwhile. Who says that it is to be over in the morning means the clock on the wall, so
/// sleep of the machine counts: `ContinuousClock` is the kernel's CLOCK_BOOTTIME.
struct Deadline: Sendable {
    /// What the job was given, in seconds.
    let forSeconds: Int
    private let elapsedSeconds: @Sendable () -> Double

    /// - Parameter elapsedSeconds: what has gone by since the job began.
    init(forSeconds: Int, elapsedSeconds: @escaping @Sendable () -> Double) {
        self.forSeconds = forSeconds
        self.elapsedSeconds = elapsedSeconds
    }

    /// Not below 0.
    var secondsLeft: Double { max(0, Double(forSeconds) - elapsedSeconds()) }
}
