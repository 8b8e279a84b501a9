// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

@testable import Client

/// Entries of a journal, at seconds after 1,700,000,000.
enum AuditSample {
    static let start: Int64 = 1_700_000_000
    static let job = "0123456789abcdef0123"

    static func at(_ seconds: Double, _ content: JournalEntry.Content) -> JournalEntry {
        JournalEntry(
            microseconds: start * 1_000_000 + Int64(seconds * 1_000_000), content: content)
    }

    static func policy(
        _ seconds: Double, _ service: String = "btrfs.Compress", _ argument: String = "private",
        caller: String = "mgmt", target: String = "work",
        verdict: PolicyLine.Verdict = .allowed
    ) -> JournalEntry {
        at(
            seconds,
            .policy(
                PolicyLine(
                    service: service, argument: argument, caller: caller, target: target,
                    verdict: verdict)))
    }

    static func service(
        _ seconds: Double, _ event: AuditEvent = .request,
        _ service: String = "btrfs.Compress", _ argument: String = "private",
        caller: String = "mgmt", target: String = "work", job: String = "",
        outcome: String = "accepted", savedBytes: Int64? = nil, detail: String = "",
        call: String = "", daemon: String = "", sequence: UInt64? = nil
    ) -> JournalEntry {
        var record = AuditRecord(event)
        record.caller = caller
        record.service = service
        record.argument = argument
        record.target = target
        record.job = job
        record.outcome = outcome
        record.savedBytes = savedBytes
        record.detail = detail
        record.call = call
        record.daemon = daemon
        record.sequence = sequence
        return at(seconds, .service(record))
    }

    /// A call from policy's word to the job's end.
    static let wholeCall = [
        policy(0), service(0.2, job: job), service(1, .jobStart, job: job, outcome: "running"),
        service(61, .jobEnd, job: job, outcome: "done", savedBytes: 5 << 20),
    ]
}
