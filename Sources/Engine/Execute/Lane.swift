// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemPackage

/// Replaces one batch after the other, with a scratch file of its own. One thread.
struct Lane: Sendable {
    let store: any ExtentStore
    let files: FileCache
    let roles: any LiveRoles
    let limits: ExecutionLimits
    let rewriter: Rewriter
    let control: any JobControl

    /// For a look at things as they are now.
    var resolver: ReferenceResolver {
        ReferenceResolver(
            store: store, files: files, roles: roles, inodes: InodeBook(store: store))
    }

    init(
        store: any ExtentStore, files: FileCache, roles: any LiveRoles, limits: ExecutionLimits,
        scratch: any OpenFile, encoder: any FrameEncoder, control: any JobControl = Unhindered()
    ) {
        self.store = store
        self.files = files
        self.roles = roles
        self.limits = limits
        self.control = control
        let frames = FrameMaker(store: store, scratch: scratch, encoder: encoder, limits: limits)
        rewriter = Rewriter(frames: frames, limits: limits)
    }

    /// A replacement, and what earlier rounds have found out.
    struct Pending {
        let replacement: Replacement
        /// Parts that turned out not to equal their keeper.
        var distrusted: [Range<ByteCount>] = []
        /// Where parts of the content stand since a reference was moved.
        var moved: [Source] = []
        /// What was written anew for it.
        var rewritten = ByteCount.zero
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
        /// A keeper turned out to differ in this round.
        var hasDoubt = false

        /// The reference that moves last. It stays while another one cannot follow: it holds what
        /// that one, or the job, may have to go back to.
        var lastReference: Int { target.references.count - 1 }

        /// Nothing of it was moved, now or before.
        var isUntouched: Bool { moved.isEmpty && pending.moved.isEmpty && failure == nil }

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

    /// Replaces every extent of a batch, or leaves it alone. Once the job is cancelled, what is
    /// half replaced goes back.
    /// - Throws: only what stops the job: no memory, a scratch file that cannot be written.
    func run(_ batch: [Replacement]) throws(BtrfsError) -> ExecutionOutcome {
        var outcome = ExecutionOutcome()
        var batches = [batch]
        while let next = batches.popLast(), !control.isCancelled {
            var left = Left()
            outcome.add(try run(next, &left))
            batches += left.alone.map { [$0] }
            if !left.later.isEmpty { batches.append(left.later) }
        }
        return outcome
    }

    /// What a batch has no place for: a batch each, or one behind it.
    private struct Left {
        var alone: [Replacement] = []
        var later: [Replacement] = []
    }

    private func run(
        _ batch: [Replacement], _ left: inout Left
    ) throws(BtrfsError) -> ExecutionOutcome {
        var outcome = ExecutionOutcome()
        var pending = batch.map { Pending(replacement: $0) }
        do throws(BtrfsError) {
            for round in 1...limits.rounds where !pending.isEmpty {
                var works = try prepare(pending, &left, &outcome)
                share(&works)
                pending = works.map(\.afterRound)
                pending = try settle(works, isLastRound: round == limits.rounds, &outcome)
                try store.clear(rewriter.scratch)
            }
        } catch {
            // On a file system that was made read-only nothing can go back.
            if error.reason != .readOnlyFileSystem {
                for unfinished in pending { _ = retreat(unfinished) }
            }
            try? store.clear(rewriter.scratch)
            if error.isCancellation { return outcome }
            throw error
        }
        return outcome
    }

    // MARK: Before

