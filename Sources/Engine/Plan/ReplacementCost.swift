// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// What metadata costs on one file system, weighed against data. Pure.
///
/// A byte of data or of metadata takes as many bytes of the devices as its profile keeps copies.
/// Costs are given in bytes of data: what a replacement frees less what it costs is what the
/// devices get back.
public struct MetadataPrice: Equatable, Sendable {
    /// Of a reference that comes: 53 bytes for the file's item and 28 for the extent's back
    /// reference, each with a key of 25, and a tenth, for leaves are not full.
    static let newReferenceBytes: UInt64 = 144
    /// Of a reference that goes: the file's item. That the rest comes back as well is not counted
    /// on: leaves give space back only when they can be joined.
    static let oldReferenceBytes: UInt64 = 78
    /// Of an extent that comes: 24 bytes with a key of 25, and what its checksums and its part in
    /// the tree of free space take more than those of one in its place.
    static let newExtentBytes: UInt64 = 64
    /// Of an extent that goes.
    static let oldExtentBytes: UInt64 = 49
    /// Of a reference, in a leaf that is half full after it was split.
    static let itemInSplitLeafBytes: UInt64 = 156

    /// The size of a node of a tree.
    public let nodeBytes: ByteCount
    /// How many bytes of the devices a byte of data takes; of a profile with parity 1, as if it
    /// cost nothing.
    public let dataCopies: UInt64
    /// The same of metadata; with parity what the narrowest stripe takes.
    public let metadataCopies: UInt64

    /// Makes a price.
    public init(nodeBytes: ByteCount, dataCopies: UInt64, metadataCopies: UInt64) {
        self.nodeBytes = nodeBytes
        self.dataCopies = max(dataCopies, 1)
        self.metadataCopies = max(metadataCopies, 1)
    }

    /// On a file system as `mkfs.btrfs` makes it on one disk: data once, metadata twice.
    public static let usual = MetadataPrice(
        nodeBytes: .kibibytes(16), dataCopies: 1, metadataCopies: 2)

    /// Bytes of trees in bytes of data, rounded up.
    public func dataBytes(ofMetadata bytes: UInt64) -> ByteCount {
        let (product, overflow) = bytes.multipliedReportingOverflow(by: metadataCopies)
        return overflow
            ? ByteCount(UInt64.max >> 1) : ByteCount((product + dataCopies - 1) / dataCopies)
    }
}

/// What replacing an extent costs in metadata: asked by planner, executor and estimator. Pure.
public struct ReplacementCost: Equatable, Sendable {
    /// Bytes of the trees that come.
    private(set) var comingBytes: UInt64 = 0
    /// Bytes of the trees that go.
    private(set) var goingBytes: UInt64 = 0
    /// What of those that come is for leaves that snapshots share.
    private var unsharingBytes: UInt64 = 0

    /// Of replacing an extent with so many references by nothing yet.
    init(references: Int) {
        goingBytes =
            UInt64(references) * MetadataPrice.oldReferenceBytes + MetadataPrice.oldExtentBytes
    }

    /// References come.
    mutating func add(references: Int) {
        comingBytes += UInt64(references) * MetadataPrice.newReferenceBytes
    }

    /// Extents come; each may be shared with others that bear a part of it.
    mutating func add(extents: Int) {
        comingBytes += UInt64(extents) * MetadataPrice.newExtentBytes
    }

    /// Holes come: with the feature no-holes they take nothing, without it the file's item.
    mutating func add(holes: Int) { comingBytes += UInt64(holes) * MetadataPrice.oldReferenceBytes }

    /// Bytes of the trees come.
    mutating func add(bytes: UInt64) { comingBytes += bytes }

    /// Leaves that snapshots share get copies: bytes of the trees.
    mutating func add(unsharing bytes: UInt64) {
        comingBytes += bytes
        unsharingBytes += bytes
    }

    /// The same where others have changed those leaves already.
    var withoutUnsharing: ReplacementCost {
        var cost = self
        cost.comingBytes -= unsharingBytes
        cost.unsharingBytes = 0
        return cost
    }

    /// By how much trees grow, in bytes of the trees; what they shrink by is no gain.
    var grownBytes: UInt64 { comingBytes - min(goingBytes, comingBytes) }

    /// The same as a count.
    var growth: ByteCount { ByteCount(grownBytes) }

    /// The same in bytes of data.
    func dataBytes(at price: MetadataPrice) -> ByteCount {
        price.dataBytes(ofMetadata: grownBytes)
    }

    /// What leaves cost that snapshots share: whoever changes an item in one gets a leaf, and at
    /// first a node above it, of his own. In bytes of the trees, for all items of one file that are
    /// changed together.
    static func unsharingBytes(
        items: Int, isRootShared: Bool, at price: MetadataPrice
    ) -> UInt64 {
        guard items > 0 else { return 0 }
        let nodes = price.nodeBytes.rawValue * (isRootShared ? 2 : 1)
        return nodes + UInt64(items) * MetadataPrice.itemInSplitLeafBytes
    }
}

/// The references to one extent, those alike counted together. Pure.
struct ReferenceCensus: Sendable {
    private struct Shape: Hashable {
        let range: Range<ByteCount>
        let isLive: Bool
    }

    private var shapes: [Shape: Int] = [:]
    /// All of them.
    private(set) var count = 0

    init() {}

    init(_ references: [OpenReference]) {
        for reference in references { add(reference.range, isLive: reference.isLive) }
    }

    mutating func add(_ range: Range<ByteCount>, isLive: Bool = false) {
        shapes[Shape(range: range, isLive: isLive), default: 0] += 1
        count += 1
    }

    /// How many show a part of a range.
    func showing(_ range: Range<ByteCount>) -> Int {
        shapes.reduce(0) { $0 + ($1.key.range.overlaps(range) ? $1.value : 0) }
    }

    /// How many items come when what they show of a range is pointed to items that meet at joints,
    /// which are in order.
    func items(over range: Range<ByteCount>, joints: [ByteCount]) -> Int {
        shapes.reduce(0) { sum, shape in
            let part = shape.key.range.clamped(to: range)
            guard !part.isEmpty else { return sum }
            let inside = joints.partitioningIndex { $0 >= part.upperBound }
            let before = joints.partitioningIndex { $0 > part.lowerBound }
            return sum + shape.value * (inside - before + 1)
        }
    }

    /// How many items come when what they show of a range is pointed to extents of `unit`, of which
    /// one starts `lead` before the range.
    func items(
        over range: Range<ByteCount>, unit: ByteCount, liveUnit: ByteCount, lead: ByteCount = .zero
    ) -> Int {
        shapes.reduce(0) { sum, shape in
            let part = shape.key.range.clamped(to: range)
            guard !part.isEmpty else { return sum }
            let unit = (shape.key.isLive ? min(unit, liveUnit) : unit).rawValue
            let start = (part.lowerBound - range.lowerBound + lead).rawValue
            let end = (part.upperBound - range.lowerBound + lead).rawValue
            return sum + shape.value * Int((end - 1) / unit - start / unit + 1)
        }
    }
}
