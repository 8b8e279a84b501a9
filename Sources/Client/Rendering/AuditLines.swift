// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// The history of calls as text of 80 columns: who asked what, and below it what came of it.
enum AuditLines {
    /// Every entry, oldest first.
    /// - Parameter mayLack: records of the service are known not to be there.
    static func history(_ entries: [AuditEntry], mayLack: Bool = false) -> [Line] {
        if entries.isEmpty { return ["No calls in this time."] }
        return entries.flatMap { lines($0, mayLack: mayLack) }
    }

    private static func lines(_ entry: AuditEntry, mayLack: Bool) -> [Line] {
        var words = [outcome(entry, mayLack: mayLack)]
        if !entry.isWithoutCaller { words.insert(decision(entry), at: 0) }
        return Line.wrapped(
            call(entry), after: Moment.second(entry.askedAt) + "  ", indent: 4)
            + Line.wrapped(
                words.joined(separator: "; "), after: "  ", indent: 4, style: style(entry))
    }

    private static func call(_ entry: AuditEntry) -> String {
        if entry.isWithoutCaller { return "somebody called, and was gone before saying what" }
        let call = entry.service + (entry.argument.isEmpty ? "" : "+" + entry.argument)
        let target = entry.target.isEmpty ? "no target" : entry.target
        let setting = entry.setting.map { ", to set compress=\($0)" } ?? ""
        return "\(entry.caller) called \(call) for \(target)\(setting)"
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
        case .continued: AuditRecord.goesOn
        case .unknown: "policy's word is not in the journal"
        }
    }

    private static func outcome(_ entry: AuditEntry, mayLack: Bool) -> String {
        let job = entry.job.map { "job \($0)" } ?? "the job"
        let detail = entry.detail.map { " (\($0))" } ?? ""
        switch entry.outcome {
        case .notReached:
            if entry.decision != .allowed { return "nothing was done" }
            return mayLack
                ? "it never came to the service, or the record of it is lost"
                : "nothing shows that it came to the service"
        case .refused: return "refused by the service: \(entry.state ?? "-")\(detail)"
        case .accepted:
            // An earlier release wrote no end of what it answered at once.
            return entry.call == nil ? "answered" : "taken on; its end is not in the journal"
        case .queued: return "\(job) waits, or its start is not in the journal"
        case .running: return "\(job) was started; its end is not in the journal"
        case .over where entry.hasJob:
            return "\(job) ended as \(entry.state ?? "-")" + duration(entry) + brought(entry)
                + detail
        case .over: return end(entry) + detail
        }
    }

    /// Of a call that starts no job.
    private static func end(_ entry: AuditEntry) -> String {
        let time = duration(from: entry.askedAt, to: entry.endedAt)
        switch entry.state {
        case JobState.done.rawValue: return "answered" + time
        case AuditRecord.goneOutcome: return "its caller went away" + time
        default: return "it failed\(time): \(entry.state ?? "-")"
        }
    }

    private static func duration(_ entry: AuditEntry) -> String {
        guard let start = entry.startedAt, let end = entry.endedAt, end >= start else { return "" }
        return " after " + ByteText.duration(seconds: Double(end - start))
    }

    /// Nothing for what took no second.
    private static func duration(from start: Int64, to end: Int64?) -> String {
        guard let end, end > start else { return "" }
        return " after " + ByteText.duration(seconds: Double(end - start))
    }

    private static func brought(_ entry: AuditEntry) -> String {
        if entry.isEstimate { return ", an estimate: nothing was changed" }
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
