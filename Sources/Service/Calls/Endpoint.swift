// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import SystemCalls

/// One service: what it asks for, and what it gives. `CallHandler.run` does what all of them have
/// in common.
struct Endpoint<Request: StrictRequest, Reply> {
    /// Its call takes time, and its end is written down as well.
    var hasEnd = false
    /// Judges and does it. It accepts the call once it is sure to do it, and before it does.
    let answer: (Request, OpenCall) throws(Refusal) -> Reply
}

/// A call that is being answered.
final class OpenCall: Sendable {
    /// As it came.
    let call: Call
    /// What it is about.
    let target: Target
    private let untrustedHeader: CallHeader
    private let audit: AuditLog
    /// What its request and its end have in common in the log; empty where it has no end.
    private let number: String
    private let state: Monitor<(isAccepted: Bool, asked: Set<String>?)>

    init(
        _ call: Call, _ target: Target, untrusted untrustedHeader: CallHeader, audit: AuditLog,
        hasEnd: Bool
    ) {
        self.call = call
        self.target = target
        self.untrustedHeader = untrustedHeader
        self.audit = audit
        number = hasEnd ? String(JobID.random().text.prefix(8)) : ""
        state = Monitor((false, nil))
    }

    /// Writes down that it is done from here on.
    func accept(job: String = "", detail: String = "") {
        state.withLock { $0.isAccepted = true }
        var record = record(.request, outcome: AuditLog.accepted, detail: detail)
        record.job = job
        // What changes something is written down whatever else its caller does.
        if call.service.isReading { audit.writeCall(record) } else { audit.write(record) }
    }

    /// The reply is about these qubes alone.
    func ask(about qubes: Set<String>) { state.withLock { $0.asked = qubes } }

    /// Who reads its reply.
    var reader: Reader {
        let reader = Reader(target)
        return state.withLock { $0.asked }.map { reader.asking(about: $0) } ?? reader
    }

    /// It was accepted: what goes wrong from then on is an end, not a refusal.
    var isAccepted: Bool { state.withLock { $0.isAccepted } }

    /// Writes its end down, where it has one.
    func end(outcome: String, detail: String = "") {
        if number.isEmpty { return }
        audit.writeCall(record(.reportEnd, outcome: outcome, detail: detail))
    }

    private func record(_ event: AuditEvent, outcome: String, detail: String) -> AuditRecord {
        var record = AuditRecord(event, untrusted: untrustedHeader)
        if case .uuid = call.target { record.target = target.name }
        record.call = number
        record.outcome = outcome
        record.detail = detail
        return record
    }
}

extension ServiceName {
    /// It starts and changes nothing.
    fileprivate var isReading: Bool {
        switch kind {
        case .report, .check, .jobList, .jobWatch: true
        case .newData, .start, .control: false
        }
    }
}
