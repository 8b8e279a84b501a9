// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol
internal import Synchronization
internal import SystemCalls
internal import SystemPackage

/// Says to a job's threads whether they may go on: looks around four times a second, and takes the
/// daemon's words at once. A thread that may go on pays for one look at a flag.
final class Governor: JobControl {
    /// What it looks at; nil where this machine has no such thing.
    struct Sensors: Sendable {
        /// Seconds in which others have waited for the disk, ever growing.
        var othersWaitedSeconds: @Sendable () -> Double?
        /// The machine runs on battery.
        var isOnBattery: @Sendable () -> Bool

        /// Nobody else is there.
        static let none = Sensors(othersWaitedSeconds: { nil }, isOnBattery: { false })
    }

    /// What the daemon has said last, and what is looked at.
    private struct State {
        var isPaused = false
        var isCancelled = false
        var isOver = false
        var spaceAdvice: (@Sendable () -> String?)?
        var hasRoom: (@Sendable (ByteCount) -> Bool)?
        var operation: (@Sendable (_ isSuspected: Bool) -> String?)?
        var meanwhile: (@Sendable () -> Void)?
        /// Why nothing of the file system can be asked now.
        var standstill: Standstill?
        /// What the last look has seen.
        var seen = Surroundings()
        var waits = WaitMeter()
        var pace = Pace.full
        var slots = WorkSlots()
        /// Since when the job is held for one reason, in seconds since 1970.
        var heldAt: Int64?
        /// When the gate was closed; nil while it is open.
        var closedAt: Double?
        var closedSeconds = 0.0
    }

    /// A closure by itself would be wrapped once more with every look at it, as the mutex has it in
    /// its general form, until calling it takes all of the stack.
    private struct Starts {
        var isSomebodyStarting: (@Sendable () -> Bool)?
    }

    /// The most that is read ahead in one slot while others need the disk: the kernel takes such
    /// reads in at once and does them later.
    static let hinderedAheadBytes = 2 << 20

    private let sensors: Sensors
    private let mayUseBattery: Bool
    /// nil: the job takes as long as it needs.
    let deadline: Deadline?
    private let report: @Sendable (Pacing) -> Void
    let clock: MachineClock
    private let started: ContinuousClock.Instant
    private let state = Monitor(State())
    private let isOpen = Atomic<Bool>(true)
    private let cancelled = Atomic<Bool>(false)
    private let timeOver = Atomic<Bool>(false)
    private let hindered = Atomic<Bool>(false)
    private let aheadBytes = Atomic<Int>(0)
    /// Apart from the state: it is asked before each of many requests.
    private let starts = Monitor(Starts())

    /// - Parameter report: gets the pacing whenever it is other than it was, and with each look
    ///   while the job does not work at full speed.
    init(
        sensors: Sensors, mayUseBattery: Bool, deadline: Deadline? = nil, clock: MachineClock,
        report: @escaping @Sendable (Pacing) -> Void
    ) {
        self.deadline = deadline
        self.sensors = sensors
        self.mayUseBattery = mayUseBattery
        self.report = report
        self.clock = clock
        started = clock.now()
    }

    /// Starts the thread that looks around.
    func start() throws(Errno) {
        look()
        try WorkThread.start { [self] in
            while self.state.wait(
                timeoutSeconds: WorkSlots.slotSeconds, until: { $0.isOver ? true : nil }) == nil
            {
                look()
                // Last: it may take a while.
                self.state.withLock { $0.meanwhile }?()
            }
        }
    }

    /// No more looks.
    func stop() { state.withLock { $0.isOver = true } }

    /// The daemon's word.
    func obey(_ word: WorkerControl) {
        state.withLock { state in
            switch word {
            case .pause: state.isPaused = true
            case .resume: state.isPaused = false
            case .cancel:
                state.isCancelled = true
                cancelled.store(true, ordering: .releasing)
            }
        }
        look()
    }

    /// From now on the space of this file system counts, and what others do with it.
    /// - Parameters:
    ///   - advice: says why there is too little, or nil.
    ///   - hasRoom: whether trees may grow by so much.
    ///   - operation: what others do with it that no job should be beside, or nil; it is told when
    ///     somebody must have begun something.
    ///   - isSomebodyStarting: somebody may be about to do something of the kind.
    func guardSpace(
        _ advice: @escaping @Sendable () -> String?,
        hasRoom: @escaping @Sendable (ByteCount) -> Bool = { _ in true },
        operation: @escaping @Sendable (_ isSuspected: Bool) -> String? = { _ in nil },
        isSomebodyStarting: @escaping @Sendable () -> Bool = { false }
    ) {
        starts.withLock { $0.isSomebodyStarting = isSomebodyStarting }
        state.withLock {
            $0.spaceAdvice = advice
            $0.hasRoom = hasRoom
            $0.operation = operation
        }
        look()
    }

    /// What is known of the file system from now on: it stands still, or moves again. Whoever says
    /// so is not held by what the other looks wait for.
    func stands(_ standstill: Standstill?) {
        let isNews = state.withLock { state in
            defer { state.standstill = standstill }
            return state.standstill != standstill
        }
        if isNews || standstill != nil { decide(state.withLock { $0.seen }, share: nil) }
    }

    /// From now on this is done with each look, whatever the job's threads do or wait for.
    func meanwhile(_ body: @escaping @Sendable () -> Void) {
        state.withLock { $0.meanwhile = body }
    }

    func hasRoom(forMetadata bytes: ByteCount) -> Bool {
        state.withLock { $0.hasRoom }?(bytes) ?? true
    }

    // MARK: The job's side

    /// Somebody has cancelled it, or its time was over while it was held: it would wait for hours
    /// to finish what it has begun.
    var isCancelled: Bool { cancelled.load(ordering: .acquiring) }

