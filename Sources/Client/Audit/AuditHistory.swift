// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// One call, from policy's word to what came of it.
struct AuditEntry: Equatable, Sendable, Encodable {
    /// What policy said.
    enum Decision: String, Sendable, Encodable, CaseIterable {
        /// It let the call through.
        case allowed
        /// It refused.
        case denied
        /// The user was asked and refused.
        case deniedByUser
        /// It could not be asked.
        case policyError
        /// dom0 itself called, by hand or by a timer: no policy is asked.
        case dom0
        /// The journal does not have it, or not any more.
        case unknown
    }

    /// How it ended, or how far it is.
    enum Outcome: String, Sendable, Encodable, CaseIterable {
        /// Policy refused, or the call never came to the service.
        case notReached
        /// The service refused.
        case refused
        /// The service answered at once; for a report, it is being made.
        case accepted
        /// The job waits, or its start is not in the journal.
        case queued
        /// The job was started, and its end is not in the journal.
        case running
        /// The job or the report is over, and its outcome is in `state`.
        case over
    }

    /// Seconds since 1970 of the first thing that is known of it.
    var askedAt: Int64
    var caller: String
    var service: String
    /// What stood behind the service's `+`.
    var argument: String
    /// The qube, `dom0` for the machine; as the caller named it where the service never resolved
    /// it. Of a call that names a job, the job's own: such calls all go to `dom0`.
    var target: String
    var decision: Decision
    /// `FILE:LINE`, where the journal names it: for what was refused.
    var rule: String?
    /// Policy's own words, where there is no rule.
    var reason: String?
    var outcome: Outcome
    /// The job's or the report's last state, or the name of the exception.
    var state: String?
    var job: String?
    /// Seconds since 1970.
    var startedAt: Int64?
    /// Seconds since 1970.
    var endedAt: Int64?
    /// By the file system's own count.
    var savedBytes: Int64?
    /// What the service wrote for dom0 alone.
    var detail: String?
}

/// Joins policy's lines with the service's records. Pure.
///
/// Neither names the other. A call is the same when service, argument, caller and target are, and
/// policy's word came before the service's, by no more than `windowMicroseconds`.
struct AuditHistory {
    /// The longest time from policy's word to the service's: a call has 30 seconds to arrive, and
    /// the machine may be slow.
    static let windowMicroseconds: Int64 = 120 * 1_000_000

    private struct Decided {
        let microseconds: Int64
        let line: PolicyLine
        var isTaken = false
    }

    private var decided: [Decided] = []
    private var calls: [(microseconds: Int64, entry: AuditEntry)] = []
    private var callOfJob: [String: Int] = [:]
    /// The calls that were accepted and start no job: reports among them. Bounded: an end comes
    /// soon, or never.
    private var accepted: [Int] = []
    private static let mostAccepted = 1024

    /// Every call that the entries know of, oldest first.
    static func entries(_ journal: [JournalEntry]) -> [AuditEntry] {
        var history = AuditHistory()
        // The journal may have been put together from several files. Policy comes before the
        // service where both have the same time.
        let sorted = journal.enumerated().sorted {
            ($0.element.microseconds, $0.element.isService ? 1 : 0, $0.offset)
                < ($1.element.microseconds, $1.element.isService ? 1 : 0, $1.offset)
        }
        for (_, entry) in sorted {
            switch entry.content {
            case .policy(let line):
                history.decided.append(Decided(microseconds: entry.microseconds, line: line))
            case .service(let record): history.take(record, entry.microseconds)
            }
        }
        history.addUnreached()
        history.resolveJobs()
        return history.calls.enumerated().sorted {
            ($0.element.microseconds, $0.offset) < ($1.element.microseconds, $1.offset)
        }.map(\.element.entry)
    }

    private mutating func take(_ record: AuditRecord, _ microseconds: Int64) {
        switch record.event {
        case .request: addRequest(record, microseconds)
        case .reportEnd: endReport(record, microseconds)
        case .jobStart, .jobEnd: follow(record, microseconds)
        case .start, .stop, .trouble, .omitted: break
        }
    }

    private mutating func addRequest(_ record: AuditRecord, _ microseconds: Int64) {
        var entry = Self.entry(record, microseconds)
        var time = microseconds
        if record.caller != Self.machine, let index = decision(for: record, microseconds) {
            decided[index].isTaken = true
            time = decided[index].microseconds
            entry.decision = .allowed
            entry.askedAt = Self.seconds(time)
        }
        if record.outcome != Self.acceptedWord {
            entry.outcome = .refused
            entry.state = record.outcome
        } else if !record.job.isEmpty, AuditEntry.startsJob(record.service) {
            entry.outcome = .queued
            callOfJob[record.job] = calls.count
        } else {
            accepted = accepted.suffix(Self.mostAccepted) + [calls.count]
        }
        calls.append((time, entry))
    }

