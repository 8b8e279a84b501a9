// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// Compresses or de-duplicates: survey, plan, execute and account, file system by file system.
struct JobWork {
    /// How many batches are worked on at a time; each holds a scratch file and a few buffers.
    static let lanes = 5

    let job: JobKind
    let order: WorkerOrder
    let sites: Sites
    let output: Output
    let governor: Governor
    let lock: JobLock
    /// Of the programs that send; nil where the kernel does not tell.
    let starts: ProgramStarts?
    /// Makes the calls that others may not find under way.
    let foreground: ForegroundThread?

    /// - Returns: what was done, all of it or until the job was cancelled or its time was over.
    func run() throws(Failure) -> WorkerMessage {
        let (fit, problems) = try fitSites()
        let result = try run(fit, problems)
        return governor.wasCancelled ? .cancelled(result) : .result(result)
    }

    /// The file systems that have room to be worked on, and what is wrong with the others.
    private func fitSites() throws(Failure) -> ([Site], [Report.Problem]) {
        var fit: [Site] = []
        var problems: [Report.Problem] = []
        for site in sites.sites {
            do throws(BtrfsError) {
                let info = try site.fileSystem.spaceInfo()
                guard let refusal = spaceGuard.refusal(info) else {
                    fit.append(site)
                    continue
                }
                problems.append(
                    Report.Problem(
                        .pools(site.pools.map(\.pool.name)),
                        "the file system is too full to be worked on: \(refusal)."))
            } catch {
                throw Failure(error, on: site)
            }
        }
        if fit.isEmpty, let problem = problems.first {
            // Who reads it may not know of each of the pools; dom0's log names them.
            throw Failure(unfit: problem)
        }
        return (fit, problems)
    }

    private var spaceGuard: SpaceGuard {
        switch job {
        case .compress, .optimize, .defragment: SpaceGuard(needsDataRoom: true)
        case .dedupe, .sparsify: SpaceGuard(needsDataRoom: false)
        }
    }

    /// - Parameter problems: of the file systems that are too full.
    private func run(
        _ sites: [Site], _ problems: [Report.Problem]
    ) throws(Failure) -> JobResult {
        var result = JobResult(problems: self.sites.problems + problems)
        result.own = JobCount()
        result.left = governor.deadline.map { JobRemainder(forSeconds: $0.forSeconds) }
        var leftAlone = LeftAlone()
        var failures: [Failure] = []
        for site in sites where !governor.wasCancelled {
            if governor.isTimeOver {
                result.left?.addUnplanned(known: nil)
                continue
            }
            do throws(BtrfsError) {
                leftAlone.add(try run(site, &result))
            } catch {
                // The others are not to wait for its disk to be mended.
                failures.append(Failure(error, on: site))
            }
        }
        if governor.wasCancelled || result.left?.isNothing == true { result.left = nil }
        if let first = failures.first {
            for other in failures.dropFirst() { Log.note("\(other.message) (\(other.detail))") }
            let isRestDone =
                failures.count < sites.count && !governor.isCancelled && result.left == nil
            throw failures.count == 1 && isRestDone ? first.besidesOthers : first
        }
        result.leftAlone = leftAlone.lines
        if !problems.isEmpty || leftAlone.lacksRoom { result.lacksRoom = true }
        result.problems = Array(result.problems.prefix(Limits.namedItems))
        result.elapsedSeconds = output.elapsedSeconds
        return result
    }

