// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// What the journal lacks of the service's records. Pure.
struct AuditLosses: Equatable, Sendable {
    /// The records that were written between others and are not there. What is missing before the
    /// first or behind the last of a daemon's is not seen, nor is a release without numbers.
    var lostRecords: UInt64 = 0
    /// How many calls of each caller the service has only counted, since they were more than its
    /// share of the log.
    var countedCalls: [String: UInt64] = [:]

    /// Looks through the entries, in whatever order they are.
    init(_ journal: [JournalEntry]) {
        var daemons: [String: Set<UInt64>] = [:]
        for case .service(let record) in journal.map(\.content) {
            if !record.daemon.isEmpty, let sequence = record.sequence {
                daemons[record.daemon, default: []].insert(sequence)
            }
            if record.event == .omitted { count(record) }
        }
        for numbers in daemons.values {
            guard let first = numbers.min(), let last = numbers.max() else { continue }
            let missing = last - first - UInt64(numbers.count - 1)
            let sum = lostRecords.addingReportingOverflow(missing)
            lostRecords = sum.overflow ? .max : sum.partialValue
        }
    }

    /// `35 more calls`.
    private mutating func count(_ record: AuditRecord) {
        guard let count = UInt64(record.detail.prefix { $0.isASCII && $0.isNumber }) else { return }
        let sum = countedCalls[record.caller, default: 0].addingReportingOverflow(count)
        countedCalls[record.caller] = sum.overflow ? .max : sum.partialValue
    }

    /// Nothing is missing, as far as can be seen.
    var isEmpty: Bool { lostRecords == 0 && countedCalls.isEmpty }

    /// What is missing, a sentence each.
    var sentences: [String] {
        var all: [String] = []
        if lostRecords > 0 {
            let records = lostRecords == 1 ? "1 record" : "\(lostRecords) records"
            all.append(
                "\(records) of the service did not get into the journal; "
                    + "/var/log/qubes/btrfs.log has what happened.")
        }
        for (caller, count) in countedCalls.sorted(by: { $0.key < $1.key }) {
            let who = caller.isEmpty ? "callers that did not say who they are" : caller
            all.append(
                "\(count) more \(count == 1 ? "call" : "calls") of \(who) are only counted: "
                    + "they were beyond a caller's share of the log.")
        }
        return all
    }
}
