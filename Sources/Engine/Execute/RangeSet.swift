// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// Positions of a file, kept as ranges in order that do not touch. Pure.
struct RangeSet: Equatable, Sendable {
    private(set) var ranges: [Range<ByteCount>] = []

    /// The first range that ends at a position or behind it.
    private func firstIndex(endingAtOrBehind position: ByteCount) -> Int {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < position { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Adds a range, and joins it with what it touches.
    mutating func insert(_ range: Range<ByteCount>) {
        guard !range.isEmpty else { return }
        let first = firstIndex(endingAtOrBehind: range.lowerBound)
        var last = first
        var joined = range
        while last < ranges.count, ranges[last].lowerBound <= range.upperBound {
            let lower = min(joined.lowerBound, ranges[last].lowerBound)
            joined = lower..<max(joined.upperBound, ranges[last].upperBound)
            last += 1
        }
        ranges.replaceSubrange(first..<last, with: [joined])
    }

    /// Takes a range out, and cuts what reaches over its ends.
    mutating func remove(_ range: Range<ByteCount>) {
        guard !range.isEmpty else { return }
        let first = firstIndex(endingAtOrBehind: range.lowerBound)
        var last = first
        var left: [Range<ByteCount>] = []
        while last < ranges.count, ranges[last].lowerBound < range.upperBound {
            let known = ranges[last]
            if known.lowerBound < range.lowerBound {
                left.append(known.lowerBound..<min(known.upperBound, range.lowerBound))
            }
            if range.upperBound < known.upperBound {
                left.append(max(known.lowerBound, range.upperBound)..<known.upperBound)
            }
            last += 1
        }
        ranges.replaceSubrange(first..<last, with: left)
    }

    /// What of a range is in the set.
    func parts(of range: Range<ByteCount>) -> [Range<ByteCount>] {
        var found: [Range<ByteCount>] = []
        var index = firstIndex(endingAtOrBehind: range.lowerBound)
        while index < ranges.count, ranges[index].lowerBound < range.upperBound {
            let part = ranges[index].clamped(to: range)
            if !part.isEmpty { found.append(part) }
            index += 1
        }
        return found
    }

    /// What of a range is not in the set.
    func missing(of range: Range<ByteCount>) -> [Range<ByteCount>] {
        Ranges.subtract(parts(of: range), from: [range])
    }
}
