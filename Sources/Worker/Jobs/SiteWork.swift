// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol
internal import SystemCalls

/// One file system's part of a job.
struct SiteWork {
    let job: JobKind
    let site: Site
    let order: WorkerOrder
    let output: Output
    let governor: Governor
    let foreground: ForegroundThread?

    private let scope: Scope

    init(
        job: JobKind, site: Site, order: WorkerOrder, output: Output, governor: Governor,
        foreground: ForegroundThread?
    ) {
        self.foreground = foreground
        self.job = job
        self.site = site
        self.order = order
        self.output = output
        self.governor = governor
        var scope = order.scope
        if order.work.packsAgain { scope.levelOfOthers = MountOptions.levelOfOthers(on: site) }
        self.scope = scope
    }

    /// What was done until the end, until the job was cancelled, or until its time was over.
    func run(_ result: inout JobResult) throws(BtrfsError) -> ExecutionOutcome {
        do throws(BtrfsError) {
            return try work(&result)
        } catch  where error.isCancellation {
            // Before anything was moved.
            result.left?.addUnplanned(known: output.known)
            return ExecutionOutcome()
        }
    }

    private func work(_ result: inout JobResult) throws(BtrfsError) -> ExecutionOutcome {
        let store = LookingStore(
            base: BtrfsStore(site), governor: governor)
        let stage = SurveyStage(site: site, order: order, output: output, governor: governor)
        let (list, survey) = try stage.run(store, &result)
        if order.risksReadOnly != true { try refuseDamage(survey) }
        let pieces = survey.pieces(in: scope)
        var settled = site.cache?.settledJobs() ?? SettledJobs()
        if let left = settled.leftAlone(
            by: order.work, at: SurveyDigest(survey, scope: scope))
        {
            result.add(from: pieces, to: pieces)
            return ExecutionOutcome(leftAlone: left)
        }
        let zeroes = try zeroFile()
        var holed = scope
        holed.makesHoles = zeroes != nil
        if job == .sparsify, zeroes == nil { result.problems.append(noHoles) }
        var verdicts = site.cache?.verdicts() ?? Verdicts()
        verdicts.forgetGone(in: survey, isWhole: order.isOfAllFiles)
        let plan = try plan(survey, holed, store, verdicts)
        if job.isPredicted {
            result.predictedBytes = (result.predictedBytes ?? 0) + plan.predictedSaving.rawValue
        }
        if let problem = try noRoom(for: plan) {
            result.problems.append(problem)
            result.add(from: pieces, to: pieces)
            return ExecutionOutcome(leftAlone: plan.leftAlone)
        }
        let outcome = try execute(plan, of: survey, list, zeroes, &result)
        keep(verdicts, outcome.verdicts)
        let unreadable = UnreadableNames.named(outcome.unreadablePlaces, list, order)
        for place in unreadable.prefix(Limits.namedItems) { Log.note(place.journalText) }
        result.add(unreadable: unreadable)
        UnreadableBook(site: site, order: order).add(outcome.unreadablePlaces)
        // Of a large pool they take as much memory as the next one.
        _ = consume survey
        _ = consume verdicts
        let isCut = outcome.left.extents > 0
        // A look at all files takes minutes on a large pool, and the time is over; it is taken
        // where it says what the job has brought.
        if isCut, job != .defragment { return outcome }
        let now = try stage.survey(
            ImageList(site: site, order: order).imageFiles(),
            in: LookingStore(base: BtrfsStore(site), governor: governor, isOfBegun: true))
        // What a cancelled job has not come to is not settled, and its last look is not whole.
        if governor.isCancelled { return outcome }
        result.add(from: pieces, to: now.pieces(in: scope))
        // What the time did not suffice for is not settled, and what could not be read is said
        // again, until it is mended.
        if isCut || !unreadable.isEmpty { return outcome }
        // Another kernel may make holes.
        if job.makesHoles, zeroes == nil { return outcome }
        settled.remember(
            order.work, at: SurveyDigest(now, scope: scope), leaving: outcome.leftAlone)
        site.cache?.keep(settled)
        return outcome
    }

    /// Also after a job that was cancelled: what it has found out is as true.
    private func keep(_ verdicts: Verdicts, _ new: [Verdict]) {
        guard !new.isEmpty, let cache = site.cache else { return }
        var verdicts = verdicts
        let others = scope.levelOfOthers ?? MountOptions.levelOfOthers(on: site)
        verdicts.add(new.filter { $0.isWorthKeeping(others) })
        cache.keep(verdicts)
    }

    /// Reads the rest of the trees that every write needs, and looks whether an image's own could
    /// be read: nothing was written yet but the scratch files' inodes.
    private func refuseDamage(_ survey: Survey) throws(BtrfsError) {
        if let (_, error) = survey.unreadable.first(where: { $1.isDamagedMetadata }) {
            throw error
        }
        try site.readTrees(governor)
    }

