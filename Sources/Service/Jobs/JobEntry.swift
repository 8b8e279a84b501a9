// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol

/// What a job was asked to do: kept until it starts, when all of it is looked up again.
struct JobRequest: Sendable {
    let operation: Operation
    let work: WorkerOrder.Work
    /// The name of who asks.
    let caller: String
    /// By name: a UUID was resolved.
    let target: CallTarget
    /// The UUID of the qube that policy and the caller meant; another one of its name is not it.
    let uuid: String?
    let argument: CallArgument
    /// Names of qubes that are left out.
    let excluded: Set<String>
    /// Go on while the machine runs on battery.
    let onBattery: Bool
    /// Work although metadata is damaged.
    let risksReadOnly: Bool
    /// How long it may work; nil is as long as it needs.
    var time: TimeLimit?
    /// When it was asked for, by a clock that counts sleep.
    var askedAt: ContinuousClock.Instant

    /// The seconds that are left to it if it begins now; nil without a limit.
    func secondsLeft(at now: ContinuousClock.Instant) -> Int? {
        guard let time else { return nil }
        let waited = time.waitCounts ? (now - askedAt).components.seconds : 0
        return time.forSeconds - Int(clamping: waited)
    }
}

extension JobRequest {
    /// What a worker is ordered, by its target as it stands now.
    func orders(_ target: Target) throws(Refusal) -> OrderMaker {
        try OrderMaker(target, argument, excluding: excluded)
    }
}

/// A job as a watcher sees it.
struct JobSnapshot: Sendable {
    let record: JobRecord
    /// Grows with each change of state.
    let stateChange: Int
    /// Grows with each progress.
    let progressChange: Int
}

/// One job in memory: its record, and what only the daemon needs to know of it.
struct JobEntry: Sendable {
    /// Where it is.
    enum Phase: Sendable {
        /// In the queue. It may be started once it is ready: noted down, and in the log.
        case waiting(JobRequest, isReady: Bool)
        /// A worker is at it, or is being started.
        case running(RunningJob)
        /// Nothing will happen to it any more.
        case over
    }

    var record: JobRecord
    var phase: Phase
    var stateChange = 0
    var progressChange = 0
    /// The how manieth of all that ran; nil for one that has not been started.
    var turn: Int?

    /// What was asked, as long as it is in the queue.
    var waiting: (request: JobRequest, isReady: Bool)? {
        if case .waiting(let request, let isReady) = phase { (request, isReady) } else { nil }
    }

    /// What runs of it.
    var running: RunningJob? {
        get { if case .running(let running) = phase { running } else { nil } }
        set { if let newValue { phase = .running(newValue) } }
    }
}

/// A job that has its worker.
struct RunningJob: Sendable {
    /// What was asked.
    var request: JobRequest?
    /// Nil until it is started, and again when it has ended.
    var worker: WorkerProcess?
    /// Somebody wants it to end.
    var isCancelled = false
    /// Its worker holds because a job that goes before it is at work.
    var isSetAside = false
    /// How long somebody has had it paused.
    var paused = Stopwatch()
    /// The qubes that its worker may touch, by its order; none before it has one.
    var qubes: Set<String> = []
    /// The qube for which its worker holds, as somebody is at work inside of it.
    var heldFor: String?
    /// How long it was held for qubes, in all.
    var held = Stopwatch()
}

extension JobEntry {
    /// Its worker does nothing, and will not until something else changes: somebody paused it, a
    /// qube of its is being trimmed, it waits for mains or for room, or its file system stands
    /// still. Nobody has to wait for it.
    var isHeld: Bool {
        if running != nil, standsStill { return true }
        guard let running, !running.isCancelled else { return false }
        if record.state == .paused || running.heldFor != nil { return true }
        guard let pacing = record.progress?.pacing, pacing.state == .held else { return false }
        return pacing.reason == .battery || pacing.reason == .space
    }

    /// Its worker can do nothing, not even end.
    private var standsStill: Bool {
        record.progress?.pacing?.state == .held && record.progress?.pacing?.reason == .standstill
    }

    /// It waits for mains: whatever else waits for mains need not be started.
    var waitsForMains: Bool { isHeld && record.progress?.pacing?.reason == .battery }

    /// It was asked for by dom0.
    var isOfDom0: Bool { record.caller == QubeName.machine }

    /// Tells its worker whether to hold.
    func tellWorker() {
        guard let running else { return }
        running.worker?.setPaused(
            record.state == .paused || running.isSetAside || running.heldFor != nil)
    }

    /// What its worker tells, with the reason for which it holds: it knows that it is to, and not
    /// why.
    func explained(_ progress: JobProgress) -> JobProgress {
        var progress = progress
        progress.pacing?.qube = nil
        guard let running, record.state != .paused, progress.pacing?.reason == .pause else {
            return progress
        }
        if let qube = running.heldFor {
            progress.pacing?.reason = .trim
            progress.pacing?.qube = qube
        } else if running.isSetAside {
            progress.pacing?.reason = .turn
        }
        return progress
    }
}
