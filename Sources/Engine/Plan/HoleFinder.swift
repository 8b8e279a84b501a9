// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// Finds what of an extent can become a hole: it reads as zeroes, and takes room. Pure.
///
/// A hole tells nobody anything, so that no group matters. Whether a run of zeroes is worth one is
/// asked with the price: each hole cuts the rest in two, in every file that shows it.
struct HoleFinder {
    private let survey: Survey
    private let fingerprints: Fingerprints
    private let scope: Scope
    private let price: MetadataPrice
    private let sectorBytes: ByteCount
    private var reader: SumReader
    private var cursor = SumCursor()

    init(
        _ survey: Survey, _ fingerprints: Fingerprints, _ scope: Scope, _ price: MetadataPrice,
        sectorBytes: ByteCount
    ) {
        self.survey = survey
        self.fingerprints = fingerprints
        self.scope = scope
        self.price = price
        self.sectorBytes = sectorBytes
        reader = fingerprints.reader()
    }

    /// The parts of an extent's content that shall become holes: in order, apart from each other.
    /// - Parameters:
    ///   - position: where the extent is in the fingerprints; nil when it is not.
    ///   - packedUnit: what is packed together, where the rest is packed: zeroes within it take
    ///     nothing, and only what fills one is worth a hole.
    mutating func holes(
        in extent: Survey.Extent, at position: Int?, packedUnit: ByteCount? = nil
    ) throws(BtrfsError) -> [Range<ByteCount>] {
        guard scope.makesHoles(in: extent, of: survey) else { return [] }
        let known = survey.preallocatedRanges(of: extent)
        guard let position, fingerprints.holdsZeroes(position) else { return known }
        let all = Ranges.union(try zeroes(at: position) + known)
        let used = survey.usedRanges(of: extent)
        let least = max(leastBytes(references: extent.references.count), packedUnit ?? .zero)
        return all.filter { range in
            range.upperBound - range.lowerBound >= least || used.contains(range)
                || known.contains { $0.overlaps(range) }
        }
    }

    /// What a hole has to bring: more than the items that it costs.
    private func leastBytes(references: Int) -> ByteCount {
        var cost = ReplacementCost(references: 0)
        cost.add(references: references)
        cost.add(extents: 1)
        let few = ByteCount(UInt64(WindowHashes.sectors) * sectorBytes.rawValue)
        return max(few, cost.dataBytes(at: price) + sectorBytes)
    }

    /// The runs of sectors that are zeroes, in bytes of the content.
    private mutating func zeroes(at position: Int) throws(BtrfsError) -> [Range<ByteCount>] {
        let sectors = fingerprints.range(position)
        var runs: [Range<ByteCount>] = []
        var start: Int?
        for place in sectors.lowerBound...sectors.upperBound {
            var isZero = false
            if place < sectors.upperBound {
                isZero = try cursor.sum(at: place, &reader) == fingerprints.zeroSum
            }
            if isZero, start == nil { start = place }
            if !isZero, let first = start {
                runs.append(
                    bytes(first - sectors.lowerBound)..<bytes(place - sectors.lowerBound))
                start = nil
            }
        }
        return runs
    }

    private func bytes(_ sectors: Int) -> ByteCount {
        ByteCount(UInt64(sectors) * sectorBytes.rawValue)
    }
}

extension Survey {
    /// Nothing of an extent was ever written.
    func isPreallocated(_ extent: Extent) -> Bool {
        references(to: extent).allSatisfy(\.isPreallocated)
    }
}
