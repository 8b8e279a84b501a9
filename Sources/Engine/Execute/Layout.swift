// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// Parts of a target's content that have to be written anew.
struct WrittenPart: Sendable {
    let target: ReplacementTarget
    /// In order, apart from each other.
    let ranges: [Range<ByteCount>]
    /// What was written for it in earlier rounds, and may still be in use.
    let spent: ByteCount
    /// What metadata costs already: references that are pointed elsewhere, and leaves that
    /// snapshots share.
    let cost: ReplacementCost
    /// The references, those alike together.
    let census: ReferenceCensus

    /// Nothing is gained but by what it is joined with. What was begun is finished.
    var isForOrder: Bool { target.replacement.aim == .order && spent == .zero }
}

/// A stretch of a target's content, as a link of a chain.
struct Slice: Hashable, Sendable {
    /// The target's index in its batch.
    let target: Int
    let range: Range<ByteCount>
    /// What it takes in the extent that it comes from: by that the slices of a chain bear what they
    /// take together, so that one that is packed well already bears less.
    let oldBytes: ByteCount

    /// - Parameter oldBytes: as much as its content, where it is plain.
    init(target: Int, range: Range<ByteCount>, oldBytes: ByteCount? = nil) {
        self.target = target
        self.range = range
        self.oldBytes = oldBytes ?? (range.upperBound - range.lowerBound)
    }

    var lengthBytes: ByteCount { range.upperBound - range.lowerBound }
}

/// Slices that follow each other in every file that shows them: they are written one behind the
/// other and become one extent, or frames that reach over what were several.
struct Chain: Hashable, Sendable {
    var slices: [Slice]
    let rewriting: Replacement.Rewriting

    var lengthBytes: ByteCount { slices.reduce(ByteCount.zero) { $0 + $1.lengthBytes } }

    /// What stands in a range of it, in order.
    func slices(in range: Range<ByteCount>) -> [Slice] {
        var found: [Slice] = []
        var start = ByteCount.zero
        for slice in slices {
            let part = range.clamped(to: start..<(start + slice.lengthBytes))
            if !part.isEmpty {
                let from = slice.range.lowerBound + (part.lowerBound - start)
                let length = part.upperBound - part.lowerBound
                found.append(Slice(target: slice.target, range: from..<(from + length)))
            }
            start = start + slice.lengthBytes
        }
        return found
    }
}

/// Finds what may be written together. Pure.
///
/// Only neighbours are: an extent is given back whole or not at all, so that what is put into one
/// should also go at one time. Neighbours in all files do, for they were written for one purpose,
/// and they belong to the same qubes.
enum Layout {
    /// The chains of a batch, in its order. None is longer than the limits allow, but for a single
    /// slice.
    static func chains(
        _ parts: [(index: Int, part: WrittenPart)], limits: ExecutionLimits
    ) -> [Chain] {
        var chains: [Chain] = []
        var last: (part: WrittenPart, range: Range<ByteCount>)?
        for (index, part) in parts {
            for range in part.ranges {
                let replacement = part.target.replacement
                let slice = Slice(
                    target: index, range: range, oldBytes: replacement.diskBytes(of: range))
                let rewriting = replacement.rewriting
                let limit = replacement.aim == .space ? limits.chain : limits.batchContent
                if let last, let chain = chains.last, chain.rewriting == rewriting,
                    chain.lengthBytes + slice.lengthBytes <= limit,
                    !fillsFrame(last.part, last.range, limits), !fillsFrame(part, range, limits),
                    areNeighbours(last.part.target, last.range, part.target, range)
                {
                    chains[chains.count - 1].slices.append(slice)
                } else {
                    chains.append(Chain(slices: [slice], rewriting: rewriting))
                }
                last = (part, range)
            }
        }
        return chains
    }

    /// A packed extent of as much as a frame can hold has nothing to gain from neighbours where it
    /// is packed again: each bears its own frame, and none is packed again because another does not
    /// gain.
    private static func fillsFrame(
        _ part: WrittenPart, _ range: Range<ByteCount>, _ limits: ExecutionLimits
    ) -> Bool {
        part.target.replacement.isPacked && part.target.replacement.aim != .plain
            && range.upperBound - range.lowerBound >= limits.frameContent
    }

    /// Every file that shows the end of the first goes on with the start of the second, and no
    /// other file shows that.
    private static func areNeighbours(
        _ first: ReplacementTarget, _ range: Range<ByteCount>,
        _ second: ReplacementTarget, _ next: Range<ByteCount>
    ) -> Bool {
        let ends = first.references.filter {
            $0.range.lowerBound < range.upperBound && $0.range.upperBound >= range.upperBound
        }.map { Replacement.Place(inode: $0.inode, offset: $0.fileOffset(of: range.upperBound)) }
        let starts = second.references.filter { $0.range.contains(next.lowerBound) }
            .map { Replacement.Place(inode: $0.inode, offset: $0.fileOffset(of: next.lowerBound)) }
        return !ends.isEmpty && Set(ends) == Set(starts)
    }

    /// What each target has to bear of a total, by its share of what the chain takes now; the last
    /// bears the rest.
    static func charges(_ chain: Chain, total: ByteCount) -> [(target: Int, bytes: ByteCount)] {
        let old = chain.slices.reduce(ByteCount.zero) { $0 + $1.oldBytes }.rawValue
        var left = total
        return chain.slices.enumerated().map { index, slice in
            let isLast = index == chain.slices.count - 1
            let share = total.rawValue.multipliedFullWidth(by: slice.oldBytes.rawValue)
            let bytes =
                isLast || old == 0
                ? left : min(left, ByteCount(old.dividingFullWidth(share).quotient))
            left = left - bytes
            return (slice.target, bytes)
        }
    }
}