    /// - Returns: what was left alone.
    private func run(_ site: Site, _ result: inout JobResult) throws(BtrfsError) -> LeftAlone {
        output.progress(.survey)
        let standstill = watchStandstill(of: site)
        defer {
            standstill.stop()
            governor.stands(nil)
        }
        try site.fileSystem.synchronize()
        watchSpace(of: site)
        try takeBack(on: site)
        // Counters that cannot be read are no reason not to work.
        let errorsBefore = (try? site.fileSystem.deviceErrors()) ?? []
        result.before.append(try FileSystemUsage(site))
        governor.meanwhile { site.openImages.letGoOfDeleted() }
        let work = SiteWork(
            job: job, site: site, order: order, output: output, governor: governor,
            foreground: foreground)
        let outcome = try work.run(&result)
        result.extentsReplaced += UInt64(outcome.extentsReplaced)
        result.referencesMoved += UInt64(outcome.referencesMoved)
        result.count(outcome, site.limits.price)
        output.progress(.account)
        // The executor has committed; what that commit has freed comes back with the next.
        try site.fileSystem.synchronize()
        result.after.append(try FileSystemUsage(site))
        let errorsAfter = (try? site.fileSystem.deviceErrors()) ?? []
        result.add(errorsOf: errorsAfter, since: errorsBefore)
        Log.note(outcome.failures)
        return outcome.leftAlone
    }

    /// What a job that was killed has left half moved goes back, before anything is counted.
    private func takeBack(on site: Site) throws(BtrfsError) {
        guard let noted = site.moves?.read(), !noted.isEmpty else { return }
        do throws(BtrfsError) {
            if order.risksReadOnly != true { try site.readTrees(governor) }
        } catch  where error.isCancellation {
            return
        }
        let roles = RoleBook(
            site: site, order: order, list: ImageList(site: site, order: order))
        let watch = StampWatch(roles) { [governor] in governor.obey(.cancel) }
        let store = MovingStore(
            base: BtrfsStore(site), governor: governor, foreground: foreground, watch: watch)
        let work = TakeBack(store: store, roles: roles, limits: site.limits, control: governor)
        let count = work.run(noted)
        if let broken = watch.broken { throw broken }
        guard let count else { return }
        site.moves?.clear()
        Log.note(
            "a job had ended with \(noted.count) extents under way: \(count) references went back")
        // The first commit frees what was written for them, and the second gives it back.
        for _ in 0..<2 { try site.fileSystem.synchronize() }
    }

    /// From the first call on and until the last: each may be the one that does not return.
    private func watchStandstill(of site: Site) -> StandstillWatch {
        let watch = StandstillWatch(site.fileSystem, file: site.tried) { [governor] in
            governor.stands($0)
        }
        // Without the thread nothing is said, and all else is as ever.
        do throws(Errno) {
            try watch.start()
        } catch {
            Log.note("nobody looks whether the file system stands still: \(error)")
        }
        return watch
    }

    /// The job holds while the file system has too little room, and while others are at work on it.
    private func watchSpace(of site: Site) {
        let others = OthersWatch(
            OthersAtWork(fileSystem: site.fileSystem), lock: lock, starts: starts,
            clock: site.clock)
        let isHeld = Monitor(false)
        let advice = { @Sendable [spaceGuard] () -> String? in
            // Waiting for room on one that has become read-only would be for ever.
            guard let info = try? site.fileSystem.spaceInfo(), !site.fileSystem.isReadOnly else {
                return nil
            }
            let wasHeld = isHeld.withLock { $0 }
            let advice = spaceGuard.advice(info, isHeld: wasHeld)
            isHeld.withLock { $0 = advice != nil }
            return advice
        }
        governor.guardSpace(advice) { bytes in
            guard let info = try? site.fileSystem.spaceInfo() else { return true }
            return SpaceGuard.hasRoom(info, for: bytes, lanes: Self.lanes)
        } operation: {
            others.work(isSuspected: $0)
        } isSomebodyStarting: {
            others.isSomebodyStarting
        }
    }
}

extension JobResult {
    fileprivate mutating func count(_ outcome: ExecutionOutcome, _ price: MetadataPrice) {
        var sum = own ?? JobCount()
        sum.freedBytes += outcome.freed.rawValue
        sum.writtenBytes += outcome.rewritten.rawValue
        sum.metadataBytes += price.dataBytes(ofMetadata: outcome.metadata.rawValue).rawValue
        own = sum
    }
}
