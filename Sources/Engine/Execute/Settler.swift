// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemPackage

/// What came of a round.
struct SettledRound: Sendable {
    var outcome = ExecutionOutcome()
    /// What has to be tried again.
    var again: [PendingReplacement] = []
}

/// Says what a round has brought: what is free, what goes again, and what goes back.
struct Settler: Sendable {
    let context: LaneContext
    /// What cannot be done now is left alone, and not postponed.
    let isLastPass: Bool

    private var store: any ExtentStore { context.store }

    /// Looks whether the extents are free.
    /// - Throws: what ends the job: the file system was made read-only, or cannot say.
    func settle(
        _ works: [MovedWork], isLastRound: Bool
    ) throws(BtrfsError) -> SettledRound {
        var round = SettledRound()
        if let failure = works.lazy.compactMap(\.failure).first(where: {
            $0.reason == .readOnlyFileSystem
        }) {
            throw failure
        }
        for place in works.lazy.flatMap(\.unreadablePlaces) { round.outcome.add(place) }
        for moved in works {
            // It was cancelled before its turn came.
            if moved.isUntouched && context.isStopped { continue }
            let work = moved.planned
            let replacement = work.pending.replacement
            let uses = try store.uses(ofExtentAt: replacement.address)
            if uses == .all([]) {
                round.outcome.extentsReplaced += 1
                round.outcome.freed += replacement.diskBytes
                round.outcome.rewritten += work.rewritten
                round.outcome.metadata += work.metadata
                round.outcome.referencesMoved += moved.referencesMoved
            } else if moved.isUnreadable && moved.failure == nil && !context.isStopped {
                // What could follow has; the extent stays for what cannot be read of it.
                round.outcome.referencesMoved += moved.referencesMoved
                round.outcome.leftAlone.add(.unreadable, diskBytes: replacement.diskBytes)
            } else if moved.failure == nil && !isLastRound && !context.isStopped {
                // Another extent's replacement has come to refer to this one on its way: those
                // references follow to where the others went, and nothing is written twice.
                round.outcome.rewritten += work.rewritten
                round.again.append(moved.afterRound)
            } else {
                round.outcome.add(retreat(moved.afterRound))
                if moved.failure == nil && context.isStopped { continue }
                round.outcome.leftAlone.add(
                    moved.failureReason, diskBytes: replacement.diskBytes)
                if let failure = moved.failure { round.outcome.add(failure) }
            }
        }
        return round
    }

    // MARK: Leaving alone

    /// A replacement that cannot be begun: what of it was moved goes back.
    func leave(
        _ pending: PendingReplacement, _ obstacle: ReplacementObstacle
    ) -> ExecutionOutcome {
        let diskBytes = pending.replacement.diskBytes
        context.refusals.withdraw(pending.replacement.address)
        var outcome = ExecutionOutcome()
        switch obstacle {
        case .leave(let reason):
            outcome.leftAlone.add(reason, diskBytes: diskBytes)
        case .failed(let error):
            outcome.leftAlone.add(.unreadable, diskBytes: diskBytes)
            outcome.add(error)
        }
        outcome.add(retreat(pending))
        return outcome
    }

    /// A replacement whose content was not written anew: what of it was moved goes back.
    /// - Throws: what ends the job.
    func leave(
        _ pending: PendingReplacement, _ failure: RewriteFailure
    ) throws(BtrfsError) -> BatchResult {
        let replacement = pending.replacement
        let diskBytes = replacement.diskBytes
        context.refusals.withdraw(replacement.address)
        var result = BatchResult()
        switch failure {
        case .doesNotShrink, .costsAsMuch, .staysInOrder:
            if let obstacle = pending.keeperObstacle {
                // A keeper was lost: another may be known when all others are done.
                if isLastPass {
                    result.outcome.leftAlone.add(obstacle, diskBytes: diskBytes)
                } else {
                    result.postponed.append(replacement)
                }
            } else {
                let reason = replacement.isPackedAgain ? .alreadyCompressed : failure.reason
                result.outcome.leftAlone.add(reason, diskBytes: diskBytes)
            }
        case .paysLater(let failure):
            if isLastPass { return try leave(pending, failure) }
            result.postponed.append(replacement)
        case .costsMetadata(let references):
            result.outcome.leftAlone.add(
                .tooManySnapshots, diskBytes: diskBytes, references: references)
        case .unreadable(let error, let inode, let range):
            for place in unreadableSectors(of: range, in: inode) { result.outcome.add(place) }
            result.outcome.add(error)
            result.outcome.leftAlone.add(.unreadable, diskBytes: diskBytes)
        case .noRoom(let error):
            // Others may need no scratch space, and free some: they are gone on with.
            result.outcome.add(error)
            let isQuota = error.reason == .diskQuotaExceeded
            result.outcome.leftAlone.add(isQuota ? .quotaFull : .outOfSpace, diskBytes: diskBytes)
        case .store(let error) where error.reason == .staleNFSFileHandle:
            result.outcome.leftAlone.add(.changedMeanwhile, diskBytes: diskBytes)
        case .store(let error):
            throw error
        }
        result.outcome.add(retreat(pending))
        return result
    }

    /// Names the sectors of a range that cannot be read.
    private func unreadableSectors(
        of range: Range<FileOffset>, in inode: InodeIdentifier
    ) -> [UnreadablePlace] {
        guard let item = try? store.inode(inode),
            let file = try? context.files.open(inode, generation: item.generation)
        else { return [] }
        var places: [UnreadablePlace] = []
        var start = range.lowerBound
        while start < range.upperBound {
            let end = min(start + store.sectorBytes, range.upperBound)
            if !store.isReadable(file, at: start, end - start) {
                places.append(UnreadablePlace(inode: inode, range: start..<end))
            }
            start = end
        }
        return places
    }

    // MARK: Going back

    /// Points references that were moved back to the extent, where one that still refers to it
    /// holds the same bytes: the extent lives on, and a second copy of it would only cost.
    func retreat(_ pending: PendingReplacement) -> ExecutionOutcome {
        var outcome = ExecutionOutcome()
        if pending.isUnmoved { return outcome }
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
        return outcome
    }

    /// The widest first: mostly it is all that is needed.
    private func holders(of pending: PendingReplacement) -> [OpenReference] {
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
        _ moved: Source, _ part: Range<ByteCount>, to holder: OpenReference
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
        context.fresh.readAhead(whole)
        return share(holder, part, with: moved)
    }

    private func share(
        _ holder: OpenReference, _ part: Range<ByteCount>, with moved: Source
    ) -> Bool {
        let isLive = moved.isLive || holder.isLive
        let limit = isLive ? context.limits.liveRequest : context.limits.request
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
}

extension RewriteFailure {
    fileprivate var reason: LeftAloneReason {
        if case .staysInOrder = self { return .inOrder }
        return .doesNotShrink
    }
}
