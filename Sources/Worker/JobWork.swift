// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol
internal import SystemCalls

/// Compresses or de-duplicates: survey, plan, execute and account, file system by file system.
struct JobWork {
    /// How many batches are worked on at a time; each holds a scratch file and a few buffers.
    static let lanes = 5

    let order: WorkerOrder
    let sites: Sites
    let output: Output

    func run() throws(Failure) -> JobResult {
        do throws(BtrfsError) {
            return try runSites()
        } catch {
            throw Failure(error)
        }
    }

    private func runSites() throws(BtrfsError) -> JobResult {
        var result = JobResult(
            before: [], after: [], extentsSeen: 0, extentsReplaced: 0, referencesMoved: 0,
            predictedBytes: nil, leftAlone: [], problems: sites.problems, elapsedSeconds: 0)
        var leftAlone = LeftAlone()
        for site in sites.sites {
            output.progress(.survey)
            try site.fileSystem.synchronize()
            result.before.append(try FileSystemUsage(site))
            let work = SiteWork(site: site, order: order, output: output)
            let outcome = try work.run(&result)
            leftAlone.add(outcome.leftAlone)
            result.extentsReplaced += UInt64(outcome.extentsReplaced)
            result.referencesMoved += UInt64(outcome.referencesMoved)
            output.progress(.account)
            // The executor has committed; what that commit has freed comes back with the next.
            try site.fileSystem.synchronize()
            result.after.append(try FileSystemUsage(site))
            Log.note(outcome.failures)
        }
        result.leftAlone = leftAlone.lines
        result.problems = Array(result.problems.prefix(Limits.namedItems))
        result.elapsedSeconds = output.elapsedSeconds
        return result
    }
}

/// One file system's part of a job.
private struct SiteWork {
    let site: Site
    let order: WorkerOrder
    let output: Output

    func run(_ result: inout JobResult) throws(BtrfsError) -> ExecutionOutcome {
        let store = BtrfsStore(fileSystem: site.fileSystem)
        let list = ImageList(site: site, order: order)
        let survey = Surveyor.survey(list.imageFiles(), in: store) { done, total in
            output.progress(.survey, doneBytes: done.rawValue, totalBytes: total.rawValue)
        }
        result.problems += list.problems + SurveyProblems.unreadable(survey, list, order)
        result.problems += SurveyProblems.nocow(list, order)
        result.extentsSeen += UInt64(survey.extents.count)
        var settled = site.cache?.settledJobs() ?? SettledJobs()
        if let left = settled.leftAlone(
            by: order.work, at: SurveyDigest(survey, scope: order.scope))
        {
            let pieces = survey.pieces(in: order.scope)
            result.add(from: pieces, to: pieces)
            return ExecutionOutcome(leftAlone: left)
        }
        let plan = try plan(survey, store)
        if case .dedupe = order.work {
            result.predictedBytes = (result.predictedBytes ?? 0) + plan.predictedSaving.rawValue
        }
        let outcome = try execute(plan, store, list)
        let now = Surveyor.survey(ImageList(site: site, order: order).imageFiles(), in: store)
        result.add(from: survey.pieces(in: order.scope), to: now.pieces(in: order.scope))
        settled.remember(
            order.work, at: SurveyDigest(now, scope: order.scope), leaving: outcome.leftAlone)
        site.cache?.keep(settled)
        return outcome
    }

    private func execute(
        _ plan: Plan, _ store: BtrfsStore, _ list: ImageList
    ) throws(BtrfsError) -> ExecutionOutcome {
        let total = plan.replacements.reduce(ByteCount.zero) { $0 + $1.diskBytes }
        let executor = Executor(
            store: store, roles: RoleBook(site: site, order: order, list: list),
            lanes: site.scratches.map {
                .init(scratch: $0, encoder: ZstdEncoder())
            })
        output.progress(.execute, totalBytes: total.rawValue)
        var outcome = try executor.run(plan.replacements) { [output] done, saved in
            output.progress(
                .execute, doneBytes: done.rawValue, totalBytes: total.rawValue,
                savedBytes: saved.rawValue)
        }
        outcome.leftAlone.add(plan.leftAlone)
        return outcome
    }

    private func plan(_ survey: Survey, _ store: BtrfsStore) throws(BtrfsError) -> Plan {
        switch order.work {
        case .report, .check, .newData, .estimate:
            return Plan()
        case .compress(let level, _):
            return CompressionPlanner.plan(
                survey, scope: order.scope, requestedLevel: level, sectorBytes: store.sectorBytes)
        case .dedupe:
            return try DedupePlanning(site: site, store: store, output: output)
                .plan(survey, scope: order.scope, compression: .none)
        case .optimize(let level, _):
            return try DedupePlanning(site: site, store: store, output: output)
                .plan(survey, scope: order.scope, compression: .packed(requestedLevel: level))
        case .defragment:
            return DefragmentationPlanner.plan(survey, scope: order.scope)
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
