// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemPackage

extension Lane {
    /// Moves every reference, reading ahead of the kernel's compare: of each extent the last one
    /// only when all others have followed.
    ///
    /// A batch whose references show much goes in waves: when the job is cancelled the next one is
    /// not begun, and of the one in work what is less is done: the rest, or taking back.
    func share(_ works: inout [Work]) {
        for wave in Waves.make(works, limit: limits.compareTogether) where !control.isCancelled {
            let moves = wave.flatMap { index in
                ShareRequests.moves(
                    target: index, works[index].target, sources: works[index].sources)
            }
            var left = moves.reduce(ByteCount.zero) { $0 + $1.lengthBytes }
            let half = ByteCount(left.rawValue / 2)
            share(moves.filter { $0.reference != works[$0.target].lastReference }, &works) {
                left = left - min($0, left)
                return !control.isCancelled || left < half
            }
            share(
                moves.filter {
                    $0.reference == works[$0.target].lastReference && !works[$0.target].hasDoubt
                }, &works
            ) { _ in !control.isCancelled || left < half }
            // Made read-only by the kernel: no other request will go.
            if works[wave].contains(where: { $0.failure?.reason == .readOnlyFileSystem }) { return }
        }
    }

    /// - Parameter mayGoOn: told what the next request compares, says whether it may be made.
    private func share(
        _ moves: [Move], _ works: inout [Work], mayGoOn: (ByteCount) -> Bool
    ) {
        let requests = ShareRequests.make(moves, limits: limits)
        var nextPrefetch = 0
        var ahead = ByteCount.zero
        for request in requests {
            guard mayGoOn(request.lengthBytes) else { return }
            while nextPrefetch < requests.count, ahead < limits.prefetchAhead {
                prefetch(requests[nextPrefetch])
                ahead += requests[nextPrefetch].lengthBytes
                nextPrefetch += 1
            }
            ahead = ahead - min(request.lengthBytes, ahead)
            share(request, &works)
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
    private func share(_ request: ShareRequest, _ works: inout [Work]) {
        let wanted = request.moves.filter { works[$0.target].failure == nil }
        if wanted.count > 1, wanted.count == request.moves.count, let first = wanted.first,
            case .shared(request.lengthBytes) = try? store.share(
                first.source.file, at: first.sourceOffset, lengthBytes: request.lengthBytes,
                with: first.destination.file, at: first.destinationOffset)
        {
            for move in wanted { works[move.target].moved.append(move) }
            return
        }
        for move in wanted where works[move.target].failure == nil {
            share(move, &works[move.target])
        }
    }

    private func share(_ move: Move, _ work: inout Work) {
        var done = ByteCount.zero
        // What was done stays known, even where the rest of it failed.
        defer { if done > .zero { work.moved.append(move.prefix(done)) } }
        do throws(BtrfsError) {
            while done < move.lengthBytes {
                let result = try store.share(
                    move.source.file, at: move.sourceOffset + done,
                    lengthBytes: move.lengthBytes - done, with: move.destination.file,
                    at: move.destinationOffset + done)
                switch result {
                case .shared(let count) where count > .zero:
                    done += count
                case .shared, .differs:
                    // From a keeper: equal checksums, other bytes. From the scratch file: a qube
                    // has written there, and what it wrote does not refer to the extent any more.
                    if move.source.isKeeper {
                        work.pending.distrusted.append(move.range)
                        work.hasDoubt = true
                    }
                    return
                case .failed(let reason):
                    throw BtrfsError("FIDEDUPERANGE", "an image", reason)
                }
            }
        } catch {
            work.failure = error
        }
    }
}
