// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// A checksum for each sector of the plain content of each extent.
///
/// A crc32c is a hint and no proof: among the sectors of a terabyte 32 bits collide millions of
/// times. A match is a run of several, and the kernel compares every byte before it shares any.
public struct Fingerprints: Sendable {
    /// The checksums that are held in memory, in bytes: those of 32 GiB of content.
    public static let heldBytes = 32 << 20

    /// One extent.
    fileprivate struct Row: BitwiseCopyable, Sendable {
        /// Its first sector in `sums`.
        let start: UInt64
        /// Its index in the survey.
        let extent: UInt32
        /// Some of its sectors hold zeroes.
        let holdsZeroes: Bool
    }

    /// The extents; only those that could be fingerprinted.
    private let rows: Column<Row>
    /// The same for who looks for a place.
    private let scattered: Column<Row>
    /// By their first sectors, and by their indices in the survey.
    private let starts: Fences
    private let indices: Fences
    private let sums: SumStore
    /// The checksum of a sector of zeroes, as it is kept; nil where nobody has said it.
    let zeroSum: UInt32?

    fileprivate init(
        _ rows: Column<Row>, _ starts: Fences, _ indices: Fences, _ sums: SumStore,
        zeroSum: UInt32?
    ) throws(BtrfsError) {
        self.rows = rows
        scattered = try rows.scattered()
        self.starts = starts
        self.indices = indices
        self.sums = sums
        self.zeroSum = zeroSum
    }

    /// How many extents there are.
    public var count: Int { rows.count }

    /// An extent's index in the survey, by its position here.
    public func extent(_ position: Int) -> Int { Int(rows[position].extent) }

    /// Whether an extent, by its position, holds sectors of zeroes.
    func holdsZeroes(_ position: Int) -> Bool { rows[position].holdsZeroes }

    /// The position of an extent of the survey; nil when it is not there. They are in the survey's
    /// order.
    func position(ofExtent index: Int) -> Int? {
        let range = indices.range(of: UInt64(index))
        let place = rows.partitioningIndex(in: range) { Int($0.extent) >= index }
        return place < range.upperBound && extent(place) == index ? place : nil
    }

    /// How many sectors there are.
    public var sectorCount: Int { sums.count }

    /// The sectors of an extent, by its position.
    public func range(_ position: Int) -> Range<Int> {
        let next = position + 1
        let end = next < rows.count ? Int(rows[next].start) : sums.count
        return Int(rows[position].start)..<end
    }

    /// The extent that a place lies in, by its index in the survey, and its sectors.
    func keeper(at place: Int) -> (extent: Int, sectors: Range<Int>) {
        let position = position(at: place)
        let row = scattered[position]
        let end = position + 1 < count ? Int(scattered[position + 1].start) : sums.count
        return (Int(row.extent), Int(row.start)..<end)
    }

    /// The position of the extent that a place lies in.
    func position(at place: Int) -> Int {
        let range = starts.range(of: UInt64(place))
        return scattered.partitioningIndex(in: range) { Int($0.start) > place } - 1
    }

    /// From now on checksums are asked for here and there, or one behind the other again.
    func expectRandomReads(_ isRandom: Bool) { sums.expectRandomReads(isRandom) }

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

/// Keeps fingerprints as they come: extent by extent, in the survey's order.
public struct FingerprintWriter: Sendable {
    private var rows: ColumnWriter<Fingerprints.Row>
    private var starts = Fences()
    private var indices = Fences()
    private var sums: SumStore
    /// The checksum of a sector of zeroes, as it is kept; nil where nobody has said it.
    var zeroSum: UInt32?

    /// None yet.
    /// - Parameters:
    ///   - heldBytes: what may be held in memory of the checksums; the rest is spilled.
    ///   - spills: without them everything stays in memory.
    public init(
        heldBytes: Int = Fingerprints.heldBytes, spills: (any SpillSource)? = nil
    ) {
        sums = SumStore(heldBytes: heldBytes, spills: spills)
        rows = ColumnWriter(spills: spills)
    }

    /// Adds an extent's.
    /// - Parameters:
    ///   - extent: its index in the survey.
    ///   - closed: for each sector its checksum as `Fingerprints.closed` gives it.
    public mutating func append(extent: Int, closed new: [UInt32]) throws(BtrfsError) {
        starts.append(UInt64(sums.count))
        indices.append(UInt64(extent))
        try rows.append(
            Fingerprints.Row(
                start: UInt64(sums.count), extent: UInt32(extent),
                holdsZeroes: zeroSum.map(new.contains) ?? false))
        try sums.append(new)
    }

    /// The fingerprints. The writer is empty afterwards.
    public mutating func finish() throws(BtrfsError) -> Fingerprints {
        try Fingerprints(try rows.finish(), starts, indices, sums, zeroSum: zeroSum)
    }
}
