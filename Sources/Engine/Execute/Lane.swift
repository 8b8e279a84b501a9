// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemPackage

/// Replaces one batch after the other, with a scratch file of its own. One thread.
struct Lane {
    private let context: LaneContext
    private let scratch: any ScratchFile
    private let journal: (any MoveJournal)?
    private let planner: RoundPlanner
    private let mover: Mover
    private let settler: Settler

    /// - Parameter isLastPass: what cannot be done now is left alone, and not postponed.
    init(context: LaneContext, parts: Executor.LaneParts, isLastPass: Bool) {
        self.context = context
        scratch = parts.scratch
        journal = parts.journal
        mover = Mover(context: context)
        settler = Settler(context: context, isLastPass: isLastPass)
        let packer = FramePacker(encoder: parts.encoder, sectorBytes: context.store.sectorBytes)
        let frames = FrameMaker(
            store: context.store, fresh: context.fresh, scratch: scratch, packer: packer,
            limits: context.limits)
        planner = RoundPlanner(
            context: context, chooser: KeeperChooser(context: context, isLastPass: isLastPass),
            rewriter: Rewriter(frames: frames, limits: context.limits), settler: settler)
    }

    /// Replaces every extent of a batch, or leaves it alone. Once the job is cancelled, what is
    /// half replaced goes back.
    /// - Throws: only what stops the job: no memory, a disk that refuses writes.
    func run(_ batch: [Replacement]) throws(BtrfsError) -> BatchResult {
        var result = BatchResult()
        var batches = [batch]
        var hasBegun = false
        while let next = batches.popLast() {
            // What a batch had no place for is another one, which is not begun any more.
            guard !context.isStopped, !(hasBegun && context.control.isTimeOver) else {
                result.left.add(Remainder(next))
                continue
            }
            hasBegun = true
            let deferred = try run(next, &result).batches
            // What it had no place for is a part of it.
            if context.control.isCancelled {
                result.left.add(Remainder(next))
            } else {
                batches += deferred
            }
        }
        return result
    }

    /// - Returns: what the batch had no place for.
    private func run(
        _ batch: [Replacement], _ result: inout BatchResult
    ) throws(BtrfsError) -> DeferredReplacements {
        var pending = batch.map { PendingReplacement(replacement: $0) }
        var deferred = DeferredReplacements()
        var references: [OpenReference] = []
        defer { context.pages.letGo(of: references) }
        var isNoted = false
        defer { if isNoted { journal?.clear() } }
        do throws(BtrfsError) {
            for round in 1...context.limits.rounds where !pending.isEmpty {
                let planned = try planner.plan(pending, &references, &result)
                deferred.add(planned.deferred)
                isNoted = note(planned.works) || isNoted
                let moved = mover.move(planned.works)
                pending = moved.works.map(\.afterRound)
                if let refusal = moved.refusal { throw refusal }
                let isLastRound = round == context.limits.rounds
                let settled = try settler.settle(moved.works, isLastRound: isLastRound)
                result.outcome.add(settled.outcome)
                pending = settled.again
                try context.store.clear(scratch)
            }
        } catch {
            if error.isRefusedWrite || error.reason == .readOnlyFileSystem {
                context.refusal.set()
            }
            // On a file system that was made read-only nothing can go back: the next job does it.
            if error.reason == .readOnlyFileSystem {
                isNoted = false
            } else {
                for unfinished in pending { result.outcome.add(settler.retreat(unfinished)) }
            }
            try? context.store.clear(scratch)
            if !error.isCancellation { throw error }
        }
        return deferred
    }

    /// Notes what stands twice for as long as it has moved in part.
    /// - Returns: whether there was such a thing.
    private func note(_ works: [RoundWork]) -> Bool {
        guard let journal else { return false }
        let moves = works.filter(\.isRewritten).map {
            NotedMove($0, newestGeneration: context.newestGeneration)
        }
        if !moves.isEmpty { journal.add(moves) }
        return !moves.isEmpty
    }
}
