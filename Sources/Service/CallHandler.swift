// SPDX-License-Identifier: GPL-2.0-or-later
internal import FoundationEssentials
internal import Protocol
internal import Qubes

/// What a call gets.
enum Answer {
    /// One envelope, and the end.
    case whole(Envelope)
    /// Events as they come, then the end.
    case stream(JobWatch)
}

/// The service as a function: a header and a payload in, an answer out. Connections only move
/// bytes.
struct CallHandler: Sendable {
    let machine: Machine
    let reports: ReportMaker
    let runner: JobRunner
    let history: HistoryStore
    let audit: AuditLog
    let bounds: Bounds

    /// Answers one call, and writes down what became of it.
    func answer(_ untrustedHeader: CallHeader, untrustedPayload: [UInt8]) -> Answer {
        do throws(Refusal) {
            let call = try Judge.judge(untrustedHeader)
            switch call.service.kind {
            case .report: return .whole(try report(call, untrustedHeader, untrustedPayload))
            case .check: return .whole(try check(call, untrustedHeader, untrustedPayload))
            case .newData: return .whole(try newData(call, untrustedHeader, untrustedPayload))
            case .start(let operation):
                return .whole(try submit(operation, call, untrustedHeader, untrustedPayload))
            case .jobList: return .whole(try list(call, untrustedHeader, untrustedPayload))
            case .jobWatch: return .stream(try watch(call, untrustedHeader, untrustedPayload))
            case .control(let word):
                return .whole(try change(word, call, untrustedHeader, untrustedPayload))
            }
        } catch {
            audit.request(untrustedHeader, error)
            return .whole(.exception(error.exception(for: untrustedHeader.source)))
        }
    }

    private func report(
        _ call: JudgedCall, _ header: CallHeader, _ untrustedPayload: [UInt8]
    ) throws(Refusal) -> Envelope {
        let request = try Payload.decode(ReportRequest.self, untrusted: untrustedPayload)
        let scope = try machine.scope(of: call.target, for: call.caller)
        let narrowing = try Narrowing(request, scope, machine: machine, caller: call.caller)
        let selection = try Selection(scope, call.argument, only: narrowing.names)
        audit.request(header, outcome: AuditLog.accepted)
        return finish(header) { () throws(Refusal) in
            var report = try reports.report(selection, redaction: scope.redaction)
            report.describe(scope, running: try? machine.running(visibleTo: call.caller))
            let jobs = runner.jobs.records()
            report.addGains(jobs, scope.visibility, caller: call.caller)
            if scope.qube == nil {
                note(report)
                report.history = history.all(with: jobs)
            }
            let envelope = try Self.reply(report)
            audit.request(header, .reportEnd, outcome: JobState.done.rawValue)
            return envelope
        }
    }

    private func check(
        _ call: JudgedCall, _ header: CallHeader, _ untrustedPayload: [UInt8]
    ) throws(Refusal) -> Envelope {
        _ = try Payload.decode(PlainRequest.self, untrusted: untrustedPayload)
        let scope = try machine.scope(of: call.target, for: call.caller)
        let selection = try Selection(scope, call.argument)
        audit.request(header, outcome: AuditLog.accepted)
        return finish(header) { () throws(Refusal) in
            try Self.reply(try reports.check(selection))
        }
    }

    private func newData(
        _ call: JudgedCall, _ header: CallHeader, _ untrustedPayload: [UInt8]
    ) throws(Refusal) -> Envelope {
        let request = try Payload.decode(NewDataRequest.self, untrusted: untrustedPayload)
        let scope = try machine.scope(of: call.target, for: call.caller)
        let selection = try Selection(scope, call.argument)
        audit.request(header, outcome: AuditLog.accepted, detail: request.compress?.rawValue ?? "")
        return finish(header) { () throws(Refusal) in
            try Self.reply(try reports.newData(selection, request.compress))
        }
    }

    /// Answers a call that was accepted; when that fails it is an end, not a refusal.
    private func finish(
        _ header: CallHeader, _ make: () throws(Refusal) -> Envelope
    ) -> Envelope {
        do throws(Refusal) {
            return try make()
        } catch {
            audit.request(
                header, .reportEnd, outcome: error.exception.kind.rawValue,
                detail: error.detail ?? "")
            return .exception(error.exception(for: header.source))
        }
    }

    /// Keeps the machine's totals.
    private func note(_ report: Report) {
        guard !report.fileSystems.isEmpty else { return }
        var point = HistoryPoint(at: report.generatedAt, report.fileSystems)
        point.referencedBytes = report.machine?.everything.dataBytes
        history.add(point)
    }

    private func submit(
        _ operation: Operation, _ call: JudgedCall, _ header: CallHeader,
        _ untrustedPayload: [UInt8]
    ) throws(Refusal) -> Envelope {
        let (work, onBattery, risksReadOnly) = try Self.work(of: operation, untrustedPayload)
        guard !risksReadOnly || call.caller == Names.machine else {
            throw Refusal(.badRequest, "Only dom0 may ask for riskReadOnly.")
        }
        let scope = try machine.scope(of: call.target, for: call.caller)
        _ = try Selection(scope, call.argument)
        let request = JobRequest(
            operation: operation, work: work, caller: call.caller,
            target: scope.qube.map { .qube($0.name) } ?? .machine, uuid: scope.qube?.uuid,
            argument: call.argument, onBattery: onBattery, risksReadOnly: risksReadOnly)
        let job = try runner.submit(request, targetName: scope.targetName)
        audit.request(header, outcome: AuditLog.accepted, job: job)
        runner.jobs.enqueue(job)
        return try Self.reply(JobAccepted(job: job))
    }

