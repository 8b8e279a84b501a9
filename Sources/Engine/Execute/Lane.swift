// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemPackage

/// What all lanes of a job have in common.
struct LaneContext: Sendable {
    let store: any ExtentStore
    let files: FileCache
    let roles: any LiveRoles
    let limits: ExecutionLimits
    let control: any JobControl
    let fresh: FreshSources
    let successors = SuccessorKeepers()
    let refusal = DiskRefusal()
    let heavyWaves = HeavyWaves()

    init(
        store: any ExtentStore, roles: any LiveRoles, limits: ExecutionLimits,
        control: any JobControl
    ) {
        self.store = store
        self.roles = roles
        self.limits = limits
        self.control = control
        files = FileCache(store: store, limit: limits.openFiles)
        fresh = FreshSources(store: store)
    }

    /// For a look at things as they are now.
    var resolver: ReferenceResolver {
        ReferenceResolver(
            store: store, files: files, roles: roles, inodes: InodeBook(store: store))
    }
}

/// Replaces one batch after the other, with a scratch file of its own. One thread.
struct Lane: Sendable {
    let context: LaneContext
    let rewriter: Rewriter
    /// What cannot be done now is left alone, and not postponed.
    let isLastPass: Bool

    var store: any ExtentStore { context.store }
    var limits: ExecutionLimits { context.limits }
    /// Nothing new is begun: the job was cancelled, or the disk refuses writes.
    var isStopped: Bool { context.control.isCancelled || context.refusal.isSet }

    init(
        context: LaneContext, scratch: any ScratchFile, encoder: any FrameEncoder, isLastPass: Bool
    ) {
        self.context = context
        self.isLastPass = isLastPass
        rewriter = Rewriter(
            frames: FrameMaker(
                store: context.store, scratch: scratch, encoder: encoder, limits: context.limits),
            limits: context.limits)
    }

    /// A replacement, and what earlier rounds have found out.
    struct Pending {
        let replacement: Replacement
        /// Parts that turned out not to equal their keeper, or whose keeper cannot be read.
        var distrusted: [Range<ByteCount>] = []
        /// Where parts of the content stand since a reference was moved.
        var moved: [Source] = []
        /// What was written anew for it.
        var rewritten = ByteCount.zero
        /// Why a keeper could not be used.
        var keeperObstacle: LeftAloneReason?
    }

    /// A target in work.
    struct Work {
        var pending: Pending
        let target: ReplacementTarget
        let sources: [Source]
        let rewritten: ByteCount
        /// By how much trees grow for it.
        let metadata: ByteCount
        var moved: [Move] = []
        var failure: BtrfsError?
        /// A keeper turned out to differ, or to be unreadable, in this round.
        var hasDoubt = false
        /// Some of it cannot be read: the extent stays for that, while the rest goes where it can.
        var isUnreadable = false
        /// Calls that ended with an I/O error.
        var errors = 0

        /// The reference that moves last. It stays while another one cannot follow: it holds what
        /// that one, or the job, may have to go back to.
        var lastReference: Int { target.references.count - 1 }

        /// Nothing of it was moved, now or before.
        var isUntouched: Bool { moved.isEmpty && pending.moved.isEmpty && failure == nil }

        /// Something was written anew for it, which takes room until the extent is free.
        var isRewritten: Bool { rewritten + pending.rewritten > .zero }

        /// What is known after the round.
        var afterRound: Pending {
            var next = pending
            next.moved += moved.map {
                Source(
                    range: $0.range, file: $0.destination.file, identity: $0.destination.inode,
                    offset: $0.destinationOffset, isLive: $0.destination.isLive)
            }
            next.rewritten += rewritten
            return next
        }
    }

    /// What came of a batch.
    struct Result {
        var outcome = ExecutionOutcome()
        /// What may go another way once all is known of keepers that cannot be used.
        var postponed: [Replacement] = []
    }

    /// Replaces every extent of a batch, or leaves it alone. Once the job is cancelled, what is
    /// half replaced goes back.
    /// - Throws: only what stops the job: no memory, a disk that refuses writes.
    func run(_ batch: [Replacement]) throws(BtrfsError) -> Result {
        var result = Result()
        var batches = [batch]
        while let next = batches.popLast(), !isStopped {
            var left = Left()
            try run(next, &left, &result)
            batches += left.alone.map { [$0] }
            if !left.later.isEmpty { batches.append(left.later) }
        }
        return result
    }

    /// What a batch has no place for: a batch each, or one behind it.
    private struct Left {
        var alone: [Replacement] = []
        var later: [Replacement] = []
    }

    private func run(
        _ batch: [Replacement], _ left: inout Left, _ result: inout Result
    ) throws(BtrfsError) {
        var pending = batch.map { Pending(replacement: $0) }
        do throws(BtrfsError) {
            for round in 1...limits.rounds where !pending.isEmpty {
                var works = try prepare(pending, &left, &result)
                do throws(BtrfsError) {
                    try share(&works, &result.outcome)
                } catch {
                    pending = works.map(\.afterRound)
                    throw error
                }
                pending = works.map(\.afterRound)
                pending = try conclude(
                    works, isLastRound: round == limits.rounds, &result.outcome)
                try store.clear(rewriter.scratch)
            }
        } catch {
            if error.isRefusedWrite || error.reason == .readOnlyFileSystem {
                context.refusal.set()
            }
            // On a file system that was made read-only nothing can go back.
            if error.reason != .readOnlyFileSystem {
                for unfinished in pending { retreat(unfinished, &result.outcome) }
            }
            try? store.clear(rewriter.scratch)
            if !error.isCancellation { throw error }
        }
    }

