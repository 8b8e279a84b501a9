// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol

extension Bounds {
    /// Whether one more job may wait.
    /// - Parameter callers: the callers of those that wait, one for each job.
    func checkQueue(_ callers: [String], adding caller: String) throws(Refusal) {
        guard callers.count < queuedJobs else {
            throw Refusal(
                .busy, "\(queuedJobs) jobs are waiting already, which is the most; \(Self.remedy)")
        }
        if caller == QubeName.machine { return }
        guard callers.count(where: { $0 == caller }) < queuedJobsPerCaller else {
            throw Refusal(
                .busy,
                "\(queuedJobsPerCaller) jobs of this qube are waiting already, which is the most;"
                    + " \(Self.remedy)")
        }
        guard callers.count(where: { $0 != QubeName.machine }) < queuedJobsOfQubes else {
            throw Refusal(
                .busy,
                "\(queuedJobsOfQubes) jobs of qubes are waiting already, which is the most;"
                    + " \(Self.remedy)")
        }
    }

    private static let remedy =
        "try again when some are over, or cancel one (qvm-btrfs cancel JOB)."
}

/// Adds up time while it runs.
struct Stopwatch {
    private var before = Duration.zero
    private var since: ContinuousClock.Instant?

    /// Starts or stops it; nothing happens where it does so already.
    mutating func set(isRunning: Bool, at now: ContinuousClock.Instant) {
        if let since, !isRunning {
            before += now - since
            self.since = nil
        } else if since == nil, isRunning {
            since = now
        }
    }

    /// The time in all, in seconds.
    func seconds(at now: ContinuousClock.Instant) -> Double {
        (before + (since.map { now - $0 } ?? .zero)).inSeconds
    }
}
