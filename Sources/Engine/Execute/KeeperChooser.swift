// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// A source that stands in an image already.
struct Keeper: Sendable {
    let source: Source
    /// Where in the content one of the items ends that its range consists of, and the next begins.
    let joints: [ByteCount]
}

/// Finds where the content of a round's targets stands already.
struct KeeperChooser: Sendable {
    let context: LaneContext
    /// All have looked for themselves: successors of bad keepers are known.
    let isLastPass: Bool

    private var store: any ExtentStore { context.store }

    /// Lets the pages of all that the round will share from go, before any of it is read ahead.
    /// - Returns: what stays in the cache: nothing is shared from there.
    func refresh(
        for batch: [PendingReplacement], _ resolver: ReferenceResolver
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
                guard let inode = source.image else { continue }
                parts.append(
                    FreshSources.Part(inode: inode, file: source.file, range: source.fileRange))
            }
        }
        return parts.isEmpty ? FreshSources.Stale() : context.fresh.refresh(parts)
    }

    /// Where the content stands already: where an earlier round has moved it, and the pieces whose
    /// keeper can be opened.
    func choose(
        for pending: PendingReplacement, _ target: ReplacementTarget,
        _ resolver: ReferenceResolver, _ stale: FreshSources.Stale
    ) -> (keepers: [Keeper], pending: PendingReplacement) {
        var pending = pending
        let pieces = pieces(of: pending.replacement)
        let isAsPlanned = pieces == pending.replacement.pieces
        let sources = pieces.compactMap { piece -> Source? in
            // An extent that has become the keeper of others keeps itself.
            guard isAsPlanned || !target.refersTo(piece),
                let file = resolver.keeper(piece.keeper.inode)
            else { return nil }
            return Source(
                range: piece.range, file: file, origin: .image(piece.keeper.inode),
                offset: piece.keeper.offset, isLive: context.roles.isLive(piece.keeper.inode))
        }
        let holes = context.zeroes.map { Source.holes(pending.replacement.holes, in: $0) } ?? []
        let planned = Ranges.totalBytes(pending.replacement.pieces.map(\.range))
        if !isAsPlanned, Ranges.totalBytes(sources.map(\.range)) < planned {
            pending.keeperObstacle = .copyUnreadable
        }
        let cached = Self.cachedRanges(sources + pending.moved, stale)
        if !cached.isEmpty { pending.keeperObstacle = .copyInUse }
        let usable = Self.usable(
            sources + holes, after: pending, cached: cached,
            tails: target.tailSectors(sectorBytes: store.sectorBytes))
        let keepers = usable.map { Keeper(source: $0, joints: joints(of: $0)) }
        return (keepers, pending)
    }

    /// The parts of the content whose source stays in the cache. Pure.
    private static func cachedRanges(
        _ sources: [Source], _ stale: FreshSources.Stale
    ) -> [Range<ByteCount>] {
        sources.flatMap { source in
            source.image.map { source.contentRanges(stale.parts(of: source.fileRange, in: $0)) }
                ?? []
        }
    }

    /// What was moved comes first. What ends within a sector is always written anew: it needs a
    /// source that ends just there. Pure.
    private static func usable(
        _ sources: [Source], after pending: PendingReplacement, cached: [Range<ByteCount>],
        tails: [Range<ByteCount>]
    ) -> [Source] {
        let moved = Source.disjoint(pending.moved, excluding: tails + cached)
        let excluded = pending.distrusted + tails + cached + moved.map(\.range)
        return moved + Source.disjoint(sources, excluding: excluded)
    }

    /// Where the items meet that a source's range consists of now: another replacement may have
    /// packed it.
    private func joints(of source: Source) -> [ByteCount] {
        guard let inode = source.image, source.lengthBytes > context.limits.frameContent
        else { return [] }
        var joints: [ByteCount] = []
        let end = source.offset + (source.lengthBytes - ByteCount(UInt64(1)))
        try? store.forEachFileExtent(of: inode, from: source.offset, through: end) {
            (extent) throws(BtrfsError) in
            guard extent.fileOffset > source.offset else { return }
            joints.append(source.range.lowerBound + (extent.fileOffset - source.offset))
        }
        return joints
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

    /// The sectors in which files end.
    fileprivate func tailSectors(sectorBytes: ByteCount) -> [Range<ByteCount>] {
        references.filter(\.isTail).map {
            $0.range.upperBound.roundedDown(to: sectorBytes)..<$0.range.upperBound
        }
    }
}