    // MARK: Before

    /// Resolves references and writes what has to be written anew.
    /// - Parameter left: takes what cannot be in a batch with others, as what ends within a sector
    ///   can only follow to where the scratch file ends; and what would make it too large.
    private func prepare(
        _ batch: [Pending], _ left: inout Left, _ result: inout Result
    ) throws(BtrfsError) -> [Work] {
        let resolver = context.resolver
        let stale = refreshKeepers(of: batch, resolver, &result.outcome)
        var targets: [(Pending, ReplacementTarget)] = []
        var references = 0
        for pending in batch {
            if context.control.isCancelled { throw .cancellation }
            if references >= limits.batchReferences, pending.moved.isEmpty {
                left.later.append(pending.replacement)
                continue
            }
            do throws(ReplacementObstacle) {
                let target = try resolver.resolve(pending.replacement)
                if batch.count > 1, pending.moved.isEmpty,
                    target.references.contains(where: \.isTail)
                {
                    left.alone.append(pending.replacement)
                    continue
                }
                references += target.references.count
                if pending.moved.isEmpty, target.comparedBytes > limits.compareOfExtent {
                    result.outcome.leftAlone.add(
                        .tooManySnapshots, diskBytes: pending.replacement.diskBytes,
                        references: target.references.count)
                    continue
                }
                prefetchFirst(target)
                targets.append((pending, target))
            } catch {
                try leave(pending, error, &result.outcome)
            }
        }
        return try write(targets, resolver, stale, &result)
    }

    private func write(
        _ targets: [(Pending, ReplacementTarget)], _ resolver: ReferenceResolver,
        _ stale: FreshSources.Stale, _ result: inout Result
    ) throws(BtrfsError) -> [Work] {
        var targets = targets
        var known = targets.indices.map {
            keepers(of: &targets[$0].0, targets[$0].1, resolver, stale)
        }
        var parts = parts(of: targets, known)
        for index in placesWithoutRoom(parts).reversed() {
            try leave(targets[index].0, .leave(.noMetadataRoom), &result.outcome)
            targets.remove(at: index)
            known.remove(at: index)
            parts.remove(at: index)
        }
        let batch = try rewriter.rewrite(parts)
        var works: [Work] = []
        for (index, rewriting) in batch.results.enumerated() {
            let (pending, target) = targets[index]
            switch rewriting {
            case .success(let rewritten):
                let repeats = repeats(in: pending, target)
                let places = rewritten.places + rewritten.places(of: repeats)
                let written = batch.settled.map { file in
                    places.map {
                        Source(
                            range: $0.range, file: file, identity: nil, offset: $0.offset,
                            isLive: false)
                    }
                }
                works.append(
                    Work(
                        pending: pending, target: target, sources: known[index] + (written ?? []),
                        rewritten: rewritten.diskBytes, metadata: rewritten.metadataBytes))
            case .failure(let failure):
                try leave(pending, failure, &result)
            }
        }
        return works
    }

    /// What has to be written anew, and what it costs to point the rest elsewhere.
    private func parts(
        of targets: [(Pending, ReplacementTarget)], _ known: [[Source]]
    ) -> [WrittenPart] {
        let leaves = SharedLeaves(targets.map(\.1), price: limits.price)
        return zip(targets, known).map { item, keepers in
            let repeats = repeats(in: item.0, item.1)
            let elsewhere = keepers.map(\.range) + repeats.map(\.range)
            let census = ReferenceCensus(item.1.references)
            return WrittenPart(
                target: item.1, ranges: Ranges.subtract(elsewhere, from: item.1.usedRanges),
                spent: item.0.rewritten,
                cost: cost(of: item.1, census, keepers, repeats.map(\.range), leaves),
                census: census)
        }
    }

    /// The parts that will be pointed to another part of what is written. In the first round only:
    /// later ones write what is left as it is. And not where a file ends within a sector, for that
    /// has to be written in its place.
    private func repeats(
        in pending: Pending, _ target: ReplacementTarget
    ) -> [Replacement.Repeat] {
        let isPlain = pending.moved.isEmpty && !target.references.contains(where: \.isTail)
        return isPlain ? pending.replacement.repeats : []
    }

    /// The reference that its content will be read through.
    private func prefetchFirst(_ target: ReplacementTarget) {
        guard let first = target.references.first else { return }
        let start = ByteCount(first.fileOffset.rawValue)
        context.fresh.expect(
            .init(inode: first.inode, file: first.file, range: start..<(start + first.lengthBytes)))
        store.prefetch(first.file, at: first.fileOffset, lengthBytes: first.lengthBytes)
    }
}
