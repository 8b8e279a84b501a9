// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemPackage

/// What came of a round's moves.
struct MovedRound: Sendable {
    /// In the round's order: of each what moved, and why not more.
    var works: [MovedWork]
    /// What ends the job: what was written cannot be read back.
    var refusal: BtrfsError?
}

/// Moves the references of a round's targets to where their content stands.
struct Mover: Sendable {
    let context: LaneContext

    private var store: any ExtentStore { context.store }
    private var limits: ExecutionLimits { context.limits }

    /// Moves every reference, reading ahead of the kernel's compare: of each extent the last one
    /// only when all others have followed.
    ///
    /// A batch whose references show much goes in waves: when the job is cancelled the next one is
    /// not begun, and of the one in work what is less is done: the rest, or taking back.
    func move(_ works: [RoundWork]) -> MovedRound {
        var round = MovedRound(works: works.map { MovedWork($0) })
        do throws(BtrfsError) {
            for wave in Waves.make(works, limit: limits.compareTogether)
            where !context.isStopped {
                try move(wave, of: &round.works)
                // Made read-only by the kernel: no other request will go.
                let failures = round.works[wave].compactMap(\.failure)
                if failures.contains(where: { $0.reason == .readOnlyFileSystem }) { break }
            }
        } catch {
            // What was moved until then has to go back: it is told all the same.
            round.refusal = error
        }
        return round
    }

    // MARK: Waves

    /// What is left to compare of all that goes together.
    private struct Wave {
        private var left: ByteCount
        private let half: ByteCount

        init(_ moves: [Move]) {
            left = moves.reduce(ByteCount.zero) { $0 + $1.lengthBytes }
            half = ByteCount(left.rawValue / 2)
        }

        /// Finishing it would take longer than taking back what is done.
        var isNearerToStart: Bool { left > half }

        mutating func begin(_ request: ShareRequest) {
            left = left - min(request.lengthBytes, left)
        }
    }

    private func move(_ wave: Range<Int>, of works: inout [MovedWork]) throws(BtrfsError) {
        for index in wave { works[index].failure = refusal(of: works[index].planned) }
        let moves = wave.filter { works[$0].failure == nil }.flatMap { index in
            let work = works[index].planned
            return ShareRequests.moves(target: index, work.target, sources: work.sources)
        }
        let total = moves.reduce(ByteCount.zero) { $0 + $1.lengthBytes }
        guard total > limits.compareTogether else { return try moveTogether(moves, of: &works) }
        context.heavyWaves.enter()
        defer { context.heavyWaves.leave() }
        // The one before may have taken a while.
        if !context.isStopped { try moveTogether(moves, of: &works) }
    }

    /// What another lane, or a wave before, has come to know: what would have to go back is not
    /// moved.
    private func refusal(of work: RoundWork) -> BtrfsError? {
        work.target.references.lazy.compactMap { refusal(of: $0, for: work) }.first
    }

    private func refusal(of reference: OpenReference, for work: RoundWork) -> BtrfsError? {
        context.refusals.refusal(
            of: reference.inode, forExtentAt: work.pending.replacement.address
        ).map { BtrfsError("FIDEDUPERANGE", "an image", $0) }
    }

    private func moveTogether(
        _ moves: [Move], of works: inout [MovedWork]
    ) throws(BtrfsError) {
        var wave = Wave(moves)
        let others = moves.filter { $0.reference != works[$0.target].planned.lastReference }
        try move(others, in: &wave, of: &works)
        let last = moves.filter {
            $0.reference == works[$0.target].planned.lastReference && !works[$0.target].hasDoubt
        }
        try move(last, in: &wave, of: &works)
    }

    private func move(
        _ moves: [Move], in wave: inout Wave, of works: inout [MovedWork]
    ) throws(BtrfsError) {
        let requests = ShareRequests.make(moves, limits: limits)
        var nextPrefetch = 0
        var ahead = ByteCount.zero
        for request in requests {
            if context.refusal.isSet || (context.isStopped && wave.isNearerToStart) { return }
            wave.begin(request)
            while nextPrefetch < requests.count, ahead < limits.prefetchAhead {
                prefetch(requests[nextPrefetch])
                ahead += requests[nextPrefetch].lengthBytes
                nextPrefetch += 1
            }
            ahead = ahead - min(request.lengthBytes, ahead)
            try move(request, of: &works)
        }
    }

    private func prefetch(_ request: ShareRequest) {
        guard let first = request.moves.first else { return }
        let length = request.lengthBytes
        let start = ByteCount(first.destinationOffset.rawValue)
        context.fresh.readAhead(
            .init(
                inode: first.destination.inode, file: first.destination.file,
                range: start..<(start + length)))
        store.prefetch(first.source.file, at: first.sourceOffset, lengthBytes: length)
        // It was let go of when the round was planned, and once more if another lane was done with
        // it since.
        let sourceStart = ByteCount(first.sourceOffset.rawValue)
        if let image = first.source.image {
            context.fresh.add(sourceStart..<(sourceStart + length), of: image)
        }
    }

    // MARK: Requests

