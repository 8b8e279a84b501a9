// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// A checksum for each sector of the plain content of each extent.
///
/// A crc32c is a hint and no proof: among the sectors of a terabyte 32 bits collide millions of
/// times. A match is a run of several, and the kernel compares every byte before it shares any.
public struct Fingerprints: Sendable {
    /// The checksums that are held in memory, in bytes: those of 32 GiB of content.
    public static let heldBytes = 32 << 20

    /// The extents, by their index in the survey; only those that could be fingerprinted.
    public private(set) var extents: [Int] = []
    /// For each of `extents` its first sector in `sums`, and one more for the end.
    private var starts: [Int] = [0]
    private var sums: SumStore
    /// The checksum of a sector of zeroes, as it is kept; nil where nobody has said it.
    var zeroSum: UInt32?
    /// Which of `extents` hold such sectors.
    private var zeroes: [Bool] = []

    /// None yet.
    /// - Parameters:
    ///   - heldBytes: what may be held in memory; the rest goes to `spill`.
    ///   - spill: a file for these alone; without one everything stays in memory.
    public init(heldBytes: Int = Fingerprints.heldBytes, spill: (any SpillFile)? = nil) {
        sums = SumStore(heldBytes: heldBytes, spill: spill)
    }

    /// Adds an extent's.
    /// - Parameter closed: for each sector its checksum as `closed` gives it.
    public mutating func append(extent: Int, closed new: [UInt32]) throws(BtrfsError) {
        try sums.append(new)
        extents.append(extent)
        starts.append(sums.count)
        zeroes.append(zeroSum.map(new.contains) ?? false)
    }

    /// Whether an extent, by its position in `extents`, holds sectors of zeroes.
    func holdsZeroes(_ position: Int) -> Bool { zeroes[position] }

    /// The position in `extents` of an extent of the survey; nil when it is not there. They are in
    /// the survey's order.
    func position(ofExtent index: Int) -> Int? {
        var low = 0
        var high = extents.count
        while low < high {
            let middle = (low + high) / 2
            if extents[middle] < index { low = middle + 1 } else { high = middle }
        }
        return low < extents.count && extents[low] == index ? low : nil
    }

    /// How many sectors there are.
    public var sectorCount: Int { sums.count }

    /// The sectors of an extent, by its position in `extents`.
    public func range(_ position: Int) -> Range<Int> { starts[position]..<starts[position + 1] }

    /// The sectors of the extent that a place lies in.
    func extent(at place: Int) -> Range<Int> { range(position(at: place)) }

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

    /// For looking at the checksums.
    func reader() -> SumReader { SumReader(sums) }

    // MARK: What is of no use

    /// What stands for a sector that no file shows, or whose checksum is not known. A checksum that
    /// happens to be the same becomes its neighbour: equal ones stay equal, and one more pair of
    /// the 2³² agrees by chance.
    public static let useless: UInt32 = 0

    /// A checksum as it is kept; nil when the sector is of no use.
    public static func closed(_ sum: UInt32?) -> UInt32 {
        guard let sum else { return useless }
        return sum == useless ? 1 : sum
    }

    /// A checksum, from what is kept.
    @inline(__always)
    static func opened(_ closed: UInt32) -> UInt32? { closed == useless ? nil : closed }
}
