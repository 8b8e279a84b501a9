// SPDX-License-Identifier: GPL-2.0-or-later
internal import FoundationEssentials
internal import Protocol
internal import Qubes
internal import SystemCalls
internal import SystemPackage

/// Runs jobs, and keeps history. One works at a time in all, and so on every pool; see `JobTurns`.
struct JobRunner: Sendable {
    let jobs: Jobs
    let store: JobStore
    let qubes: QubesState
    let workers: WorkerProgram
    let audit: AuditLog
    let bounds: Bounds
    /// Called when a job has ended, or may have changed what accounts say.
    let onEnd: @Sendable () -> Void
    private let keeping = Monitor(())

    init(
        jobs: Jobs, store: JobStore, qubes: QubesState, workers: WorkerProgram, audit: AuditLog,
        bounds: Bounds, onEnd: @escaping @Sendable () -> Void
    ) {
        self.jobs = jobs
        self.store = store
        self.qubes = qubes
        self.workers = workers
        self.audit = audit
        self.bounds = bounds
        self.onEnd = onEnd
    }

    /// Reads the history. Jobs that were waiting or running when the daemon ended are interrupted;
    /// those that its orderly end has interrupted go on, see `goOn`.
    static func history(
        _ store: JobStore, audit: AuditLog, clock: MachineClock
    ) throws(JobStore.Failure) -> [JobRecord] {
        let history = try store.load()
        for stray in history.strays {
            audit.trouble("a file in the jobs' directory is no job and is left alone: \(stray)")
        }
        if history.newer > 0 {
            audit.trouble("jobs of a later release are kept for it, unread: \(history.newer)")
        }
        return history.jobs.map { record in
            guard !record.isOver else { return record }
            var record = record
            record.state = .interrupted
            record.endedAt = clock.epochSeconds()
            record.error = Self.daemonEnded
            Self.keep(record, store, audit)
            Self.writeEnd(record, detail: "", audit)
            return record
        }
    }

    /// Starts the thread that runs jobs.
    func start() throws(Errno) {
        drop(jobs.trim())
        try WorkThread.start { [self] in
            while let (record, request) = jobs.next() {
                do throws(Errno) {
                    try WorkThread.start { [self] in run(record, request) }
                } catch {
                    // Nothing else can be started meanwhile, but this is.
                    run(record, request)
                }
            }
            jobs.runnerIsOver()
        }
    }

    /// Takes a job in: it is on disk before it may run, so that no record overtakes its successor.
    /// It runs once it is given to `jobs.enqueue`.
    /// - Parameter continues: the id of the interrupted job that goes on with it.
    /// - Returns: its id.
    func submit(
        _ request: JobRequest, targetName: String, continues: String? = nil
    ) throws(Refusal) -> String {
        var record = JobRecord(
            job: JobID.random().text, operation: request.operation, caller: request.caller,
            target: targetName, argument: request.argument.text,
            exclude: request.excluded.isEmpty ? nil : request.excluded.sorted(),
            submittedAt: jobs.now)
        record.continues = continues
        try jobs.reserve(record, request)
        keepWaiting(record)
        return record.job
    }

    /// Cancels, pauses or resumes a job. One that waits is over at once; a worker acts within a
    /// second, and its job is over when it has measured what it brought. A pause is not written
    /// down until the daemon ends.
    /// - Parameter accepted: called when the job can be changed, before anything of it is noted.
    /// - Returns: the job as it stands now.
    func change(
        _ job: String, _ word: WorkerControl, accepted: () -> Void
    ) throws(Refusal) -> JobRecord {
        let (record, hasEnded) = try jobs.change(job, word)
        accepted()
        if hasEnded {
            drop(jobs.trim())
            keepWaiting(record)
            Self.writeEnd(record, detail: "", audit)
        }
        return record
    }

    /// Writes a record of a job that no runner has taken yet. It may be cancelled while it is taken
    /// in: the end must not be overwritten by the beginning.
    private func keepWaiting(_ record: JobRecord) {
        keeping.withLock { _ in
            let isOutdated = !record.isOver && !jobs.isWaiting(record.job)
            if !isOutdated { Self.keep(record, store, audit) }
        }
    }

    private func run(_ started: JobRecord, _ request: JobRequest) {
        var record = started
        Self.keep(record, store, audit)
        Self.write(.jobStart, record, outcome: record.state.rawValue, detail: "", audit)
        let ending = work(record.job, request)
        record.progress = jobs.progress(of: record.job)
        let detail = Self.finish(&record, ending, at: jobs.now)
        // Who is told that it is over finds it noted down.
        drop(jobs.trim(ending: record.job))
        Self.keep(record, store, audit)
        Self.writeEnd(record, detail: detail, audit)
        onEnd()
        jobs.finish(record)
    }

