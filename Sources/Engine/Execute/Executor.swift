// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs
internal import Synchronization
internal import SystemCalls

/// Carries out a plan: several lanes, each with a scratch file, take batches in order.
public struct Executor: Sendable {
    /// What a lane needs for itself.
    public struct LaneParts: Sendable {
        /// An empty, nameless file.
        public let scratch: any ScratchFile
        /// For this lane alone.
        public let encoder: any FrameEncoder
        /// For this lane alone; nil where nothing is noted.
        public let journal: (any MoveJournal)?

        /// Makes parts.
        public init(
            scratch: any ScratchFile, encoder: any FrameEncoder,
            journal: (any MoveJournal)? = nil
        ) {
            self.scratch = scratch
            self.encoder = encoder
            self.journal = journal
        }
    }

    private let store: any ExtentStore
    private let roles: any LiveRoles
    private let limits: ExecutionLimits
    private let lanes: [LaneParts]
    private let control: any JobControl
    private let survey: Survey
    private let zeroes: ZeroFile?
    private let now: @Sendable () -> ContinuousClock.Instant

    /// With as many lanes as there are parts for; at least one.
    /// - Parameters:
    ///   - survey: what the plan was made from; it says what to read ahead.
    ///   - zeroes: where holes are taken from; without it none are made.
    ///   - now: what the time is.
    public init(
        store: any ExtentStore, roles: any LiveRoles, survey: Survey, lanes: [LaneParts],
        zeroes: ZeroFile? = nil,
        limits: ExecutionLimits = ExecutionLimits(), control: any JobControl = Unhindered(),
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.now = now
        self.store = store
        self.roles = roles
        self.lanes = lanes
        self.limits = limits
        self.control = control
        self.survey = survey
        self.zeroes = zeroes
    }

    /// Carries out the replacements, and commits at the end.
    ///
    /// What was finished stays done whatever happens; an error or a death in between leaves every
    /// file as it was, in content and in name. A job that is cancelled, or whose time is over,
    /// gives the outcome so far, with what is left.
    /// - Parameters:
    ///   - order: which batches come first.
    ///   - progress: called after each batch, from any lane, with the disk bytes of the extents
    ///     gone through so far and what came back.
    public func run(
        _ replacements: [Replacement], order: BatchOrder = .asPlanned,
        progress: @escaping @Sendable (_ done: ByteCount, _ saved: ByteCount) -> Void
    ) throws(BtrfsError) -> ExecutionOutcome {
        let context = LaneContext(
            store: store, roles: roles, limits: limits, control: control, zeroes: zeroes,
            newestGeneration: survey.generation, now: now)
        let scout = Scout(context: context, survey: survey)
        defer { scout.letGoOfAll() }
        let batches = batches(replacements, order)
        var result = try pass(batches, context, scout, isLast: false, progress: progress)
        if !result.postponed.isEmpty {
            // One that is to end goes through none of them, and counts them as left.
            let before = result.outcome.saved
            let postponed = Batches.make(result.postponed, contentLimit: limits.batchContent)
            let last = try pass(postponed, context, scout, isLast: true) { _, saved in
                progress(.zero, before + saved)
            }
            result.outcome.add(last.outcome)
            result.left.add(last.left)
        }
        result.outcome.left = result.left
        try store.synchronize()
        return result.outcome
    }

    private func batches(
        _ replacements: [Replacement], _ order: BatchOrder
    ) -> [ArraySlice<Replacement>] {
        let planned = Batches.make(replacements, contentLimit: limits.batchContent)
        switch order {
        case .asPlanned: return planned
        case .largestSavingFirst:
            let needs = PackedKeepers(planned, survey)?.needs(of: planned)
            return Batches.largestSavingFirst(planned, needs: needs ?? [])
        }
    }

    /// Goes through batches once, with all lanes; the last pass with one. A keeper was lost
    /// then, and good copies stand in for it that nobody has counted (`PageUses`): what one lane
    /// takes from them another would let go of. And a disk that fails is not to be hurried.
    private func pass(
        _ batches: [ArraySlice<Replacement>], _ context: LaneContext, _ scout: Scout, isLast: Bool,
        progress: @escaping @Sendable (_ done: ByteCount, _ saved: ByteCount) -> Void
    ) throws(BtrfsError) -> BatchResult {
        context.pageUses.expect(batches)
        let shared = Monitor(Shared())
        let lanes = isLast ? Array(lanes.prefix(1)) : lanes
        try concurrently(count: lanes.count, threads: lanes.count) {
            [lanes, control] (index) throws(BtrfsError) in
            let lane = Lane(context: context, parts: lanes[index], isLastPass: isLast)
            while !control.isCancelled, !control.isTimeOver,
                let (batch, coming) = shared.withLock({ shared in
                    let taken = shared.take(batches, ahead: lanes.count)
                    taken?.coming.forEach { scout.begin($0) }
                    return taken
                })
            {
                defer { scout.letGo(of: batch) }
                do throws(BtrfsError) {
                    for batch in coming { scout.look(at: batch) }
                    let result = try lane.run(batch)
                    try finish(batch, result, shared, progress)
                } catch {
                    shared.withLock { $0.isStopped = true }
                    throw error
                }
            }
        }
        return shared.withLock { shared in
            shared.result.left.add(Remainder(batches[shared.next...].joined()))
            return shared.result
        }
    }

    private struct Shared {
        var next = 0
        var isStopped = false
        var result = BatchResult()
        var done = ByteCount.zero
        var writtenSinceCommit = ByteCount.zero

        /// The next batch, and what to read ahead: the one that will be taken `ahead` later, and
        /// this one itself where nobody was there to read it ahead.
        mutating func take(
            _ batches: [ArraySlice<Replacement>], ahead: Int
        ) -> (batch: [Replacement], coming: [[Replacement]])? {
            guard !isStopped, next < batches.count else { return nil }
            defer { next += 1 }
            let coming = (next < ahead ? [next] : []) + [next + ahead]
            return (
                Array(batches[next]),
                coming.filter(batches.indices.contains).map { Array(batches[$0]) }
            )
        }
    }

    private func finish(
        _ batch: [Replacement], _ result: BatchResult, _ shared: Monitor<Shared>,
        _ progress: (ByteCount, ByteCount) -> Void
    ) throws(BtrfsError) {
        let (done, saved, isCommitDue) = shared.withLock { state in
            state.result.outcome.add(result.outcome)
            state.result.postponed += result.postponed
            state.result.left.add(result.left)
            let whole = Remainder(batch).disk
            state.done += whole - min(result.left.disk, whole)
            state.writtenSinceCommit += result.outcome.written
            let isCommitDue = state.writtenSinceCommit >= limits.commitEvery
            if isCommitDue { state.writtenSinceCommit = .zero }
            return (state.done, state.result.outcome.saved, isCommitDue)
        }
        progress(done, saved)
        if isCommitDue { try store.synchronize() }
    }
}
