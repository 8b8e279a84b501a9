// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemPackage

extension Lane {
    /// Looks whether the extents are free, and returns those that have to be tried again.
    func conclude(
        _ works: [Work], isLastRound: Bool, _ outcome: inout ExecutionOutcome
    ) throws(BtrfsError) -> [Pending] {
        var again: [Pending] = []
        var freed: [Work] = []
        if let failure = works.lazy.compactMap(\.failure).first(where: {
            $0.reason == .readOnlyFileSystem
        }) {
            throw failure
        }
        for work in works {
            // It was cancelled before its turn came.
            if work.isUntouched && isStopped { continue }
            let replacement = work.pending.replacement
            let uses = try store.uses(ofExtentAt: replacement.address)
            if uses == .all([]) {
                outcome.extentsReplaced += 1
                outcome.freed += replacement.diskBytes
                outcome.rewritten += work.rewritten
                outcome.metadata += work.metadata
                outcome.referencesMoved += Set(work.moved.map(\.reference)).count
                freed.append(work)
            } else if work.isUnreadable && work.failure == nil && !isStopped {
                // What could follow has; the extent stays for what cannot be read of it.
                outcome.referencesMoved += Set(work.moved.map(\.reference)).count
                outcome.leftAlone.add(.unreadable, diskBytes: replacement.diskBytes)
            } else if work.failure == nil && !isLastRound && !isStopped {
                // Another extent's replacement has come to refer to this one on its way: those
                // references follow to where the others went, and nothing is written twice.
                outcome.rewritten += work.rewritten
                again.append(work.afterRound)
            } else {
                retreat(work.afterRound, &outcome)
                if work.failure == nil && isStopped { continue }
                outcome.leftAlone.add(
                    work.failureReason, diskBytes: replacement.diskBytes)
                if let failure = work.failure { outcome.add(failure) }
            }
        }
        forget(freed)
        return again
    }

    /// A job reads what nobody may need for a while: it must not push out what qubes work with.
    /// Once for each range of a file: each call may have to wait for all processors.
    private func forget(_ works: [Work]) {
        let references = works.flatMap { $0.target.references.filter { !$0.isLive } }
        for (_, references) in Dictionary(grouping: references, by: \.inode) {
            let ranges = references.map { reference in
                let start = ByteCount(reference.fileOffset.rawValue)
                return start..<(start + reference.lengthBytes.roundedUp(to: store.sectorBytes))
            }
            for range in Ranges.union(ranges) {
                store.forget(
                    references[0].file, at: .start + range.lowerBound,
                    lengthBytes: range.upperBound - range.lowerBound)
            }
        }
    }

    // MARK: Going back

    /// Points references that were moved back to the extent, where one that still refers to it
    /// holds the same bytes: the extent lives on, and a second copy of it would only cost.
    func retreat(_ pending: Pending, _ outcome: inout ExecutionOutcome) {
        if pending.moved.isEmpty { return }
        let holders = holders(of: pending)
        var isTwice = false
        for moved in pending.moved {
            let left = giveBack(moved, to: holders)
            if left != [moved.range] { outcome.referencesMovedBack += 1 }
            if !left.isEmpty { isTwice = true }
        }
        if isTwice {
            outcome.rewritten += pending.rewritten
            outcome.standsTwice += pending.rewritten
        }
    }

    /// The widest first: mostly it is all that is needed.
    private func holders(of pending: Pending) -> [OpenReference] {
        context.resolver.holders(of: pending.replacement)
            .sorted { $0.lengthBytes > $1.lengthBytes }
    }

    private static var attemptsToLetGo: Int { 3 }
    /// What a few holders do not take back, a thousand others hardly would.
    private static var attemptsToGiveBack: Int { 8 }

    /// - Returns: what could not go back.
    private func giveBack(
        _ moved: Source, to holders: [OpenReference]
    ) -> [Range<ByteCount>] {
        var left = [moved.range]
        var attempts = 0
        for holder in holders {
            if left.isEmpty || attempts >= Self.attemptsToGiveBack { break }
            let parts = left.map { $0.clamped(to: holder.range) }.filter { !$0.isEmpty }
            let returned = parts.filter { giveBack(moved, $0, to: holder) }
            left = Ranges.subtract(returned, from: left)
            if !parts.isEmpty && returned.isEmpty { attempts += 1 }
        }
        return left
    }