    /// Looks everything up again, for the job may have waited for hours, and runs a worker.
    private func work(_ job: String, _ request: JobRequest) -> Ending {
        do throws(Refusal) {
            let target = try qubes.target(request.target, for: request.caller)
            guard target.qube?.uuid == request.uuid else { throw .noSuchQube }
            var (order, problems) = try request.orders(target).order(
                request.work, onBattery: request.onBattery, risksReadOnly: request.risksReadOnly
            )
            if jobs.isCancelled(job) { return .cancelled(nil, detail: "") }
            order.forSeconds = request.secondsLeft(at: jobs.clock.now())
            if let left = order.forSeconds, left < TimeLimit.seconds.lowerBound {
                return .cancelled(nil, error: Self.tooLate, detail: "")
            }
            let worker = try workers.start(order)
            let touched = order.touchedQubes
            jobs.setWorker(worker, of: job, on: touched)
            defer { jobs.setWorker(nil, of: job, on: touched) }
            let oversight = JobOversight(request, order, qubes: qubes)
            oversee(job, worker, oversight)
            let ending = worker.finish(lineBytes: Limits.eventBytes) {
                jobs.update(job, $0.bounded())
            }
            // What it had finished before stays done, and what was half moved went back.
            let objection = oversight.end()
            if case .refused(let refusal) = objection { throw refusal }
            switch ending {
            case .interrupted(let detail) where jobs.isCancelled(job):
                return .cancelled(nil, error: Self.notMeasured, detail: detail)
            case .cancelled where !jobs.isCancelled(job):
                return .interrupted(
                    error: objection == nil ? Self.daemonEnded : Self.madeRoom, detail: "")
            default: break
            }
            let earlier = jobs.records(for: target.caller)
            return Ending(ending, problems, request.estimate(in: earlier, before: job))
        } catch {
            return .failed(message: error.exception.message, detail: error.detail ?? "")
        }
    }

    private func oversee(_ job: String, _ worker: WorkerProcess, _ oversight: JobOversight) {
        do throws(Errno) {
            try oversight.start(everySeconds: bounds.standingSeconds) { [jobs] in
                jobs.mustMakeRoom(job)
            } stop: { [bounds] in
                worker.cancel(graceSeconds: bounds.graceSeconds)
            }
        } catch {
            // A job that nobody looks after may not go on.
            audit.trouble("a job cannot be looked after: \(error)")
            worker.cancel(graceSeconds: bounds.graceSeconds)
        }
    }

    private enum Ending {
        case done(JobResult)
        case failed(message: String, detail: String)
        case interrupted(error: String = JobRunner.workerEnded, detail: String)
        /// With what was measured; nil when there was no worker to measure it, or none any more.
        case cancelled(JobResult?, error: String? = nil, detail: String)

        init(
            _ ending: WorkerEnding, _ problems: [Report.Problem], _ estimated: EstimatedBefore?
        ) {
            switch ending {
            case .result(var result):
                result.problems = problems + result.problems
                result.estimatedBefore = estimated
                self = .done(result.bounded())
            case .cancelled(var result):
                result.problems = problems + result.problems
                self = .cancelled(result.bounded(), detail: "")
            case .failure(_, let message, let detail):
                self = .failed(message: message.bounded(), detail: detail)
            case .interrupted(let detail):
                self = .interrupted(detail: detail)
            case .malformed(let detail):
                self = .failed(message: JobRunner.badWorker, detail: detail)
            case .report, .check, .newData:
                self = .failed(message: JobRunner.badWorker, detail: "it gave a report")
            }
        }
    }

    /// Notes an ending down.
    /// - Returns: what dom0's log says besides.
    private static func finish(
        _ record: inout JobRecord, _ ending: Ending, at now: Int64
    ) -> String {
        record.endedAt = now
        switch ending {
        case .done(let result):
            record.state = .done
            record.result = result
            return ""
        case .failed(let message, let detail):
            record.state = .failed
            record.error = message
            return detail
        case .interrupted(let error, let detail):
            record.state = .interrupted
            record.error = error
            return detail
        case .cancelled(let result, let error, let detail):
            record.state = .cancelled
            record.result = result
            record.error = error
            return detail
        }
    }

    private static let badWorker = "The job's worker failed. \(Refusal.seeLog)"
    // That what was finished stays done is so for each of them: whoever shows a state says it.
    private static let workerEnded = "The job's worker ended before its work did."
    private static let notMeasured = "Its worker ended before it had measured what it brought."
    private static let tooLate = "Its time was over before its turn came; nothing was begun."
    private static let madeRoom =
        "It was paused for too long while other jobs waited for it; start it again."
    static let daemonEnded = "The service ended before the job did."

    // MARK: History and audit

    /// Writes a record down. A full disk must not stop a job that may give space back.
    private static func keep(_ record: JobRecord, _ store: JobStore, _ audit: AuditLog) {
        do throws(JobStore.Failure) {
            try store.write(record)
        } catch {
            audit.trouble("a job's record could not be written: \(error)")
        }
    }

    /// Writes a record of a job that is over.
    func write(_ record: JobRecord) { Self.keep(record, store, audit) }

    private func drop(_ old: [String]) {
        for job in old {
            do throws(JobStore.Failure) {
                try store.remove(job)
            } catch {
                audit.trouble("an old job's record could not be removed: \(error)")
            }
        }
    }

    private static func writeEnd(_ record: JobRecord, detail: String, _ audit: AuditLog) {
        write(.jobEnd, record, outcome: record.state.rawValue, detail: detail, audit)
    }

    private static func write(
        _ event: AuditEvent, _ record: JobRecord, outcome: String, detail: String,
        _ audit: AuditLog
    ) {
        var line = AuditRecord(event)
        line.caller = record.caller
        line.service = record.operation.service?.rawValue ?? record.operation.rawValue
        line.argument = record.argument
        line.target = record.target
        line.job = record.job
        line.outcome = outcome
        // What changes nothing saves nothing: what it says meanwhile is what others did.
        line.savedBytes = record.operation.changesNothing ? nil : record.result?.savedBytes
        line.detail = detail
        audit.write(line)
    }
}
