// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

extension Lane {
    /// Lets the pages of all that the batch will share from go, before any of it is read ahead.
    /// - Returns: what stays in the cache: nothing is shared from there.
    func refreshKeepers(
        of batch: [Pending], _ resolver: ReferenceResolver, _ outcome: inout ExecutionOutcome
    ) -> FreshSources.Stale {
        var parts: [FreshSources.Part] = []
        for pending in batch {
            for piece in pieces(of: pending.replacement) {
                guard let file = resolver.keeper(piece.keeper.inode) else { continue }
                parts.append(
                    FreshSources.Part(
                        inode: piece.keeper.inode, file: file, range: piece.keeperRange))
            }
            for source in pending.moved {
                guard let inode = source.identity else { continue }
                parts.append(
                    FreshSources.Part(inode: inode, file: source.file, range: source.fileRange))
            }
        }
        if parts.isEmpty { return FreshSources.Stale() }
        let stale = context.fresh.refresh(parts)
        for failure in stale.failures { outcome.add(failure) }
        return stale
    }

    /// Where the content stands already: where an earlier round has moved it, and the pieces whose
    /// keeper can be opened. What ends within a sector is always written anew: it needs a source
    /// that ends just there.
    func keepers(
        of pending: inout Pending, _ target: ReplacementTarget, _ resolver: ReferenceResolver,
        _ stale: FreshSources.Stale
    ) -> [Source] {
        let tailSectors = target.references.filter(\.isTail).map {
            $0.range.upperBound.roundedDown(to: store.sectorBytes)..<$0.range.upperBound
        }
        let pieces = pieces(of: pending.replacement)
        let isAsPlanned = pieces == pending.replacement.pieces
        let sources = pieces.compactMap { piece -> Source? in
            // An extent that has become the keeper of others keeps itself.
            guard isAsPlanned || !target.refersTo(piece),
                let file = resolver.keeper(piece.keeper.inode)
            else { return nil }
            return Source(
                range: piece.range, file: file, identity: piece.keeper.inode,
                offset: piece.keeper.offset, isLive: context.roles.isLive(piece.keeper.inode))
        }
        let planned = Ranges.totalBytes(pending.replacement.pieces.map(\.range))
        if !isAsPlanned, Ranges.totalBytes(sources.map(\.range)) < planned {
            pending.keeperObstacle = .copyUnreadable
        }
        let cached = (sources + pending.moved).flatMap { source in
            source.identity.map { source.contentRanges(stale.parts(of: source.fileRange, in: $0)) }
                ?? []
        }
        if !cached.isEmpty { pending.keeperObstacle = .copyInUse }
        let moved = Source.disjoint(pending.moved, excluding: tailSectors + cached)
        let excluded = pending.distrusted + tailSectors + cached + moved.map(\.range)
        return moved + Source.disjoint(sources, excluding: excluded)
    }

    /// Only when all have looked for themselves it is known who succeeds a bad keeper, the same for
    /// all; before that two lanes might take each other's place for it.
    private func pieces(of replacement: Replacement) -> [Replacement.Piece] {
        guard isLastPass else { return replacement.pieces }
        return replacement.pieces.flatMap { context.successors.pieces(for: $0) }
    }
}

extension Replacement.Piece {
    /// Where in the keeper's file.
    var keeperRange: Range<ByteCount> {
        let start = ByteCount(keeper.offset.rawValue)
        return start..<(start + (range.upperBound - range.lowerBound))
    }
}

extension ReplacementTarget {
    /// A reference of its own is at the piece's keeper.
    fileprivate func refersTo(_ piece: Replacement.Piece) -> Bool {
        references.contains { reference in
            let start = ByteCount(reference.fileOffset.rawValue)
            return reference.inode == piece.keeper.inode
                && piece.keeperRange.overlaps(start..<(start + reference.lengthBytes))
        }
    }
}

extension Source {
    /// Where in its file.
    var fileRange: Range<ByteCount> {
        let start = ByteCount(offset.rawValue)
        return start..<(start + (range.upperBound - range.lowerBound))
    }

    /// The parts of the content that ranges of its file hold.
    func contentRanges(_ parts: [Range<ByteCount>]) -> [Range<ByteCount>] {
        let start = fileRange.lowerBound
        return parts.map { part in
            let first = range.lowerBound + (part.lowerBound - start)
            return first..<(first + (part.upperBound - part.lowerBound))
        }
    }
}
