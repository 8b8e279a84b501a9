// SPDX-License-Identifier: GPL-2.0-or-later

/// A run of an extent's sectors that stands elsewhere too.
struct Run: Equatable {
    /// The sectors, as places in `Fingerprints.sectors`.
    let sectors: Range<Int>
    /// Where the first of them stands as well.
    let keeper: Int
}

/// Finds runs of an extent in what was entered before. Pure.
struct Matcher {
    private let fingerprints: Fingerprints
    /// For each sector's place, the extent it belongs to is found by bisection in these starts.
    private let ranges: [Range<Int>]
    private var index: AnchorIndex

    init(_ fingerprints: Fingerprints) {
        self.fingerprints = fingerprints
        ranges = fingerprints.extents.indices.map(fingerprints.range)
        index = AnchorIndex(expected: fingerprints.sectors.count / 2)
    }

    /// The hashes of an extent and its anchors, as places within it.
    struct Anchors {
        let hashes: [UInt64?]
        let places: [Int]
    }

    func anchors(of position: Int) -> Anchors {
        let range = fingerprints.range(position)
        let hashes = WindowHashes.hashes(
            fingerprints.sectors[range], usable: fingerprints.isUsable[range])
        return Anchors(hashes: hashes, places: WindowHashes.anchors(hashes))
    }

    /// Enters an extent's anchors for others to be matched with. `salt` keeps groups apart.
    mutating func enter(
        _ anchors: Anchors, of position: Int, salt: UInt64, where isWanted: (Int) -> Bool
    ) {
        let start = fingerprints.range(position).lowerBound
        for place in anchors.places {
            if let hash = anchors.hashes[place], isWanted(start + place) {
                index.enter(hash ^ salt, place: start + place)
            }
        }
    }

    /// The runs of an extent that stand in what was entered under any of the salts: in order, apart
    /// from each other, each as long as it can be.
    func runs(_ anchors: Anchors, of position: Int, salts: [UInt64]) -> [Run] {
        let range = fingerprints.range(position)
        var runs: [Run] = []
        var covered = range.lowerBound
        for place in anchors.places {
            let here = range.lowerBound + place
            guard here >= covered, let hash = anchors.hashes[place] else { continue }
            let candidates = salts.compactMap { index.place(of: hash ^ $0) }
            let best = candidates.map { extend(here, $0, within: covered..<range.upperBound) }
                .max { $0.sectors.count < $1.sectors.count }
            if let best, best.sectors.count >= WindowHashes.sectors {
                runs.append(best)
                covered = best.sectors.upperBound
            }
        }
        return runs
    }

    /// The longest run around two places with equal checksums.
    private func extend(_ here: Int, _ there: Int, within limits: Range<Int>) -> Run {
        let other = extent(at: there)
        var start = 0
        while here - start > limits.lowerBound, there - start > other.lowerBound,
            areEqual(here - start - 1, there - start - 1)
        {
            start += 1
        }
        var end = 0
        while here + end < limits.upperBound, there + end < other.upperBound,
            areEqual(here + end, there + end)
        {
            end += 1
        }
        return Run(sectors: (here - start)..<(here + end), keeper: there - start)
    }

    private func areEqual(_ here: Int, _ there: Int) -> Bool {
        fingerprints.sectors[here] == fingerprints.sectors[there]
            && fingerprints.isUsable[here] && fingerprints.isUsable[there]
    }

    /// The sectors of the extent that a place lies in.
    func extent(at place: Int) -> Range<Int> { ranges[extentPosition(at: place)] }

    /// The position in `Fingerprints.extents` of the extent that a place lies in.
    func extentPosition(at place: Int) -> Int {
        var low = 0
        var high = ranges.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if ranges[middle].lowerBound <= place { low = middle } else { high = middle }
        }
        return low
    }
}
