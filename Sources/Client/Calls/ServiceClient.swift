// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol

/// What a followed job tells, in the order in which it comes.
enum JobEvent: Equatable {
    /// The job changed its state, or following has just begun.
    case state(JobRecord)
    /// It got further.
    case progress(JobProgress)
    /// Nothing new, but the service is alive.
    case heartbeat
}

/// A job, and the target to ask about it on: the qube that it is about, as policy may allow that
/// alone, or the machine.
struct JobPlace: Equatable {
    /// The whole id.
    let job: String
    let target: String

    init(_ job: String, on target: String = ServiceClient.machine) {
        self.job = job
        self.target = target
    }

    /// How to come back to it.
    var watchCommand: String { command("watch") }

    /// A command about it, for those, too, whom policy lets ask on its qube alone.
    func command(_ verb: String) -> String {
        "qvm-btrfs \(verb) \(job)" + (target == ServiceClient.machine ? "" : " --qube \(target)")
    }
}

/// The service's calls, typed.
struct ServiceClient {
    /// The target that stands for the machine, and for calls that are about no single qube.
    static let machine = "dom0"

    let transport: any Transport
    let interruption: Interruption
    /// Policy may know a job's qube alone, so that a whole id is looked up first.
    var looksUpJobs = false
    /// Told of each call before it is made.
    var trace: (ServiceCall) -> Void = { _ in }

    /// What a qube, or the machine, takes on disk.
    func report(
        target: String, volume: String, request: ReportRequest = ReportRequest()
    ) throws(ClientError) -> Report {
        try call(
            .report, argument: volume, target: target, request, as: Report.self, named: "report")
    }

    /// Whether a qube's images, or the machine, are fit.
    func check(_ place: Place, exclude: [String]? = nil) throws(ClientError) -> CheckReport {
        try call(
            .check, argument: place.argument, target: place.target,
            CheckRequest(exclude: exclude), as: CheckReport.self, named: "check")
    }

    /// What becomes of what a qube writes from now on, after setting what new images inherit.
    func newData(
        target: String, request: NewDataRequest
    ) throws(ClientError) -> NewDataReply {
        try call(.newData, target: target, request, as: NewDataReply.self, named: "reply")
    }

    /// Queue and history, newest first: of one qube, or of all that may be seen.
    func jobs(target: String = machine) throws(ClientError) -> JobList {
        try call(.jobList, target: target, as: JobList.self, named: "job list")
    }

    /// Starts a job.
    func start(
        _ operation: Operation, target: String, volume: String, request: some StrictRequest
    ) throws(ClientError) -> JobAccepted {
        guard let service = operation.service else { throw .unreadable("request") }
        return try call(
            service, argument: volume, target: target, request, as: JobAccepted.self,
            named: "job's acceptance")
    }

    /// Follows a job to its end.
    /// - Returns: what became of it.
    func watch(
        _ place: JobPlace, event: (JobEvent) throws(ClientError) -> Void
    ) throws(ClientError) -> JobRecord {
        let record = try call(
            .jobWatch, argument: place.job, target: place.target, as: JobRecord.self,
            named: "job record"
        ) {
            (name, fields) throws(ClientError) in
            if let known = try Self.jobEvent(name, fields) { try event(known) }
        }
        guard record.isOver else { throw .endedEarly }
        return record
    }

    /// Cancels, pauses or resumes a job.
    /// - Returns: the job as it stands then.
    func change(_ place: JobPlace, _ word: WorkerControl) throws(ClientError) -> JobRecord {
        try call(
            word.service, argument: place.job, target: place.target, as: JobRecord.self,
            named: "job record")
    }

    /// Has the jobs on a qube hold until that is released.
    /// - Throws: why they do not, as policy or the service refuses it, or knows no such call.
    func hold(jobsOn qube: QubeName) throws(ClientError) -> QubeHold {
        if interruption.isInterrupted { throw .interrupted }
        let call = ServiceCall(
            service: .jobHold, target: qube.text, payload: try Self.encode(PlainRequest()),
            isMute: true)
        trace(call)
        let hold = try QubeHold(transport.open(call), interruption: interruption)
        try interruption.cancelling({ hold.release() }) { () throws(ClientError) in
            try hold.waitUntilHeld()
        }
        return hold
    }

    /// The job that starts with these digits.
    /// - Parameter qube: the one that it is about; nil where that is not said.
    func resolve(_ prefix: JobPrefix, of qube: QubeName?) throws(ClientError) -> JobPlace {
        let target = qube?.text ?? Self.machine
        if prefix.isWhole { return JobPlace(prefix.digits, on: qube?.text ?? place(of: prefix)) }
        let matches = try jobs(target: target).jobs.filter { $0.job.hasPrefix(prefix.digits) }
        guard let job = matches.first else { throw .noSuchJob(prefix: prefix.digits) }
        guard matches.count == 1 else {
            throw .ambiguousJob(prefix: prefix.digits, matches: matches.count)
        }
        // Both go back in a call, and qrexec would take other bytes in its own way.
        guard JobPrefix(job.job)?.isWhole == true, QubeName(job.target) != nil else {
            throw .unreadable("job list")
        }
        return JobPlace(job.job, on: job.target)
    }

    /// The qube of a job by its whole id, where a list that may be seen has it; else the machine.
    private func place(of job: JobPrefix) -> String {
        guard looksUpJobs, let list = try? jobs(),
            let record = list.jobs.first(where: { $0.job == job.digits }),
            QubeName(record.target) != nil
        else { return Self.machine }
        return record.target
    }

    private func call<Answer: Decodable>(
        _ service: ServiceName, argument: String = "", target: String = machine,
        _ request: some StrictRequest = PlainRequest(), as type: Answer.Type, named name: String,
        event: (String, [Envelope.Field]) throws(ClientError) -> Void = { _, _ in }
    ) throws(ClientError) -> Answer {
        if interruption.isInterrupted { throw .interrupted }
        let call = ServiceCall(
            service: service, argument: argument, target: target,
            payload: try Self.encode(request))
        trace(call)
        let connection = try transport.open(call)
        return try interruption.cancelling({ connection.cancel() }) { () throws(ClientError) in
            var stream = AnswerStream(connection, interruption: interruption)
            let content = try stream.reply(event: event)
            return try Self.decode(type, content, named: name)
        }
    }

    /// Events of a name that this release does not know are passed over.
    private static func jobEvent(
        _ name: String, _ fields: [Envelope.Field]
    ) throws(ClientError) -> JobEvent? {
        guard let known = JobEventName(rawValue: name) else { return nil }
        if known == .heartbeat { return .heartbeat }
        guard let json = fields.first(where: { $0.key == "json" })?.value else {
            throw .unreadable("job event")
        }
        let content = Array(json.utf8)
        switch known {
        case .state: return .state(try decode(JobRecord.self, content, named: "job event"))
        case .progress: return .progress(try decode(JobProgress.self, content, named: "job event"))
        case .heartbeat: return .heartbeat
        }
    }

    private static func decode<Answer: Decodable>(
        _ type: Answer.Type, _ content: [UInt8], named name: String
    ) throws(ClientError) -> Answer {
        do {
            return try JSONDecoder().decode(type, from: Data(content))
        } catch {
            throw .unreadable(name)
        }
    }

    private static func encode(_ request: some Encodable) throws(ClientError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        do {
            return Array(try encoder.encode(request))
        } catch {
            throw .unreadable("request")
        }
    }
}
