// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import SystemCalls

/// All jobs, in memory. Every access is one short turn under the lock; no file is touched and no
/// process waited for within it.
final class Jobs: Sendable {
    private struct State {
        var archive: JobArchive
        /// Jobs started so far.
        var turns = 0
        var submissions: RateLimit
        var isStopping = false
        var isRunnerOver = false

        /// Nothing of ours touches anything any more.
        var isOver: Bool { isRunnerOver && archive.entries.allSatisfy { $0.running == nil } }

        /// Whether a caller may ask for one more job now.
        mutating func checkPlace(of caller: String, _ bounds: Bounds) throws(Refusal) {
            let queued = archive.entries.filter { $0.waiting != nil }.map(\.record)
            try bounds.checkQueue(queued.map(\.caller), adding: caller)
            if caller != QubeName.machine, !submissions.take(caller) {
                throw Refusal(
                    .busy, "This qube has asked for too many jobs; try again in a minute.")
            }
        }
    }

    private let bounds: Bounds
    let clock: MachineClock
    private let state: Monitor<State>

    /// With the history, oldest first.
    init(history: [JobRecord], bounds: Bounds, clock: MachineClock) {
        self.bounds = bounds
        self.clock = clock
        state = Monitor(
            State(
                archive: JobArchive(history: history),
                submissions: RateLimit(
                    burst: bounds.submissions, perSecond: bounds.submissionsPerSecond,
                    clock: clock)))
    }

    /// Seconds since 1970.
    var now: Int64 { clock.epochSeconds() }

    // MARK: The calls' side

    /// Takes a job in, not yet to be run.
    func reserve(_ record: JobRecord, _ request: JobRequest) throws(Refusal) {
        try state.withLock { state throws(Refusal) in
            guard !state.isStopping else {
                throw Refusal(.busy, "The service is being stopped; try again in a minute.")
            }
            // What goes on had its place when it was asked for.
            if record.continues == nil { try state.checkPlace(of: record.caller, bounds) }
            state.archive.append(
                JobEntry(record: record, phase: .waiting(request, isReady: false)))
        }
    }

    /// Lets a job that was taken in run when its turn comes.
    func enqueue(_ job: String) {
        state.withLock { state in
            guard let (request, _) = state.archive[job]?.waiting else { return }
            state.archive[job]?.phase = .waiting(request, isReady: true)
        }
    }

    /// The jobs that a caller may know of, newest first.
    func records(for caller: Caller) -> [JobRecord] {
        state.withLock { $0.archive.records(for: caller) }
    }

    /// One job, if the caller may know of it.
    func record(_ job: String, for caller: Caller) -> JobRecord? {
        state.withLock { $0.archive[job]?.record }.flatMap { caller.sees($0) ? $0 : nil }
    }

    /// Cancels, pauses or resumes a job.
    /// - Returns: the job as it stands now, and whether that is its end.
    func change(
        _ job: String, _ word: WorkerControl
    ) throws(Refusal) -> (record: JobRecord, hasEnded: Bool) {
        let outcome: Result<(JobRecord, Bool), Refusal> = state.withLock { state in
            guard var entry = state.archive[job] else { return .failure(.noSuchJob) }
            guard !entry.record.isOver else { return .failure(.jobOver) }
            let before = entry.record.state
            switch entry.phase {
            case .waiting:
                switch word {
                case .cancel:
                    entry.record.state = .cancelled
                    entry.record.endedAt = clock.epochSeconds()
                    entry.phase = .over
                case .pause: entry.record.state = .paused
                case .resume: entry.record.state = .queued
                }
            case .running(var running):
                switch word {
                case .cancel:
                    if !running.isCancelled { entry.stateChange += 1 }
                    running.isCancelled = true
                    entry.record.cancelling = true
                    running.worker?.cancel(graceSeconds: bounds.cancelSeconds)
                case .pause: entry.record.state = .paused
                case .resume: entry.record.state = .running
                }
                running.paused.set(
                    isRunning: entry.record.state == .paused, at: clock.now())
                entry.phase = .running(running)
            case .over: return .failure(.jobOver)
            }
            if entry.record.state != before { entry.stateChange += 1 }
            state.archive[job] = entry
            shareTurns(&state)
            return .success((entry.record, entry.record.isOver))
        }
        return try outcome.get()
    }

    /// Waits for a job to be other than last seen.
    /// - Returns: nil when the time went by without a change.
    /// - Throws: when the job is not there any more.
    func change(
        of job: String, after seen: JobSnapshot?, timeoutSeconds: Double
    ) throws(Refusal) -> JobSnapshot? {
        let found: Result<JobSnapshot, Refusal>? = state.wait(timeoutSeconds: timeoutSeconds) {
            guard let entry = $0.archive[job] else { return .failure(.noSuchJob) }
            if let seen, seen.stateChange == entry.stateChange,
                seen.progressChange == entry.progressChange
            {
                return nil
            }
            return .success(
                JobSnapshot(
                    record: entry.record, stateChange: entry.stateChange,
                    progressChange: entry.progressChange))
        }
        return try found?.get()
    }

    /// No job waits or runs.
    var isIdle: Bool {
        state.withLock { $0.archive.entries.allSatisfy { $0.waiting == nil && $0.running == nil } }
    }

