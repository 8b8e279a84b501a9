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
            switch call.service {
            case .report: return .whole(try report(call, untrustedHeader, untrustedPayload))
            case .check: return .whole(try check(call, untrustedHeader, untrustedPayload))
            case .estimate, .compress, .dedupe, .optimize, .defragment:
                return .whole(try submit(call, untrustedHeader, untrustedPayload))
            case .newData: return .whole(try newData(call, untrustedHeader, untrustedPayload))
            case .jobList: return .whole(try list(call, untrustedHeader, untrustedPayload))
            case .jobWatch: return .stream(try watch(call, untrustedHeader, untrustedPayload))
            case .jobCancel:
                return .whole(try change(call, .cancel, untrustedHeader, untrustedPayload))
            case .jobPause:
                return .whole(try change(call, .pause, untrustedHeader, untrustedPayload))
            case .jobResume:
                return .whole(try change(call, .resume, untrustedHeader, untrustedPayload))
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
        do throws(Refusal) {
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
        } catch {
            audit.request(
                header, .reportEnd, outcome: error.exception.kind.rawValue,
                detail: error.detail ?? "")
            return .exception(error.exception(for: call.caller))
        }
    }

    private func check(
        _ call: JudgedCall, _ header: CallHeader, _ untrustedPayload: [UInt8]
    ) throws(Refusal) -> Envelope {
        _ = try Payload.decode(PlainRequest.self, untrusted: untrustedPayload)
        let scope = try machine.scope(of: call.target, for: call.caller)
        let selection = try Selection(scope, call.argument)
        audit.request(header, outcome: AuditLog.accepted)
        do throws(Refusal) {
            return try Self.reply(try reports.check(selection))
        } catch {
            audit.request(
                header, .reportEnd, outcome: error.exception.kind.rawValue,
                detail: error.detail ?? "")
            return .exception(error.exception(for: call.caller))
        }
    }

    private func newData(
        _ call: JudgedCall, _ header: CallHeader, _ untrustedPayload: [UInt8]
    ) throws(Refusal) -> Envelope {
        let request = try Payload.decode(NewDataRequest.self, untrusted: untrustedPayload)
        let scope = try machine.scope(of: call.target, for: call.caller)
        let selection = try Selection(scope, call.argument)
        audit.request(header, outcome: AuditLog.accepted, detail: request.compress?.rawValue ?? "")
        do throws(Refusal) {
            return try Self.reply(try reports.newData(selection, request.compress))
        } catch {
            audit.request(
                header, .reportEnd, outcome: error.exception.kind.rawValue,
                detail: error.detail ?? "")
            return .exception(error.exception(for: call.caller))
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
        _ call: JudgedCall, _ header: CallHeader, _ untrustedPayload: [UInt8]
    ) throws(Refusal) -> Envelope {
        let (operation, work, onBattery) = try Self.work(of: call.service, untrustedPayload)
        let scope = try machine.scope(of: call.target, for: call.caller)
        _ = try Selection(scope, call.argument)
        let request = JobRequest(
            operation: operation, work: work, caller: call.caller,
            target: scope.qube.map { .qube($0.name) } ?? .machine, uuid: scope.qube?.uuid,
            argument: call.argument, onBattery: onBattery)
        let job = try runner.submit(request, targetName: scope.targetName)
        audit.request(header, outcome: AuditLog.accepted, job: job)
        runner.jobs.enqueue(job)
        return try Self.reply(JobAccepted(job: job))
    }

    /// What a service that starts jobs is asked to do.
    private static func work(
        of service: ServiceName, _ untrustedPayload: [UInt8]
    ) throws(Refusal) -> (Operation, WorkerOrder.Work, onBattery: Bool) {
        switch service {
        case .estimate:
            let request = try Payload.decode(EstimateRequest.self, untrusted: untrustedPayload)
            // Somebody waits for it, and it is over soon.
            return (.estimate, .estimate(running: request.running), true)
        case .compress, .optimize:
            let request = try Payload.decode(CompressRequest.self, untrusted: untrustedPayload)
            let (level, running) = (request.level, request.running)
            return service == .compress
                ? (.compress, .compress(level: level, running: running), request.battery)
                : (.optimize, .optimize(level: level, running: running), request.battery)
        case .dedupe, .defragment:
            let request = try Payload.decode(DedupeRequest.self, untrusted: untrustedPayload)
            return service == .dedupe
                ? (.dedupe, .dedupe(running: request.running), request.battery)
                : (.defragment, .defragment(running: request.running), request.battery)
        case .report, .check, .newData, .jobList, .jobWatch, .jobCancel, .jobPause,
            .jobResume:
            throw Refusal.failed("This service starts no job.", detail: service.rawValue)
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
        _ call: JudgedCall, _ word: WorkerControl, _ header: CallHeader,
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
        _ untrustedHeader: CallHeader?, _ event: AuditRecord.Event = .request, outcome: String,
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