    /// Resolves references and writes what has to be written anew.
    /// - Parameter left: takes what cannot be in a batch with others, as what ends within a sector
    ///   can only follow to where the scratch file ends; and what would make it too large.
    private func prepare(
        _ batch: [Pending], _ left: inout Left, _ outcome: inout ExecutionOutcome
    ) throws(BtrfsError) -> [Work] {
        let resolver = resolver
        var targets: [(Pending, ReplacementTarget)] = []
        var references = 0
        for pending in batch {
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
                    outcome.leftAlone.add(
                        .tooManySnapshots, diskBytes: pending.replacement.diskBytes,
                        references: target.references.count)
                    continue
                }
                prefetchFirst(target)
                targets.append((pending, target))
            } catch {
                leave(pending, error, &outcome)
            }
        }
        return try write(targets, resolver, &outcome)
    }

    private func write(
        _ targets: [(Pending, ReplacementTarget)], _ resolver: ReferenceResolver,
        _ outcome: inout ExecutionOutcome
    ) throws(BtrfsError) -> [Work] {
        var known = targets.map { keepers(of: $0, $1, resolver) }
        let leaves = SharedLeaves(targets.map(\.1), price: limits.price)
        var parts = zip(targets, known).map { item, keepers in
            let repeats = repeats(in: item.0, item.1)
            let elsewhere = keepers.map(\.range) + repeats.map(\.range)
            let census = ReferenceCensus(item.1.references)
            return WrittenPart(
                target: item.1, ranges: Ranges.subtract(elsewhere, from: item.1.usedRanges),
                spent: item.0.rewritten,
                cost: cost(of: item.1, census, keepers, repeats.map(\.range), leaves),
                census: census)
        }
        var targets = targets
        for index in placesWithoutRoom(parts).reversed() {
            leave(targets[index].0, .leave(.noMetadataRoom), &outcome)
            targets.remove(at: index)
            known.remove(at: index)
            parts.remove(at: index)
        }
        var works: [Work] = []
        for (index, result) in rewriter.rewrite(parts).enumerated() {
            let (pending, target) = targets[index]
            switch result {
            case .success(let rewritten):
                let repeats = repeats(in: pending, target)
                let written = (rewritten.places + rewritten.places(of: repeats)).map {
                    Source(
                        range: $0.range, file: rewriter.scratch, identity: nil, offset: $0.offset,
                        isLive: false)
                }
                works.append(
                    Work(
                        pending: pending, target: target, sources: known[index] + written,
                        rewritten: rewritten.diskBytes, metadata: rewritten.metadataBytes))
            case .failure(let failure):
                try leave(pending, failure, &outcome)
            }
        }
        return works
    }

    /// Where the content stands already: where an earlier round has moved it, and the pieces whose
    /// keeper can be opened. What ends within a sector is always written anew: it needs a source
    /// that ends just there.
    private func keepers(
        of pending: Pending, _ target: ReplacementTarget, _ resolver: ReferenceResolver
    ) -> [Source] {
        let tailSectors = target.references.filter(\.isTail).map {
            $0.range.upperBound.roundedDown(to: store.sectorBytes)..<$0.range.upperBound
        }
        let pieces = pending.replacement.pieces.compactMap { piece -> Source? in
            guard let file = resolver.keeper(piece.keeper.inode) else { return nil }
            return Source(
                range: piece.range, file: file, identity: piece.keeper.inode,
                offset: piece.keeper.offset, isLive: roles.isLive(piece.keeper.inode))
        }
        let moved = Source.disjoint(pending.moved, excluding: tailSectors)
        let excluded = pending.distrusted + tailSectors + moved.map(\.range)
        return moved + Source.disjoint(pieces, excluding: excluded)
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
        store.prefetch(first.file, at: first.fileOffset, lengthBytes: first.lengthBytes)
    }

    // MARK: Afterwards

    /// Looks whether the extents are free, and returns those that have to be tried again.
    private func settle(
        _ works: [Work], isLastRound: Bool, _ outcome: inout ExecutionOutcome
    ) throws(BtrfsError) -> [Pending] {
        var again: [Pending] = []
        if let failure = works.lazy.compactMap(\.failure).first(where: {
            $0.reason == .readOnlyFileSystem
        }) {
            throw failure
        }
        for work in works {
            // It was cancelled before its turn came.
            if work.isUntouched && control.isCancelled { continue }
            let replacement = work.pending.replacement
            let uses = try store.uses(ofExtentAt: replacement.address)
            if uses == .all([]) {
                outcome.extentsReplaced += 1
                outcome.freed += replacement.diskBytes
                outcome.rewritten += work.rewritten
                outcome.metadata += work.metadata
                outcome.referencesMoved += Set(work.moved.map(\.reference)).count
                forget(work)
            } else if work.failure == nil && !isLastRound && !control.isCancelled {
                // Another extent's replacement has come to refer to this one on its way: those
                // references follow to where the others went, and nothing is written twice.
                outcome.rewritten += work.rewritten
                again.append(work.afterRound)
            } else {
                outcome.referencesMovedBack += retreat(work.afterRound)
                if work.failure == nil && control.isCancelled { continue }
                outcome.leftAlone.add(
                    work.failure == nil ? .stillUsed : .refused, diskBytes: replacement.diskBytes)
                if let failure = work.failure { outcome.add(failure) }
            }
        }
        return again
    }

    /// A job reads what nobody may need for a while: it must not push out what qubes work with.
    private func forget(_ work: Work) {
        for reference in work.target.references where !reference.isLive {
            store.forget(
                reference.file, at: reference.fileOffset, lengthBytes: reference.lengthBytes)
        }
    }

    // MARK: Leaving alone

    private func leave(
        _ pending: Pending, _ obstacle: ReplacementObstacle,
        _ outcome: inout ExecutionOutcome
    ) {
        let diskBytes = pending.replacement.diskBytes
        outcome.referencesMovedBack += retreat(pending)
        switch obstacle {
        case .leave(let reason):
            outcome.leftAlone.add(reason, diskBytes: diskBytes)
        case .failed(let error):
            outcome.leftAlone.add(.unreadable, diskBytes: diskBytes)
            outcome.add(error)
        }
    }

    private func leave(
        _ pending: Pending, _ failure: RewriteFailure,
        _ outcome: inout ExecutionOutcome
    ) throws(BtrfsError) {
        let diskBytes = pending.replacement.diskBytes
        switch failure {
        case .doesNotShrink:
            outcome.leftAlone.add(.doesNotShrink, diskBytes: diskBytes)
        case .staysInOrder:
            outcome.leftAlone.add(.inOrder, diskBytes: diskBytes)
        case .costsMetadata(let references):
            outcome.leftAlone.add(
                .tooManySnapshots, diskBytes: diskBytes, references: references)
        case .store(let error) where error.reason == .ioError:
            outcome.leftAlone.add(.unreadable, diskBytes: diskBytes)
            outcome.add(error)
        case .store(let error) where error.reason == .staleNFSFileHandle:
            outcome.leftAlone.add(.changedMeanwhile, diskBytes: diskBytes)
        case .store(let error) where error.reason == .noSpace:
            // Others may need no scratch space, and free some: they are gone on with.
            outcome.leftAlone.add(.outOfSpace, diskBytes: diskBytes)
            outcome.add(error)
        case .store(let error):
            throw error
        }
        outcome.referencesMovedBack += retreat(pending)
    }
}