    // MARK: Holds

    /// Has the jobs on a qube hold, those that begin from now on among them, until it is released
    /// or has lasted as long as it may.
    func hold(_ qube: String, for caller: String) throws(Refusal) -> JobHolds.Number {
        try state.withLock { state throws(Refusal) in
            let hold = try state.archive.holds.add(
                qube, for: caller, bounds, at: clock.now())
            shareTurns(&state)
            return hold
        }
    }

    /// To be done after each change.
    private func shareTurns(_ state: inout State) {
        state.archive.shareTurns(bounds, at: clock.now())
    }

    /// Looks whether a hold still counts, and lets jobs go on that were held for long enough.
    func keeps(_ hold: JobHolds.Number) -> Bool {
        state.withLock { state in
            shareTurns(&state)
            return !state.isStopping && state.archive.holds.has(hold, at: clock.now())
        }
    }

    /// A hold is over.
    func release(_ hold: JobHolds.Number) {
        state.withLock { state in
            state.archive.holds.remove(hold)
            shareTurns(&state)
        }
    }

    // MARK: The runner's side

    /// Waits for the next job and takes it; nil when the daemon stops.
    func next() -> (record: JobRecord, request: JobRequest)? {
        state.wait { [self] state -> (record: JobRecord, request: JobRequest)?? in
            if state.isStopping { return .some(nil) }
            guard let job = state.archive.next(bounds), var entry = state.archive[job],
                let (request, _) = entry.waiting
            else { return nil }
            state.turns += 1
            // Here and not later: from now on a worker has to be told, and not the queue.
            entry.phase = .running(RunningJob(request: request))
            entry.turn = state.turns
            entry.record.state = .running
            entry.record.startedAt = clock.epochSeconds()
            entry.stateChange += 1
            state.archive[job] = entry
            shareTurns(&state)
            return .some((entry.record, request))
        } ?? nil
    }

    /// How far a job is.
    func update(_ job: String, _ progress: JobProgress) {
        state.withLock { state in
            guard var entry = state.archive[job] else { return }
            entry.record.progress = entry.explained(progress)
            entry.progressChange += 1
            state.archive[job] = entry
            shareTurns(&state)
        }
    }

    /// How far a job has come.
    func progress(of job: String) -> JobProgress? {
        state.withLock { $0.archive[job]?.record.progress }
    }

    /// A job has its worker now; a word that was said before is passed on.
    /// - Parameter qubes: those that the worker may touch.
    func setWorker(_ worker: WorkerProcess?, of job: String, on qubes: Set<String>) {
        state.withLock { state in
            guard var entry = state.archive[job], var running = entry.running else { return }
            running.worker = worker
            running.qubes = qubes
            entry.running = running
            state.archive[job] = entry
            shareTurns(&state)
            if running.isCancelled { worker?.cancel(graceSeconds: bounds.cancelSeconds) }
            if state.isStopping { worker?.cancel(graceSeconds: bounds.graceSeconds) }
        }
    }

    /// A job is over, and noted down.
    func finish(_ record: JobRecord) {
        state.withLock { state in
            guard var entry = state.archive[record.job] else { return }
            entry.record = record
            entry.phase = .over
            entry.stateChange += 1
            state.archive[record.job] = entry
            shareTurns(&state)
        }
    }

    /// Somebody wants this job to end.
    func isCancelled(_ job: String) -> Bool {
        state.withLock { $0.archive[job]?.running?.isCancelled == true }
    }

    /// A job that is not over any more is no longer to be noted down as one that waits.
    func isWaiting(_ job: String) -> Bool { state.withLock { $0.archive[job]?.waiting != nil } }

    /// This job runs, was paused for longer than it may be, and others wait for its place.
    func mustMakeRoom(_ job: String) -> Bool {
        let now = clock.now()
        return state.withLock { $0.archive.mustMakeRoom(job, bounds, at: now) }
    }

    /// Forgets what is beyond what is kept.
    /// - Parameter ending: a job that is about to be over.
    /// - Returns: the ids of those that are gone.
    func trim(ending: String? = nil) -> [String] {
        state.withLock { $0.archive.trim(bounds, ending: ending) }
    }

    /// The runner starts nothing any more.
    func runnerIsOver() { state.withLock { $0.isRunnerOver = true } }

    /// Takes and starts no job any more.
    /// - Returns: those that wait or run and that nobody wants to end, but for those that have gone
    ///   on once already.
    func beginStop() -> [(record: JobRecord, request: JobRequest)] {
        state.withLock { state in
            state.isStopping = true
            return state.archive.entries.compactMap { entry in
                guard entry.record.continues == nil, entry.running?.isCancelled != true,
                    let request = entry.waiting?.request ?? entry.running?.request
                else { return nil }
                return (entry.record, request)
            }
        }
    }

    /// Has the running jobs' workers end, starts no other, and waits until their ends are noted
    /// down.
    func stop() {
        let workers = state.withLock { state in
            state.isStopping = true
            return state.archive.entries.compactMap { $0.running?.worker }
        }
        for worker in workers { worker.cancel(graceSeconds: bounds.graceSeconds) }
        _ = state.wait(timeoutSeconds: bounds.stopSeconds) { $0.isOver ? true : nil }
    }
}
