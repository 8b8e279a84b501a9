// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// Joins policy's lines with the service's records. Pure.
///
/// Neither names the other. A call is the same when service, argument, caller and target are, and
/// policy's word came before the service's by no more than `windowMicroseconds`, or after it by no
/// more than `disorderMicroseconds`. The service's own records name their call or their job, and
/// belong together in whatever order they stand.
struct AuditHistory {
    /// The longest time from policy's word to the service's: a call has 30 seconds to arrive, and
    /// the machine may be slow.
    static let windowMicroseconds: Int64 = 120 * 1_000_000
    /// How much later than the service's word policy's may have got into the journal: each gets
    /// there in its own way.
    static let disorderMicroseconds: Int64 = 1_000_000

    private struct Decided {
        let microseconds: Int64
        let line: PolicyLine
        var isTaken = false
    }

    private var decided: [Decided] = []
    private var calls: [(microseconds: Int64, entry: AuditEntry)] = []
    private var callOfJob: [String: Int] = [:]
    private var callOfNumber: [String: Int] = [:]
    /// Ends whose request has not been seen yet.
    private var earlyEnds: [String: (record: AuditRecord, microseconds: Int64)] = [:]
    /// The calls of earlier releases that were accepted, start no job and have no number. Bounded:
    /// an end comes soon, or never.
    private var accepted: [Int] = []
    private static let mostAccepted = 1024
    /// The qubes' names by what policy called them, `uuid:` and all.
    private var names: [String: String] = [:]

    /// Every call that the entries know of, oldest first.
    static func entries(_ journal: [JournalEntry]) -> [AuditEntry] {
        var history = AuditHistory()
        // The journal may have been put together from several files. Policy comes before the
        // service, by as much as they may be out of order.
        let sorted = journal.enumerated().sorted {
            ($0.element.place, $0.element.isService ? 1 : 0, $0.offset)
                < ($1.element.place, $1.element.isService ? 1 : 0, $1.offset)
        }
        for (_, entry) in sorted {
            switch entry.content {
            case .policy(let line):
                history.decided.append(Decided(microseconds: entry.microseconds, line: line))
            case .service(let record): history.take(record, entry.microseconds)
            }
        }
        history.addUnreached()
        history.resolveTargets()
        return history.calls.enumerated().sorted {
            ($0.element.microseconds, $0.offset) < ($1.element.microseconds, $1.offset)
        }.map(\.element.entry)
    }

    private mutating func take(_ record: AuditRecord, _ microseconds: Int64) {
        switch record.event {
        case .request: addRequest(record, microseconds)
        case .callEnd: endCall(record, microseconds)
        case .jobStart, .jobEnd: follow(record, microseconds)
        case .start, .stop, .trouble, .omitted: break
        }
    }

    // MARK: Requests

    private mutating func addRequest(_ record: AuditRecord, _ microseconds: Int64) {
        var entry = Self.entry(record, microseconds)
        var time = microseconds
        if record.detail.hasPrefix(AuditRecord.goesOn) {
            entry.decision = .continued
        } else if record.caller != Self.machine, let index = decision(for: record, microseconds) {
            decided[index].isTaken = true
            time = decided[index].microseconds
            learnName(policy: decided[index].line.target, service: record.target)
            entry.decision = .allowed
            entry.askedAt = Self.seconds(time)
        }
        guard record.outcome == Self.acceptedWord else {
            entry.outcome = .refused
            entry.state = record.outcome
            calls.append((time, entry))
            return
        }
        if record.service == ServiceName.newData.rawValue {
            entry.setting = entry.detail
            entry.detail = nil
        }
        if !record.job.isEmpty, AuditEntry.startsJob(record.service) {
            addStart(entry, of: record.job, time)
        } else {
            addAccepted(entry, record, time)
        }
    }

    private mutating func addStart(_ entry: AuditEntry, of job: String, _ time: Int64) {
        var entry = entry
        entry.outcome = .queued
        guard let index = callOfJob[job] else {
            callOfJob[job] = calls.count
            calls.append((time, entry))
            return
        }
        // The job's own records came first.
        let known = calls[index].entry
        entry.target = known.target
        entry.outcome = known.outcome
        entry.state = known.state
        entry.startedAt = known.startedAt
        entry.endedAt = known.endedAt
        entry.savedBytes = known.savedBytes
        entry.detail = known.detail
        calls[index] = (time, entry)
    }