    /// The holder is a source like any other: it is read from the device, or nothing is given up
    /// for it.
    private func giveBack(
        _ moved: Source, _ part: Range<ByteCount>,
        to holder: OpenReference
    ) -> Bool {
        let offset = holder.fileOffset(of: part.lowerBound)
        let start = ByteCount(offset.rawValue)
        let length = part.upperBound - part.lowerBound
        let range = start..<(start + length)
        let whole = FreshSources.Part(inode: holder.inode, file: holder.file, range: range)
        // What another lane is reading at the moment goes a moment later.
        let isFresh = (0..<Self.attemptsToLetGo).contains { _ in
            context.fresh.refresh([whole]).parts(of: range, in: holder.inode).isEmpty
        }
        guard isFresh else { return false }
        store.prefetch(holder.file, at: offset, lengthBytes: length)
        return move(moved, part, to: holder)
    }

    private func move(
        _ moved: Source, _ part: Range<ByteCount>, to holder: OpenReference
    ) -> Bool {
        let limit = moved.isLive || holder.isLive ? limits.liveRequest : limits.request
        var start = part.lowerBound
        while start < part.upperBound {
            let length = min(limit, part.upperBound - start)
            let result = try? store.share(
                holder.file, at: holder.fileOffset(of: start), lengthBytes: length,
                with: moved.file, at: moved.offset + (start - moved.range.lowerBound))
            guard result == .shared(length) else { return false }
            start = start + length
        }
        return true
    }

    // MARK: Leaving alone

    /// - Throws: what ends the job: a tree of the file system cannot be read.
    func leave(
        _ pending: Pending, _ obstacle: ReplacementObstacle, _ outcome: inout ExecutionOutcome
    ) throws(BtrfsError) {
        let diskBytes = pending.replacement.diskBytes
        switch obstacle {
        case .leave(let reason):
            outcome.leftAlone.add(reason, diskBytes: diskBytes)
        case .failed(let error):
            outcome.leftAlone.add(.unreadable, diskBytes: diskBytes)
            outcome.add(error)
        }
        retreat(pending, &outcome)
    }

    /// - Throws: what ends the job.
    func leave(
        _ pending: Pending, _ failure: RewriteFailure, _ result: inout Result
    ) throws(BtrfsError) {
        let replacement = pending.replacement
        switch failure {
        case .doesNotShrink, .staysInOrder:
            if let obstacle = pending.keeperObstacle {
                // A keeper was lost: another may be known when all others are done.
                if isLastPass {
                    result.outcome.leftAlone.add(obstacle, diskBytes: replacement.diskBytes)
                } else {
                    result.postponed.append(replacement)
                }
            } else {
                result.outcome.leftAlone.add(failure.reason, diskBytes: replacement.diskBytes)
            }
        case .costsMetadata(let references):
            result.outcome.leftAlone.add(
                .tooManySnapshots, diskBytes: replacement.diskBytes, references: references)
        case .unreadable(let error, let inode, let range):
            name(range, of: inode, &result.outcome)
            result.outcome.add(error)
            result.outcome.leftAlone.add(.unreadable, diskBytes: replacement.diskBytes)
        case .noRoom(let error):
            // Others may need no scratch space, and free some: they are gone on with.
            result.outcome.add(error)
            result.outcome.leftAlone.add(.outOfSpace, diskBytes: replacement.diskBytes)
        case .store(let error) where error.reason == .staleNFSFileHandle:
            result.outcome.leftAlone.add(.changedMeanwhile, diskBytes: replacement.diskBytes)
        case .store(let error):
            throw error
        }
        retreat(pending, &result.outcome)
    }

    /// Names the sectors of a range that cannot be read.
    private func name(
        _ range: Range<FileOffset>, of inode: InodeIdentifier, _ outcome: inout ExecutionOutcome
    ) {
        guard let item = try? store.inode(inode),
            let file = try? context.files.open(inode, generation: item.generation)
        else { return }
        var start = range.lowerBound
        while start < range.upperBound {
            let end = min(start + store.sectorBytes, range.upperBound)
            if !isReadable(file, start, end - start) {
                outcome.add(UnreadablePlace(inode: inode, range: start..<end))
            }
            start = end
        }
    }
}

extension Lane.Work {
    /// Why the extent stays as it was.
    fileprivate var failureReason: LeftAloneReason {
        if isUnreadable { return .unreadable }
        return failure == nil ? .stillUsed : .refused
    }
}

extension RewriteFailure {
    fileprivate var reason: LeftAloneReason {
        if case .staysInOrder = self { return .inOrder }
        return .doesNotShrink
    }
}
