// SPDX-License-Identifier: GPL-2.0-or-later
internal import FoundationEssentials
internal import Protocol
internal import SystemCalls

/// What a job was asked to do: kept until it starts, when all of it is looked up again.
struct JobRequest: Sendable {
    let operation: Operation
    let work: WorkerOrder.Work
    let caller: String
    /// By name: a UUID was resolved.
    let target: CallTarget
    /// The UUID of the qube that policy and the caller meant; another one of its name is not it.
    let uuid: String?
    let argument: CallArgument
    /// Go on while the machine runs on battery.
    let onBattery: Bool
    /// Work although metadata is damaged.
    let risksReadOnly: Bool
}

/// A job as a watcher sees it.
struct JobSnapshot: Sendable {
    let record: JobRecord
    /// Grows with each change of state.
    let stateChange: Int
    /// Grows with each progress.
    let progressChange: Int
}

/// All jobs, in memory: those that wait, the one that runs, and history. Every access is one short
/// turn under the lock; no file is touched and no process waited for within it.
final class Jobs: Sendable {
    private struct Entry {
        var record: JobRecord
        var request: JobRequest?
        /// Somebody wants it to end.
        var isCancelled = false
        var stateChange = 0
        var progressChange = 0
        /// The how manieth of all that ran; nil for one that has not been started.
        var turn: Int?
        /// How long it was paused while it ran.
        var paused = Stopwatch()
    }

    private struct State {
        /// Oldest first.
        var entries: [Entry] = []
        /// Ids of those that may run, in the order in which they came.
        var waiting: [String] = []
        /// Jobs started so far.
        var turns = 0
        /// Of the job that runs.
        var worker: WorkerProcess?
        var workersJob: String?
        var isStopping = false
        var isRunnerOver = false

        func entry(_ job: String) -> Entry? { entries.last { $0.record.job == job } }

        /// The place in `waiting` of the job whose turn it is. dom0's come first, in their order;
        /// then each qube in turn, so that none waits for all that another has asked for. A paused
        /// one keeps its place and lets the others by.
        var nextPlace: Int? {
            let ready = waiting.indices.filter { entry(waiting[$0])?.record.state == .queued }
            func lastTurn(_ place: Int) -> Int {
                guard let caller = entry(waiting[place])?.record.caller, caller != Names.machine
                else { return -1 }
                return entries.filter { $0.record.caller == caller }.compactMap(\.turn).max() ?? 0
            }
            // The first of equals.
            return ready.min { lastTurn($0) < lastTurn($1) }
        }

        mutating func change<Result>(_ job: String, _ body: (inout Entry) -> Result) -> Result? {
            guard let index = entries.lastIndex(where: { $0.record.job == job }) else { return nil }
            return body(&entries[index])
        }
    }

    private let bounds: Bounds
    private let state: Monitor<State>

    /// With the history, oldest first.
    init(history: [JobRecord], bounds: Bounds) {
        self.bounds = bounds
        state = Monitor(State(entries: history.map { Entry(record: $0, request: nil) }))
    }

    // MARK: The calls' side

    /// Takes a job in, not yet to be run.
    func reserve(_ record: JobRecord, _ request: JobRequest) throws(Refusal) {
        try state.withLock { state throws(Refusal) in
            guard !state.isStopping else {
                throw Refusal(.busy, "The service is being stopped; try again in a minute.")
            }
            let queued = state.entries.map(\.record)
                .filter { !$0.state.isOver && $0.startedAt == nil }
            try bounds.checkQueue(queued.map(\.caller), adding: record.caller)
            state.entries.append(Entry(record: record, request: request))
        }
    }

    /// Lets a job that was taken in run when its turn comes.
    func enqueue(_ job: String) {
        state.withLock { state in
            if state.entry(job)?.record.state.isOver == false { state.waiting.append(job) }
        }
    }

    /// All jobs, newest first.
    func records() -> [JobRecord] { state.withLock { $0.entries.reversed().map(\.record) } }

    /// One job.
    func record(_ job: String) -> JobRecord? {
        state.withLock { state in state.entry(job)?.record }
    }

