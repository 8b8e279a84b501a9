// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemPackage

extension Lane {
    /// Moves every reference, reading ahead of the kernel's compare: of each extent the last one
    /// only when all others have followed.
    ///
    /// A batch whose references show much goes in waves: when the job is cancelled the next one is
    /// not begun, and of the one in work what is less is done: the rest, or taking back.
    /// - Throws: what was written cannot be read back.
    func share(_ works: inout [Work], _ outcome: inout ExecutionOutcome) throws(BtrfsError) {
        for wave in Waves.make(works, limit: limits.compareTogether) where !isStopped {
            let moves = wave.flatMap { index in
                ShareRequests.moves(
                    target: index, works[index].target, sources: works[index].sources)
            }
            let total = moves.reduce(ByteCount.zero) { $0 + $1.lengthBytes }
            if total > limits.compareTogether {
                context.heavyWaves.enter()
                defer { context.heavyWaves.leave() }
                // The one before may have taken a while.
                if isStopped { return }
                try share(moves, total, &works, &outcome)
            } else {
                try share(moves, total, &works, &outcome)
            }
            // Made read-only by the kernel: no other request will go.
            if works[wave].contains(where: { $0.failure?.reason == .readOnlyFileSystem }) { return }
        }
    }

    /// Moves what goes together.
    private func share(
        _ moves: [Move], _ total: ByteCount, _ works: inout [Work],
        _ outcome: inout ExecutionOutcome
    ) throws(BtrfsError) {
        var left = total
        let half = ByteCount(total.rawValue / 2)
        let others = moves.filter { $0.reference != works[$0.target].lastReference }
        try share(others, &works, &outcome, &left, half: half)
        let last = moves.filter {
            $0.reference == works[$0.target].lastReference && !works[$0.target].hasDoubt
        }
        try share(last, &works, &outcome, &left, half: half)
    }

    /// - Parameters:
    ///   - left: what has not been compared yet of all that goes together.
    ///   - half: half of all that goes together.
    private func share(
        _ moves: [Move], _ works: inout [Work], _ outcome: inout ExecutionOutcome,
        _ left: inout ByteCount, half: ByteCount
    ) throws(BtrfsError) {
        let requests = ShareRequests.make(moves, limits: limits)
        var nextPrefetch = 0
        var ahead = ByteCount.zero
        for request in requests {
            if context.refusal.isSet || (isStopped && left > half) { return }
            left = left - min(request.lengthBytes, left)
            while nextPrefetch < requests.count, ahead < limits.prefetchAhead {
                prefetch(requests[nextPrefetch])
                ahead += requests[nextPrefetch].lengthBytes
                nextPrefetch += 1
            }
            ahead = ahead - min(request.lengthBytes, ahead)
            try share(request, &works, &outcome)
        }
    }

    private func prefetch(_ request: ShareRequest) {
        guard let first = request.moves.first else { return }
        let length = request.lengthBytes
        store.prefetch(first.source.file, at: first.sourceOffset, lengthBytes: length)
        store.prefetch(first.destination.file, at: first.destinationOffset, lengthBytes: length)
    }

    /// A request that several moves have in common goes move by move where it does not go whole:
    /// then it shows which of them it was.
    private func share(
        _ request: ShareRequest, _ works: inout [Work], _ outcome: inout ExecutionOutcome
    ) throws(BtrfsError) {
        let wanted = request.moves.filter { works[$0.target].failure == nil }
        if wanted.count > 1, wanted.count == request.moves.count, let first = wanted.first,
            case .shared(request.lengthBytes) = try? store.share(
                first.source.file, at: first.sourceOffset, lengthBytes: request.lengthBytes,
                with: first.destination.file, at: first.destinationOffset)
        {
            for move in wanted {
                works[move.target].moved.append(move)
                context.fresh.add(move.destinationFileRange, of: move.destination.inode)
            }
            return
        }
        for move in wanted where works[move.target].failure == nil {
            try share(move, &works[move.target], &outcome)
        }
    }

