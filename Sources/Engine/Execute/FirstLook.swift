// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// What is read of a large extent before it is known whether it shrinks: a frame, and samples of
/// the rest. Photos and films cost no more than that. Pure.
struct FirstLook {
    let limits: ExecutionLimits
    let sectorBytes: ByteCount

    /// Samples that are packed together.
    static var samplesInFrame: Int { 8 }
    private static var framesOfSamples: Int { 4 }

    /// Whether the first frame, and samples, decide on the rest: of what is large and has nothing
    /// to gain but by packing. Where enough of the extent is in no use it gains as it is.
    func isDue(
        for replacement: Replacement, using used: [Range<ByteCount>],
        writing ranges: [Range<ByteCount>]
    ) -> Bool {
        guard case .packed = replacement.rewriting, replacement.aim == .space,
            replacement.isWrittenWhole
        else { return false }
        let plain = Ranges.totalBytes(used).roundedUp(to: sectorBytes)
        return Ranges.totalBytes(ranges) >= limits.sampledContent
            && !limits.isWorth(plain, of: replacement.diskBytes)
    }

    /// The same, of a part of an extent with all that uses it.
    func isDue(for target: ReplacementTarget, writing ranges: [Range<ByteCount>]) -> Bool {
        isDue(for: target.replacement, using: target.usedRanges, writing: ranges)
    }

    /// What to read of ranges that would be written: all of them where no look decides on the rest.
    func ranges(
        _ ranges: [Range<ByteCount>], of replacement: Replacement, using used: [Range<ByteCount>]
    ) -> [Range<ByteCount>] {
        // What is larger than a batch is judged as a whole, and else each range by itself.
        let isLarge = Ranges.totalBytes(ranges) > limits.batchContent
        let wholes = isLarge ? [ranges] : ranges.map { [$0] }
        return Ranges.union(
            wholes.flatMap { whole in
                guard isDue(for: replacement, using: used, writing: whole),
                    let first = whole.first
                else { return whole }
                let end = min(first.lowerBound + limits.frameContent, first.upperBound)
                return [first.lowerBound..<end] + samples(of: whole)
            })
    }

    /// The same, of a part of an extent with all that uses it.
    func ranges(
        _ ranges: [Range<ByteCount>], of target: ReplacementTarget
    ) -> [Range<ByteCount>] {
        self.ranges(ranges, of: target.replacement, using: target.usedRanges)
    }

    /// Two sectors each, at equal distances: eight, and eight more for every 4 MiB, up to 32.
    func samples(of ranges: [Range<ByteCount>]) -> [Range<ByteCount>] {
        let total = Ranges.totalBytes(ranges)
        let frames = min(total.count / ByteCount.mebibytes(4).count + 1, Self.framesOfSamples)
        let step = max(total.count / (frames * Self.samplesInFrame), 2 * sectorBytes.count)
        let stepBytes = ByteCount(step).roundedDown(to: sectorBytes)
        var samples: [Range<ByteCount>] = []
        var skip = ByteCount.zero
        for range in ranges {
            var start = range.lowerBound + skip
            while start < range.upperBound {
                samples.append(start..<min(start + sectorBytes + sectorBytes, range.upperBound))
                start = start + stepBytes
            }
            skip = start - range.upperBound
        }
        return samples
    }
}