    /// The daemon has said so.
    var wasCancelled: Bool { state.withLock { $0.isCancelled } }

    var isTimeOver: Bool { timeOver.load(ordering: .acquiring) }

    /// Others need the disk: work in small steps.
    var isHindered: Bool { hindered.load(ordering: .relaxed) }

    func checkpoint() throws(BtrfsError) {
        try checkpointOfBegun()
        if isTimeOver { throw .cancellation }
    }

    /// The same for what comes to its end although the time is over: a batch, and the account.
    func checkpointOfBegun() throws(BtrfsError) {
        hold()
        if isCancelled { throw .cancellation }
    }

    /// Waits while the job is to hold; a job that is cancelled never waits.
    func hold() {
        if isOpen.load(ordering: .acquiring) { return }
        _ = state.wait { [self] _ in isOpen.load(ordering: .acquiring) ? true : nil }
    }

    /// Looks around at once, and waits if there is a reason.
    /// - Returns: whether there was one.
    func waitForOthers() -> Bool {
        look(isSuspected: true)
        if isOpen.load(ordering: .acquiring) { return false }
        hold()
        return true
    }

    /// Waits while somebody who may be about to do what no job should be beside has just started,
    /// and while he does it.
    func holdForStarts() {
        while !isCancelled, starts.withLock({ $0.isSomebodyStarting })?() == true {
            // A program's first milliseconds, in which it is not known yet what it will do.
            if !waitForOthers() { Pause.milliseconds(2) }
        }
    }

    /// How much of a range may be read ahead now, in bytes.
    func readAheadBytes(_ wanted: UInt64) -> UInt64 {
        guard isHindered else { return wanted }
        let before = aheadBytes.wrappingAdd(Int(clamping: wanted), ordering: .relaxed).oldValue
        return min(wanted, UInt64(max(0, Self.hinderedAheadBytes - before)))
    }

    // MARK: Looking

    private var nowSeconds: Double { (clock.now() - started).inSeconds }

    /// Looks around, decides, and opens or closes the gate.
    private func look(isSuspected: Bool = false) {
        // Files are read before the lock is taken.
        let waited = sensors.othersWaitedSeconds()
        var seen = Surroundings()
        seen.isOnBattery = !mayUseBattery && sensors.isOnBattery()
        // What is asked of one that stands still may not be answered.
        if state.withLock({ $0.standstill }) == nil {
            seen.spaceAdvice = state.withLock { $0.spaceAdvice }?()
            seen.operation = state.withLock { $0.operation }?(isSuspected)
        }
        let now = nowSeconds
        let share = state.withLock { state in
            waited.map { state.waits.add($0, nowSeconds: now) }
        }
        decide(seen, share: share)
    }

    /// - Parameter share: what others have waited; nil leaves what the last look has seen.
    private func decide(_ look: Surroundings, share: Double?) {
        let isTimeOver = deadline.map { $0.secondsLeft <= 0 } ?? false
        let now = nowSeconds
        let (pacing, isNews) = state.withLock { state in
            var seen = look
            seen.isPaused = state.isPaused
            seen.standstill = state.standstill
            seen.othersWaitShare = share ?? look.othersWaitShare
            state.seen = seen
            let pace = Pace.decide(seen, after: state.pace)
            let isNews = pace.state != state.pace.state || pace.reason != state.pace.reason
            if isNews { state.heldAt = pace.state == .held ? clock.epochSeconds() : nil }
            state.pace = pace
            if isTimeOver { end(held: pace.state == .held && pace.reason != .disk) }
            set(&state, isOpen: state.slots.update(pace, nowSeconds: now), nowSeconds: now)
            let closed = state.closedSeconds + (state.closedAt.map { now - $0 } ?? 0)
            let pacing = Pacing(
                state: pace.state, reason: pace.reason,
                heldShare: now > 0 ? min(1, max(0, closed / now)) : 0,
                othersWaitShare: seen.othersWaitShare, advice: seen.advice(pace.reason),
                heldAt: state.heldAt)
            return (pacing, isNews)
        }
        if isNews || pacing.state != .full { report(pacing) }
    }

    /// The time is over. While others need the disk the job has its turns, and finishes in these;
    /// what holds it otherwise may last.
    private func end(held: Bool) {
        timeOver.store(true, ordering: .releasing)
        if held { cancelled.store(true, ordering: .releasing) }
    }

    private func set(_ state: inout State, isOpen shall: Bool, nowSeconds: Double) {
        let opens = shall || isCancelled
        hindered.store(state.pace.reason == .disk && !isCancelled, ordering: .relaxed)
        if opens {
            if let closedAt = state.closedAt { state.closedSeconds += nowSeconds - closedAt }
            if state.closedAt != nil { aheadBytes.store(0, ordering: .relaxed) }
            state.closedAt = nil
        } else if state.closedAt == nil {
            state.closedAt = nowSeconds
        }
        isOpen.store(opens, ordering: .releasing)
    }
}

/// The part of the last second that others waited. Pure.
struct WaitMeter: Sendable {
    /// How far it looks back.
    static let windowSeconds = 1.0

    private var samples: [(at: Double, waited: Double)] = []

    /// Takes what others have waited in all, now.
    mutating func add(_ waitedSeconds: Double, nowSeconds: Double) -> Double {
        samples.append((nowSeconds, waitedSeconds))
        while samples.count > 2, samples[1].at <= nowSeconds - Self.windowSeconds {
            samples.removeFirst()
        }
        guard let first = samples.first, nowSeconds > first.at else { return 0 }
        // A group that is gone takes its waiting with it.
        let share = (waitedSeconds - first.waited) / (nowSeconds - first.at)
        return min(1, max(0, share))
    }
}

extension Duration {
    var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
