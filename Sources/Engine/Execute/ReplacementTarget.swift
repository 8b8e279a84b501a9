// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// A file that refers to an extent which is being replaced, open.
struct OpenReference: Sendable {
    /// The file.
    let file: any OpenFile
    /// Which file it is.
    let inode: InodeIdentifier
    /// Where in the file.
    let fileOffset: FileOffset
    /// Where in the extent's content.
    let offsetInExtent: ByteCount
    /// How long: whole sectors, but for a tail.
    let lengthBytes: ByteCount
    /// It ends with its file, within a sector.
    let isTail: Bool
    /// A qube may be writing to the file now.
    let isLive: Bool
    /// Allocated, and not yet written: it reads as zeroes.
    var isPreallocated = false
    /// The leaf that holds the item may be a part of a snapshot as well.
    var isLeafShared = false
    /// So may be the topmost node above it.
    var isRootShared = false

    var range: Range<ByteCount> { offsetInExtent..<(offsetInExtent + lengthBytes) }

    /// Where in the file a position of the extent's content stands.
    func fileOffset(of position: ByteCount) -> FileOffset {
        fileOffset + (position - offsetInExtent)
    }
}

/// An extent with all of its references resolved, ready to be replaced.
struct ReplacementTarget: Sendable {
    let replacement: Replacement
    /// Every reference there is; tails last.
    let references: [OpenReference]
    /// The parts of the content that any of them uses: in order, apart from each other.
    let usedRanges: [Range<ByteCount>]

    /// What the kernel compares when all of them move.
    var comparedBytes: ByteCount { references.reduce(ByteCount.zero) { $0 + $1.lengthBytes } }
}

/// Arithmetic on sorted ranges that do not touch. Pure.
enum Ranges {
    /// The union of ranges in any order.
    static func union(_ ranges: some Sequence<Range<ByteCount>>) -> [Range<ByteCount>] {
        var result: [Range<ByteCount>] = []
        for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) where !range.isEmpty {
            if let last = result.last, range.lowerBound <= last.upperBound {
                result[result.count - 1] =
                    last.lowerBound..<max(last.upperBound, range.upperBound)
            } else {
                result.append(range)
            }
        }
        return result
    }

    /// What of `ranges` none of `others` covers; both in any order.
    static func subtract(
        _ others: [Range<ByteCount>], from ranges: [Range<ByteCount>]
    ) -> [Range<ByteCount>] {
        let sorted = union(others)
        var result: [Range<ByteCount>] = []
        for range in ranges {
            var start = range.lowerBound
            for other in sorted where other.overlaps(range) {
                if start < other.lowerBound { result.append(start..<other.lowerBound) }
                start = max(start, min(other.upperBound, range.upperBound))
            }
            if start < range.upperBound { result.append(start..<range.upperBound) }
        }
        return result
    }

    /// Cuts ranges at every whole multiple of `unit`.
    static func cut(
        _ ranges: [Range<ByteCount>], atMultiplesOf unit: ByteCount
    ) -> [Range<ByteCount>] {
        var result: [Range<ByteCount>] = []
        for range in ranges {
            var start = range.lowerBound
            while start < range.upperBound {
                let end = min((start + ByteCount(1)).roundedUp(to: unit), range.upperBound)
                result.append(start..<end)
                start = end
            }
        }
        return result
    }

    /// The length of all together.
    static func totalBytes(_ ranges: [Range<ByteCount>]) -> ByteCount {
        ranges.reduce(ByteCount.zero) { $0 + ($1.upperBound - $1.lowerBound) }
    }
}