    /// A request that several moves have in common goes move by move where it does not go whole:
    /// then it shows which of them it was.
    private func move(
        _ request: ShareRequest, of works: inout [MovedWork]
    ) throws(BtrfsError) {
        for move in request.moves where works[move.target].failure == nil {
            let work = works[move.target].planned
            works[move.target].failure = refusal(of: move.destination, for: work)
        }
        let wanted = request.moves.filter { works[$0.target].failure == nil }
        if wanted.count > 1, wanted.count == request.moves.count, let first = wanted.first,
            case .shared(request.lengthBytes) = try? store.share(
                first.source.file, at: first.sourceOffset, lengthBytes: request.lengthBytes,
                with: first.destination.file, at: first.destinationOffset)
        {
            for move in wanted {
                works[move.target].append(move)
                noteSuccess(move, of: works[move.target])
            }
            return
        }
        for move in wanted where works[move.target].failure == nil {
            try self.move(move, of: &works[move.target])
        }
    }

    /// Moves one reference's part. The kernel fails a request whole where a sector of it cannot be
    /// read: it is halved then, down to that sector, so that all around it goes.
    private func move(_ move: Move, of work: inout MovedWork) throws(BtrfsError) {
        // The parts that are left, the next one last.
        var left = [ByteCount.zero..<move.lengthBytes]
        while let part = left.popLast(), work.failure == nil {
            let piece = move.part(part)
            switch answer(piece) {
            case .shared(let count) where count > .zero:
                // What was done stays known, even where the rest of it fails.
                note(piece.prefix(count), in: &work)
                let next = part.lowerBound + count
                if next < part.upperBound { left.append(next..<part.upperBound) }
            case .shared, .differs:
                // From a keeper: equal checksums, other bytes. From the scratch file: a qube
                // has written there, and what it wrote does not refer to the extent any more.
                if move.source.isKeeper { work.distrust(piece.range, .changedMeanwhile) }
                return
            case .failed(.ioError):
                work.errors += 1
                if piece.lengthBytes > store.sectorBytes, work.errors <= limits.errors {
                    let half = ByteCount(piece.lengthBytes.rawValue / 2)
                        .roundedUp(to: store.sectorBytes)
                    left.append((part.lowerBound + half)..<part.upperBound)
                    left.append(part.lowerBound..<(part.lowerBound + half))
                } else {
                    try judge(piece, of: &work)
                }
            case .failed(let reason):
                context.refusals.note(reason, of: move.destination.inode)
                work.failure = BtrfsError("FIDEDUPERANGE", "an image", reason)
            }
        }
    }

    private func note(_ move: Move, in work: inout MovedWork) {
        work.join(move)
        noteSuccess(move, of: work)
    }

    private func noteSuccess(_ move: Move, of work: MovedWork) {
        context.fresh.add(move.destinationFileRange, of: move.destination.inode)
        context.refusals.noteSuccess(
            of: move.destination.inode,
            forExtentAt: work.planned.pending.replacement.address)
    }

    private func answer(_ move: Move) -> DedupeOutcome {
        do throws(BtrfsError) {
            return try store.share(
                move.source.file, at: move.sourceOffset, lengthBytes: move.lengthBytes,
                with: move.destination.file, at: move.destinationOffset)
        } catch {
            return .failed(error.reason)
        }
    }

    // MARK: What cannot be read

    /// Finds out which side of a request that failed with an I/O error cannot be read.
    private func judge(_ move: Move, of work: inout MovedWork) throws(BtrfsError) {
        let isSourceBad = !store.isReadable(
            move.source.file, at: move.sourceOffset, move.lengthBytes)
        let isGoalBad = !store.isReadable(
            move.destination.file, at: move.destinationOffset, move.lengthBytes)
        if isSourceBad { try blameSource(of: move, isGoalBad: isGoalBad, in: &work) }
        if isGoalBad {
            work.unreadablePlaces.append(
                move.destinationPlace(copy: isSourceBad ? nil : move.sourceAsPlace))
            work.isUnreadable = true
            // The extent stays for it. What was written anew would stand beside it for nothing.
            if work.planned.isRewritten || move.source.isWritten {
                work.failure = BtrfsError("FIDEDUPERANGE", "an image", .ioError)
            }
        }
        if isSourceBad || isGoalBad { return }
        // It has passed: a copy of a redundant profile has healed it, or it was the error of a
        // write that nobody had been told of yet.
        guard isFreshAgain(move) else {
            work.distrust(move.range, .copyInUse)
            return
        }
        if case .shared(move.lengthBytes) = answer(move) {
            note(move, in: &work)
        } else {
            work.failure = BtrfsError("FIDEDUPERANGE", "an image", .ioError)
        }
    }

    /// - Throws: what was written cannot be read back.
    private func blameSource(
        of move: Move, isGoalBad: Bool, in work: inout MovedWork
    ) throws(BtrfsError) {
        switch move.source.origin {
        case .scratch:
            throw .refusedWrite("FIDEDUPERANGE", .ioError)
        case .hole:
            // No device has a part in it.
            work.distrust(move.range, .changedMeanwhile)
        case .image(let inode):
            let here = Replacement.Place(
                inode: move.destination.inode, offset: move.destinationOffset)
            let copy = isGoalBad ? nil : here
            work.unreadablePlaces.append(move.sourcePlace(inode, copy: copy))
            context.successors.add(move.sourceFileRange, of: inode, successor: copy)
            work.distrust(move.range, .copyUnreadable)
        }
    }

    /// Lets go of a source that has given an error.
    /// - Returns: whether it is read from the device again.
    private func isFreshAgain(_ move: Move) -> Bool {
        switch move.source.origin {
        case .scratch, .hole:
            return true
        case .image(let inode):
            context.fresh.forget(move.sourceFileRange, of: inode)
            let part = FreshSources.Part(
                inode: inode, file: move.source.file, range: move.sourceFileRange)
            return context.fresh.refresh([part]).parts(of: part.range, in: inode).isEmpty
        }
    }
}