    /// The last word of policy that let such a call through.
    private func decision(for record: AuditRecord, _ microseconds: Int64) -> Int? {
        for index in decided.indices.reversed() {
            let item = decided[index]
            if microseconds - item.microseconds > Self.windowMicroseconds { return nil }
            if !item.isTaken, item.line.verdict == .allowed, item.line.service == record.service,
                item.line.argument == record.argument, item.line.caller == record.caller,
                Self.isSame(item.line.target, record.target)
            {
                return index
            }
        }
        return nil
    }

    private mutating func endReport(_ record: AuditRecord, _ microseconds: Int64) {
        let place = accepted.firstIndex { index in
            let entry = calls[index].entry
            return entry.service == record.service && entry.argument == record.argument
                && entry.caller == record.caller && entry.target == Self.plain(record.target)
        }
        guard let place else { return }
        let index = accepted.remove(at: place)
        calls[index].entry.outcome = .over
        calls[index].entry.state = record.outcome
        calls[index].entry.endedAt = Self.seconds(microseconds)
        calls[index].entry.detail = Self.some(record.detail)
    }

    /// A job whose request is not in the journal any more is an entry of its own.
    private mutating func follow(_ record: AuditRecord, _ microseconds: Int64) {
        guard !record.job.isEmpty else { return }
        if callOfJob[record.job] == nil {
            callOfJob[record.job] = calls.count
            calls.append((microseconds, Self.entry(record, microseconds)))
        }
        guard let index = callOfJob[record.job] else { return }
        // The caller may have named it by its UUID.
        calls[index].entry.target = Self.plain(record.target)
        if record.event == .jobStart {
            calls[index].entry.outcome = .running
            calls[index].entry.startedAt = Self.seconds(microseconds)
        } else {
            calls[index].entry.outcome = .over
            calls[index].entry.state = record.outcome
            calls[index].entry.endedAt = Self.seconds(microseconds)
            calls[index].entry.savedBytes = record.savedBytes
            calls[index].entry.detail = Self.some(record.detail)
        }
    }

    /// What policy refused, and what it let through without the service ever seeing it.
    private mutating func addUnreached() {
        for item in decided where !item.isTaken {
            var entry = AuditEntry(
                askedAt: Self.seconds(item.microseconds), caller: item.line.caller,
                service: item.line.service, argument: item.line.argument,
                target: Self.plain(item.line.target), decision: .allowed, outcome: .notReached)
            switch item.line.verdict {
            case .allowed: break
            case .denied(let reason, let rule):
                entry.decision = .denied
                entry.rule = rule
                entry.reason = rule == nil ? reason : nil
            case .deniedByUser(let rule):
                entry.decision = .deniedByUser
                entry.rule = rule
            case .failed(let reason):
                entry.decision = .policyError
                entry.reason = reason
            }
            calls.append((item.microseconds, entry))
        }
    }

    /// Who asks about a qube wants to see who ended its job.
    private mutating func resolveJobs() {
        for index in calls.indices where !AuditEntry.startsJob(calls[index].entry.service) {
            guard let job = callOfJob[calls[index].entry.argument] else { continue }
            calls[index].entry.target = calls[job].entry.target
        }
    }

    private static func entry(_ record: AuditRecord, _ microseconds: Int64) -> AuditEntry {
        AuditEntry(
            askedAt: seconds(microseconds), caller: record.caller, service: record.service,
            argument: record.argument, target: plain(record.target),
            decision: record.caller == machine ? .dom0 : .unknown, outcome: .accepted,
            job: some(record.job), detail: some(record.detail))
    }

    private static let machine = ServiceClient.machine
    private static let acceptedWord = "accepted"

    private static func seconds(_ microseconds: Int64) -> Int64 { microseconds / 1_000_000 }

    private static func some(_ text: String) -> String? { text.isEmpty ? nil : text }

    /// The machine has two names: `@adminvm` on Qubes 4.2.
    private static func plain(_ target: String) -> String {
        target == "@adminvm" ? machine : target
    }

    /// Policy may name a qube where the service got its UUID, and the other way round.
    private static func isSame(_ one: String, _ other: String) -> Bool {
        let isUUID = { (target: String) in target.hasPrefix("uuid:") }
        return plain(one) == plain(other) || isUUID(one) != isUUID(other)
    }
}

extension AuditEntry {
    /// Calls about a job name it as well.
    static func startsJob(_ service: String) -> Bool { !service.hasPrefix("btrfs.job.") }
}

extension JournalEntry {
    fileprivate var isService: Bool {
        if case .service = content { return true }
        return false
    }
}