    /// Moves one reference's part. The kernel fails a request whole where a sector of it cannot be
    /// read: it is halved then, down to that sector, so that all around it goes.
    private func share(
        _ move: Move, _ work: inout Work, _ outcome: inout ExecutionOutcome
    ) throws(BtrfsError) {
        // The parts that are left, the next one last.
        var left = [ByteCount.zero..<move.lengthBytes]
        while let part = left.popLast(), work.failure == nil {
            let piece = move.part(part)
            switch answer(piece) {
            case .shared(let count) where count > .zero:
                // What was done stays known, even where the rest of it fails.
                note(piece.prefix(count), &work)
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
                    try judge(piece, &work, &outcome)
                }
            case .failed(let reason):
                work.failure = BtrfsError("FIDEDUPERANGE", "an image", reason)
            }
        }
    }

    private func note(_ move: Move, _ work: inout Work) {
        work.add(move)
        context.fresh.add(move.destinationFileRange, of: move.destination.inode)
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
    private func judge(
        _ move: Move, _ work: inout Work, _ outcome: inout ExecutionOutcome
    ) throws(BtrfsError) {
        let destination = move.destination
        let isSourceBad = !isReadable(move.source.file, move.sourceOffset, move.lengthBytes)
        let isGoalBad = !isReadable(destination.file, move.destinationOffset, move.lengthBytes)
        let here = Replacement.Place(inode: destination.inode, offset: move.destinationOffset)
        if isSourceBad {
            guard let inode = move.source.identity else {
                throw .refusedWrite("FIDEDUPERANGE", .ioError)
            }
            let copy = isGoalBad ? nil : here
            outcome.add(move.sourcePlace(inode, copy: copy))
            context.successors.add(move.sourceFileRange, of: inode, successor: copy)
            work.distrust(move.range, .copyUnreadable)
        }
        if isGoalBad {
            outcome.add(move.destinationPlace(copy: isSourceBad ? nil : move.sourceAsPlace))
            work.isUnreadable = true
            // The extent stays for it. What was written anew would stand beside it for nothing.
            if work.isRewritten || !move.source.isKeeper {
                work.failure = BtrfsError("FIDEDUPERANGE", "an image", .ioError)
            }
        }
        if isSourceBad || isGoalBad { return }
        // It has passed: a copy of a redundant profile has healed it, or it was the error of a
        // write that nobody had been told of yet.
        if let inode = move.source.identity {
            context.fresh.forget(move.sourceFileRange, of: inode)
            let part = FreshSources.Part(
                inode: inode, file: move.source.file, range: move.sourceFileRange)
            guard context.fresh.refresh([part]).parts(of: part.range, in: inode).isEmpty else {
                work.distrust(move.range, .copyInUse)
                return
            }
        }
        if case .shared(move.lengthBytes) = answer(move) {
            note(move, &work)
        } else {
            work.failure = BtrfsError("FIDEDUPERANGE", "an image", .ioError)
        }
    }

    func isReadable(_ file: any OpenFile, _ offset: FileOffset, _ length: ByteCount) -> Bool {
        unsafe withUnsafeTemporaryAllocation(byteCount: length.count, alignment: 8) { buffer in
            do throws(BtrfsError) {
                _ = unsafe try store.read(file, at: offset, into: buffer)
                return true
            } catch {
                return error.reason != .ioError
            }
        }
    }
}

extension Lane.Work {
    /// Moves that follow each other are one.
    fileprivate mutating func add(_ move: Move) {
        if let last = moved.last, last.reference == move.reference, move.follows(last),
            last.source.range == move.source.range
        {
            moved[moved.count - 1] = last.extended(by: move.lengthBytes)
        } else {
            moved.append(move)
        }
    }

    /// The part will be had from elsewhere in the next round.
    fileprivate mutating func distrust(_ range: Range<ByteCount>, _ reason: LeftAloneReason) {
        pending.distrusted.append(range)
        hasDoubt = true
        if reason != .changedMeanwhile { pending.keeperObstacle = reason }
    }
}

extension Move {
    fileprivate func part(_ part: Range<ByteCount>) -> Move {
        Move(
            target: target, reference: reference,
            range: (range.lowerBound + part.lowerBound)..<(range.lowerBound + part.upperBound),
            source: source, destination: destination)
    }

    fileprivate func extended(by length: ByteCount) -> Move {
        Move(
            target: target, reference: reference,
            range: range.lowerBound..<(range.upperBound + length), source: source,
            destination: destination)
    }

    fileprivate var sourceFileRange: Range<ByteCount> {
        let start = ByteCount(sourceOffset.rawValue)
        return start..<(start + lengthBytes)
    }

    fileprivate var destinationFileRange: Range<ByteCount> {
        let start = ByteCount(destinationOffset.rawValue)
        return start..<(start + lengthBytes)
    }

    fileprivate var sourceAsPlace: Replacement.Place? {
        source.identity.map { Replacement.Place(inode: $0, offset: sourceOffset) }
    }

    fileprivate func sourcePlace(
        _ inode: InodeIdentifier, copy: Replacement.Place?
    ) -> UnreadablePlace {
        UnreadablePlace(
            inode: inode, range: sourceOffset..<(sourceOffset + lengthBytes), copy: copy)
    }

    fileprivate func destinationPlace(copy: Replacement.Place?) -> UnreadablePlace {
        UnreadablePlace(
            inode: destination.inode,
            range: destinationOffset..<(destinationOffset + lengthBytes), copy: copy)
    }
}