    private func execute(
        _ plan: Plan, of survey: Survey, _ list: ImageList, _ zeroes: ZeroFile?,
        _ result: inout JobResult
    ) throws(BtrfsError) -> ExecutionOutcome {
        let begun = output.elapsedSeconds
        let total = plan.replacements.reduce(ByteCount.zero) { $0 + $1.diskBytes }
        let roles = RoleBook(site: site, order: order, list: list)
        let watch = StampWatch(roles) { [governor] in governor.obey(.cancel) }
        let executor = Executor(
            store: MovingStore(
                base: BtrfsStore(site), governor: governor, foreground: foreground, watch: watch),
            roles: roles, survey: survey,
            lanes: site.scratches.enumerated().map { lane, scratch in
                .init(
                    scratch: scratch, encoder: ZstdEncoder(),
                    journal: site.moves?.journal(ofLane: lane))
            }, zeroes: zeroes, limits: site.limits, control: governor,
            now: site.clock.now)
        output.progress(.execute, totalBytes: total.rawValue)
        var outcome = try executor.run(
            plan.replacements,
            order: governor.deadline == nil ? .asPlanned : .largestSavingFirst
        ) { [output] done, saved in
            output.progress(
                .execute, doneBytes: done.rawValue, totalBytes: total.rawValue,
                savedBytes: saved.rawValue)
        }
        if let broken = watch.broken { throw broken }
        outcome.leftAlone.add(plan.leftAlone)
        result.left?.add(
            outcome.left, of: total, isPredicted: job.isPredicted,
            seconds: output.elapsedSeconds - begun)
        return outcome
    }

    private func dedupePlanning(_ store: LookingStore) -> DedupePlanning {
        DedupePlanning(
            site: site, store: store, output: output, governor: governor,
            isOfAllFiles: order.isOfAllFiles)
    }

    /// What holes are taken from; nil where none are to be made.
    private func zeroFile() throws(BtrfsError) -> ZeroFile? {
        guard job.makesHoles, let hole = site.hole, let victim = site.scratches.first
        else { return nil }
        let store = BtrfsStore(site)
        return try HoleProbe(store: store, hole: hole, victim: victim).zeroFile()
    }

    /// What is unpacked takes more: all of it must have room before any of it is begun.
    private func noRoom(for plan: Plan) throws(BtrfsError) -> Report.Problem? {
        let growth = plan.growth
        if growth == .zero { return nil }
        let guardian = SpaceGuard(needsDataRoom: true)
        let room = guardian.roomToGrow(try site.fileSystem.spaceInfo())
        if growth <= room { return nil }
        return Report.Problem(
            Subject(site),
            "it stays compressed: written as it is it takes \(SpaceGuard.text(growth)) more, and"
                + " there is room for \(SpaceGuard.text(room)).")
    }

    private var noHoles: Report.Problem {
        Report.Problem(
            Subject(site),
            "zeroes stay as they are: a hole could not be tried out; dom0's journal says why.")
    }

    private func plan(
        _ survey: Survey, _ scope: Scope, _ store: LookingStore, _ verdicts: Verdicts
    ) throws(BtrfsError) -> Plan {
        switch job {
        case .compress(let level):
            return CompressionPlanner.plan(
                survey, scope: scope, requested: Replacement.Rewriting(number: level),
                sectorBytes: store.sectorBytes, verdicts: verdicts)
        case .dedupe:
            return try dedupePlanning(store).plan(survey, scope: scope, compression: .none)
        case .optimize(let level):
            return try dedupePlanning(store).plan(
                survey, scope: scope,
                compression: .packed(requested: Replacement.Rewriting(number: level)),
                verdicts: verdicts)
        case .defragment:
            return DefragmentationPlanner.plan(survey, scope: scope)
        case .sparsify:
            return try dedupePlanning(store).planHoles(survey, scope: scope)
        }
    }
}

extension JobResult {
    fileprivate mutating func add(from before: Survey.Pieces, to after: Survey.Pieces) {
        var sum = pieces ?? JobPieces(dataBytes: 0, before: 0, after: 0)
        sum.dataBytes += after.dataBytes.rawValue
        sum.before += UInt64(before.count)
        sum.after += UInt64(after.count)
        pieces = sum
    }
}

extension Site {
    /// Reads the rest of the trees that every write needs.
    func readTrees(_ governor: Governor) throws(BtrfsError) {
        guard var look = treeLook else { return }
        while !look.isDone {
            try look.proceed(in: fileSystem) {
                !governor.isCancelled && !governor.isTimeOver
            }
            try governor.checkpoint()
        }
    }
}
