// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import SystemCalls

/// One service: what it asks for, and what it gives. `CallHandler.run` does what all of them have
/// in common.
struct Endpoint<Request: StrictRequest, Reply> {
    /// Its call starts a job, whose end is the call's.
    var startsJob = false
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
    /// What its request and its end have in common in the log.
    private let number = String(JobID.random().text.prefix(8))
    private let startsJob: Bool
    private struct State {
        var isAccepted = false
        /// Its request is in the log, and not only counted.
        var isWritten = false
        var asked: Set<String>?
    }
    private let state = Monitor(State())

    init(
        _ call: Call, _ target: Target, untrusted untrustedHeader: CallHeader, audit: AuditLog,
        startsJob: Bool
    ) {
        self.call = call
        self.target = target
        self.untrustedHeader = untrustedHeader
        self.audit = audit
        self.startsJob = startsJob
    }

    /// Writes down that it is done from here on.
    func accept(job: String = "", detail: String = "") {
        var record = record(.request, outcome: AuditLog.accepted, detail: detail)
        record.job = job
        var isWritten = true
        // What changes something is written down whatever else its caller does.
        if call.service.isReading {
            isWritten = audit.writeCall(record)
        } else {
            audit.write(record)
        }
        state.withLock { state in
            state.isAccepted = true
            state.isWritten = isWritten
        }
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

    /// Writes down that it is over, where its request was; that of a job is written by the job.
    func end(outcome: String = JobState.done.rawValue, detail: String = "") {
        if startsJob, outcome == JobState.done.rawValue { return }
        guard state.withLock({ $0.isWritten }) else { return }
        audit.write(record(.callEnd, outcome: outcome, detail: detail))
    }

    /// Writes down why it is refused.
    func refuse(_ refusal: Refusal) {
        audit.refused(untrustedHeader, refusal, target: name)
    }

    /// The qube's name, where the call has its UUID.
    private var name: String? {
        if case .uuid = call.target { return target.name }
        return nil
    }

    private func record(_ event: AuditEvent, outcome: String, detail: String) -> AuditRecord {
        var record = AuditRecord(event, untrusted: untrustedHeader)
        record.target = name ?? record.target
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
        case .newData, .start, .control, .jobHold: false
        }
    }
}
