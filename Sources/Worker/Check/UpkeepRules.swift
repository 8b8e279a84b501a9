// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Protocol

/// What a file system's upkeep is like: scrubs, quotas, and what Btrfs is at. Pure.
enum UpkeepRules {
    typealias Finding = CheckReport.Finding

    /// After so many days without a scrub what has gone bad may have lost its second copy, too.
    static let scrubDays: Int64 = 90
    private static let daySeconds: Int64 = 24 * 3600

    /// - Parameters:
    ///   - startedAt: when the last scrub began that has come to its end on every device, in
    ///     seconds since 1970; nil where none is known.
    ///   - now: the same.
    static func scrub(
        startedAt: Int64?, now: Int64, _ subject: String, _ point: String
    ) -> [Finding] {
        let days = startedAt.map { max(now.subtractingReportingOverflow($0).partialValue, 0) }
            .map { $0 / daySeconds }
        if let days, days <= scrubDays {
            return [Finding(.good, "scrub.age", subject, "it was scrubbed \(days) days ago")]
        }
        return [
            Finding(
                .note, "scrub.age", subject,
                days.map { "its last scrub was \($0) days ago" } ?? "no scrub of it is known",
                reason: "A scrub reads every copy and mends what has a good one, before the other"
                    + " goes bad as well.", command: "btrfs scrub start \(point)")
        ]
    }

    /// - Parameter mode: `qgroup` or `squota`, as the kernel has it; nil where quotas are off.
    static func quotas(_ mode: String?, _ subject: String, _ point: String) -> [Finding] {
        // Simple ones count what is written, and never look for who shares it.
        guard let mode, mode != "squota" else { return [] }
        return [
            Finding(
                .warning, "quota.on", subject, "quotas are on",
                reason: "For each extent that is shared or deleted Btrfs looks for all who share"
                    + " it: jobs take several times as long, and a revision that is deleted can"
                    + " stop the machine for minutes.", command: "btrfs quota disable \(point)")
        ]
    }

    /// - Parameter operation: what others do, as `OthersAtWork` and `JobLock` have it.
    static func operation(
        _ operation: String?, _ subject: String, _ point: String
    ) -> [Finding] {
        guard let operation else { return [] }
        return [
            Finding(
                .note, "operation", subject, "somebody is at work on it: \(operation)",
                reason: "Jobs wait until that is over.",
                command: command(showing: operation, point))
        ]
    }

    private static func command(showing operation: String, _ point: String) -> String {
        switch operation.prefix(while: { $0 != " " }) {
        case "balance": "btrfs balance status \(point)"
        case "scrub": "btrfs scrub status \(point)"
        case "rescan": "btrfs quota rescan -s \(point)"
        case "btrfs": "pgrep -a btrfs"
        case "qvm-backup": "pgrep -a qvm-backup"
        case "lock": "fuser -v \(JobLock.path)"
        default: "btrfs filesystem show \(point)"
        }
    }
}
