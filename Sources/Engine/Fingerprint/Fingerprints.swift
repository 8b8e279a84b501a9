// SPDX-License-Identifier: GPL-2.0-or-later

/// A checksum for each sector of the plain content of each extent.
///
/// A crc32c is a hint and no proof: among the sectors of a terabyte 32 bits collide millions of
/// times. A match is a run of several, and the kernel compares every byte before it shares any.
public struct Fingerprints: Sendable {
    /// The extents, by their index in the survey; only those that could be fingerprinted.
    public private(set) var extents: [Int] = []
    /// For each of `extents` its first sector in `sectors`, and one more for the end.
    private var starts: [Int] = [0]
    /// The checksums, extent after extent.
    public private(set) var sectors: [UInt32] = []
    /// For each sector: a file uses it, and its checksum is known.
    public private(set) var isUsable: [Bool] = []

    /// None yet.
    public init() {}

    /// Adds an extent's.
    public mutating func append(extent: Int, sectors new: [UInt32], isUsable usable: [Bool]) {
        extents.append(extent)
        sectors += new
        isUsable += usable
        starts.append(sectors.count)
    }

    /// The sectors of an extent, by its position in `extents`.
    public func range(_ position: Int) -> Range<Int> { starts[position]..<starts[position + 1] }
}

extension Fingerprints: SectorSums {
    /// How many sectors there are.
    public var sectorCount: Int { sectors.count }

    /// A sector's checksum; nil when it is of no use.
    public func sum(at place: Int) -> UInt32? { isUsable[place] ? sectors[place] : nil }

    /// The sectors of the extent that a place lies in.
    public func extent(at place: Int) -> Range<Int> { range(position(at: place)) }

    /// The position in `extents` of the extent that a place lies in.
    func position(at place: Int) -> Int {
        var low = 0
        var high = starts.count - 1
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= place { low = middle } else { high = middle }
        }
        return low
    }
}