    /// Cancels, pauses or resumes a job.
    /// - Returns: the job as it stands now, and whether that is its end.
    func change(
        _ job: String, _ word: WorkerControl
    ) throws(Refusal) -> (record: JobRecord, hasEnded: Bool) {
        let outcome: Result<(JobRecord, Bool), Refusal> = state.withLock { state in
            guard let entry = state.entry(job) else { return .failure(.noSuchJob) }
            guard !entry.record.state.isOver else { return .failure(.jobOver) }
            let isWaiting = entry.record.startedAt == nil
            let worker = state.workersJob == job ? state.worker : nil
            var record = entry.record
            switch word {
            case .cancel where isWaiting:
                record.state = .cancelled
                record.endedAt = Self.now
                state.waiting.removeAll { $0 == job }
            case .cancel:
                worker?.cancel(graceSeconds: bounds.cancelSeconds)
            case .pause:
                record.state = .paused
                worker?.setPaused(true)
            case .resume:
                record.state = isWaiting ? .queued : .running
                worker?.setPaused(false)
            }
            _ = state.change(job) { entry in
                entry.isCancelled = entry.isCancelled || word == .cancel
                if record.state != entry.record.state { entry.stateChange += 1 }
                entry.record = record
                entry.paused.set(isRunning: record.state == .paused && !isWaiting)
            }
            return .success((record, record.state.isOver))
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
            guard let entry = $0.entries.last(where: { $0.record.job == job }) else {
                return .failure(.noSuchJob)
            }
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

    // MARK: The runner's side

    /// Waits for the next job and takes it; nil when the daemon stops.
    func next() -> (record: JobRecord, request: JobRequest)? {
        state.wait { state -> (record: JobRecord, request: JobRequest)?? in
            if state.isStopping { return .some(nil) }
            guard let place = state.nextPlace else { return nil }
            let job = state.waiting.remove(at: place)
            guard let request = state.entry(job)?.request else { return nil }
            state.turns += 1
            let turn = state.turns
            // Here and not later: from now on a worker has to be told, and not the queue.
            let record = state.change(job) { entry in
                entry.record.state = .running
                entry.record.startedAt = Self.now
                entry.stateChange += 1
                entry.turn = turn
                return entry.record
            }
            return record.map { ($0, request) }
        } ?? nil
    }

    /// A new state of a job, for whoever watches.
    func update(_ record: JobRecord) {
        state.withLock { state in
            _ = state.change(record.job) { entry in
                entry.record = record
                entry.stateChange += 1
            }
        }
    }

    /// How far a job is.
    func update(_ job: String, _ progress: JobProgress) {
        state.withLock { state in
            _ = state.change(job) { entry in
                entry.record.progress = progress
                entry.progressChange += 1
            }
        }
    }

    /// The worker of the running job. It learns what was asked for before it was there, and is
    /// told to end at once when the daemon is to stop.
    func setWorker(_ worker: WorkerProcess?, of job: String) {
        let isStopping = state.withLock { state in
            state.worker = worker
            state.workersJob = job
            if state.entry(job)?.record.state == .paused { worker?.setPaused(true) }
            if state.entry(job)?.isCancelled == true {
                worker?.cancel(graceSeconds: bounds.cancelSeconds)
            }
            return state.isStopping
        }
        if isStopping { worker?.cancel(graceSeconds: bounds.graceSeconds) }
    }

    /// Somebody wants this job to end.
    func isCancelled(_ job: String) -> Bool {
        state.withLock { state in state.entry(job)?.isCancelled == true }
    }

    /// This job runs, was paused for longer than it may be, and others wait for it.
    func mustMakeRoom(_ job: String) -> Bool {
        state.withLock { state in
            guard let entry = state.entry(job), state.nextPlace != nil else { return false }
            return entry.record.state == .paused
                && entry.paused.seconds >= bounds.pausedSeconds
        }
    }

    /// Seconds since 1970.
    static var now: Int64 { Int64(Date().timeIntervalSince1970) }

    /// Forgets the oldest jobs that are over, so many that there is room for `more`.
    /// - Returns: their ids.
    func trim(roomFor more: Int) -> [String] {
        let most = max(0, bounds.historyJobs - more)
        return state.withLock { state in
            let over = state.entries.filter { $0.record.state.isOver }.map(\.record.job)
            let old = Array(over.dropLast(most))
            state.entries.removeAll { old.contains($0.record.job) }
            return old
        }
    }

    /// The runner will touch nothing any more.
    func runnerIsOver() { state.withLock { $0.isRunnerOver = true } }

    /// Has the running job's worker end, starts no other, and waits until the end is noted down.
    func stop() {
        let worker = state.withLock { state in
            state.isStopping = true
            return state.worker
        }
        worker?.cancel(graceSeconds: bounds.graceSeconds)
        _ = state.wait(timeoutSeconds: bounds.stopSeconds) { $0.isRunnerOver ? true : nil }
    }
}
