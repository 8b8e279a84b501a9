// SPDX-License-Identifier: GPL-2.0-or-later

/// The history of calls as text of 80 columns: who asked what, and below it what came of it.
enum AuditLines {
    /// Every entry, oldest first.
    static func history(_ entries: [AuditEntry]) -> [Line] {
        if entries.isEmpty { return ["No calls in this time."] }
        return entries.flatMap(lines)
    }

    private static func lines(_ entry: AuditEntry) -> [Line] {
        let call = entry.service + (entry.argument.isEmpty ? "" : "+" + entry.argument)
        let target = entry.target.isEmpty ? "no target" : entry.target
        return Line.wrapped(
            "\(entry.caller) called \(call) for \(target)",
            after: Moment.second(entry.askedAt) + "  ", indent: 4)
            + Line.wrapped(
                "\(decision(entry)); \(outcome(entry))", after: "  ", indent: 4,
                style: style(entry))
    }

    private static func decision(_ entry: AuditEntry) -> String {
        let why = entry.rule ?? entry.reason
        let reason = why.map { ": \($0)" } ?? ""
        return switch entry.decision {
        case .allowed: "allowed by policy"
        case .denied: "denied by policy\(reason)"
        case .deniedByUser: "denied by the user\(reason)"
        case .policyError: "policy failed\(reason)"
        case .dom0: "dom0 itself"
        case .unknown: "policy's word is not in the journal"
        }
    }

    private static func outcome(_ entry: AuditEntry) -> String {
        let job = entry.job.map { "job \($0)" } ?? "the call"
        let detail = entry.detail.map { " (\($0))" } ?? ""
        switch entry.outcome {
        case .notReached:
            return entry.decision == .allowed ? "it never came to the service" : "nothing was done"
        case .refused: return "refused by the service: \(entry.state ?? "-")\(detail)"
        case .accepted: return "answered"
        case .queued: return "\(job) waits"
        case .running: return "\(job) was started"
        case .over:
            return "\(job) ended as \(entry.state ?? "-")" + duration(entry) + saved(entry) + detail
        }
    }

    private static func duration(_ entry: AuditEntry) -> String {
        guard let start = entry.startedAt, let end = entry.endedAt, end >= start else { return "" }
        return " after " + ByteText.duration(seconds: Double(end - start))
    }

    private static func saved(_ entry: AuditEntry) -> String {
        guard let bytes = entry.savedBytes else { return "" }
        return bytes < 0
            ? ", data grew by " + ByteText.size(bytes.magnitude)
            : ", saved " + ByteText.size(bytes.magnitude)
    }

    private static func style(_ entry: AuditEntry) -> Line.Style {
        switch entry.outcome {
        case .notReached, .refused: .warning
        case .accepted, .queued, .running: .plain
        case .over: entry.state == "done" ? .good : .warning
        }
    }
}