    private mutating func addAccepted(_ entry: AuditEntry, _ record: AuditRecord, _ time: Int64) {
        let index = calls.count
        calls.append((time, entry))
        if record.call.isEmpty {
            accepted = accepted.suffix(Self.mostAccepted) + [index]
        } else if let end = earlyEnds.removeValue(forKey: record.call) {
            close(index, end.record, end.microseconds)
        } else {
            callOfNumber[record.call] = index
        }
    }

    /// The last word of policy that let such a call through; where there is none, the first that
    /// came right after it.
    private func decision(for record: AuditRecord, _ microseconds: Int64) -> Int? {
        var late: Int?
        for index in decided.indices.reversed() {
            let item = decided[index]
            if microseconds - item.microseconds > Self.windowMicroseconds { break }
            guard !item.isTaken, item.line.verdict == .allowed,
                item.line.service == record.service, item.line.argument == record.argument,
                item.line.caller == record.caller, Self.isSame(item.line.target, record.target)
            else { continue }
            if item.microseconds <= microseconds { return index }
            late = index
        }
        return late
    }

    // MARK: Ends

    private mutating func endCall(_ record: AuditRecord, _ microseconds: Int64) {
        if !record.call.isEmpty {
            if let index = callOfNumber.removeValue(forKey: record.call) {
                close(index, record, microseconds)
            } else {
                earlyEnds[record.call] = (record, microseconds)
            }
            return
        }
        let place = accepted.firstIndex { index in
            let entry = calls[index].entry
            return entry.service == record.service && entry.argument == record.argument
                && entry.caller == record.caller && entry.target == Self.plain(record.target)
        }
        if let place { close(accepted.remove(at: place), record, microseconds) }
    }

    private mutating func close(_ index: Int, _ record: AuditRecord, _ microseconds: Int64) {
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
        learnName(policy: calls[index].entry.target, service: record.target)
        calls[index].entry.target = Self.plain(record.target)
        if record.event == .jobStart {
            if calls[index].entry.outcome != .over { calls[index].entry.outcome = .running }
            calls[index].entry.startedAt = Self.seconds(microseconds)
        } else {
            close(index, record, microseconds)
            if !calls[index].entry.isEstimate {
                calls[index].entry.savedBytes = record.savedBytes
            }
        }
    }

    // MARK: What is left

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

    /// A qube goes by its name wherever some call has told it. And who asks about a qube wants to
    /// see who ended its job: a call to the machine that names one is shown for the job's qube.
    /// Where it went to another qube, it is that one that it was asked, or refused, at.
    private mutating func resolveTargets() {
        for index in calls.indices {
            let entry = calls[index].entry
            calls[index].entry.target = names[entry.target] ?? entry.target
            if entry.target == Self.machine, !AuditEntry.startsJob(entry.service),
                let job = callOfJob[entry.argument]
            {
                calls[index].entry.target = calls[job].entry.target
            }
        }
    }

    private mutating func learnName(policy: String, service: String) {
        for (one, other) in [(policy, service), (service, policy)]
        where Self.isUUID(one) && !Self.isUUID(other) {
            names[one] = Self.plain(other)
        }
    }

    private static func entry(_ record: AuditRecord, _ microseconds: Int64) -> AuditEntry {
        AuditEntry(
            askedAt: seconds(microseconds), caller: record.caller, service: record.service,
            argument: record.argument, target: plain(record.target),
            decision: record.caller == machine ? .dom0 : .unknown, outcome: .accepted,
            job: some(record.job), call: some(record.call), detail: some(record.detail))
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
        plain(one) == plain(other) || isUUID(one) != isUUID(other)
    }

    private static func isUUID(_ target: String) -> Bool { target.hasPrefix("uuid:") }
}

extension JournalEntry {
    fileprivate var isService: Bool {
        if case .service = content { return true }
        return false
    }

    /// Its place in time, in microseconds: policy's is as early as it may have been.
    fileprivate var place: Int64 {
        isService ? microseconds : microseconds - AuditHistory.disorderMicroseconds
    }
}