    /// What a job is asked to do.
    private static func work(
        of operation: Operation, _ untrustedPayload: [UInt8]
    ) throws(Refusal) -> (WorkerOrder.Work, onBattery: Bool, risksReadOnly: Bool) {
        switch operation {
        case .estimate:
            let request = try Payload.decode(EstimateRequest.self, untrusted: untrustedPayload)
            // Somebody waits for it, and it is over soon.
            return (.estimate(running: request.running), true, false)
        case .compress:
            let request = try Payload.decode(CompressRequest.self, untrusted: untrustedPayload)
            return (
                .compress(level: request.level, running: request.running), request.battery,
                request.riskReadOnly ?? false
            )
        case .optimize:
            let request = try Payload.decode(CompressRequest.self, untrusted: untrustedPayload)
            return (
                .optimize(level: request.level, running: request.running), request.battery,
                request.riskReadOnly ?? false
            )
        case .dedupe:
            let request = try Payload.decode(DedupeRequest.self, untrusted: untrustedPayload)
            return (
                .dedupe(running: request.running), request.battery, request.riskReadOnly ?? false
            )
        case .defragment:
            let request = try Payload.decode(DedupeRequest.self, untrusted: untrustedPayload)
            return (
                .defragment(running: request.running), request.battery,
                request.riskReadOnly ?? false
            )
        }
    }

    private func list(
        _ call: JudgedCall, _ header: CallHeader, _ untrustedPayload: [UInt8]
    ) throws(Refusal) -> Envelope {
        _ = try Payload.decode(PlainRequest.self, untrusted: untrustedPayload)
        let scope = try machine.scope(of: call.target, for: call.caller)
        let jobs = runner.jobs.records()
            .filter { scope.mayShow($0, to: call.caller) }
            .map { scope.redaction.record($0).withoutEstimatedQubes() }
        let envelope = try Self.reply(JobList(jobs: jobs))
        audit.request(header, outcome: AuditLog.accepted)
        return envelope
    }

    private func watch(
        _ call: JudgedCall, _ header: CallHeader, _ untrustedPayload: [UInt8]
    ) throws(Refusal) -> JobWatch {
        _ = try Payload.decode(PlainRequest.self, untrusted: untrustedPayload)
        let (job, scope) = try visibleJob(call)
        audit.request(header, outcome: AuditLog.accepted, job: job)
        return JobWatch(
            job: job, jobs: runner.jobs, redaction: scope.redaction,
            heartbeatSeconds: bounds.heartbeatSeconds)
    }

    /// Whoever may see a job may change it, as far as policy lets the call through.
    private func change(
        _ word: WorkerControl, _ call: JudgedCall, _ header: CallHeader,
        _ untrustedPayload: [UInt8]
    ) throws(Refusal) -> Envelope {
        _ = try Payload.decode(PlainRequest.self, untrusted: untrustedPayload)
        let (job, scope) = try visibleJob(call)
        let record = try runner.change(job, word) {
            audit.request(header, outcome: AuditLog.accepted, job: job)
        }
        return try Self.reply(scope.redaction.record(record))
    }

    /// The job that a call names. One that is not there and one that is none of the caller's
    /// business look the same.
    private func visibleJob(_ call: JudgedCall) throws(Refusal) -> (String, Scope) {
        let scope = try machine.scope(of: call.target, for: call.caller)
        guard case .job(let job) = call.argument, let record = runner.jobs.record(job),
            scope.mayShow(record, to: call.caller)
        else { throw .noSuchJob }
        return (job, scope)
    }

    /// An object as the reply.
    static func reply(_ object: some Encodable) throws(Refusal) -> Envelope {
        do {
            return .reply([UInt8](try encoder.encode(object)))
        } catch {
            throw .failed("The reply could not be written.", detail: "\(error)")
        }
    }

    /// Keys in one order, so that equal replies are equal bytes.
    static var encoder: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }
}

extension Scope {
    /// A job of the target, or any job when the target is the machine, as far as the caller may
    /// know.
    fileprivate func mayShow(_ job: JobRecord, to caller: String) -> Bool {
        guard qube == nil || qube?.name == job.target else { return false }
        return visibility.shows(job, to: caller)
    }
}

extension AuditLog {
    static let accepted = "accepted"

    /// A call and what became of it.
    func request(
        _ untrustedHeader: CallHeader?, _ event: AuditEvent = .request, outcome: String,
        job: String = "", detail: String = ""
    ) {
        var record = AuditRecord(event)
        if let untrustedHeader {
            record.caller = untrustedHeader.source
            record.service = untrustedHeader.service
            record.argument = untrustedHeader.argument
            record.target =
                switch untrustedHeader.target {
                case .name(let name): name
                case .keyword(let keyword): "@" + keyword
                }
        }
        record.outcome = outcome
        record.job = job
        record.detail = detail
        write(record)
    }

    /// A call that was refused, and why.
    func request(_ untrustedHeader: CallHeader?, _ refusal: Refusal) {
        request(
            untrustedHeader, outcome: refusal.exception.kind.rawValue,
            detail: refusal.detail ?? refusal.exception.message)
    }
}
