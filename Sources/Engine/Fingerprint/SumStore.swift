// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// Checksums in a row, however many: the first of them in memory, the rest in a file, in blocks.
///
/// A bounded number of blocks is held. A set of images that fits into them never touches the file,
/// and reading from them costs no more than reading from arrays.
struct SumStore: Sendable {
    /// The checksums in a block: 16 KiB of them, for 16 MiB of content.
    static let blockSums = 4096
    /// The bytes of a block in the file.
    static let blockBytes = blockSums * MemoryLayout<UInt32>.stride

    /// How many there are.
    private(set) var count = 0
    private let heldBlocks: Int
    private let spills: (any SpillSource)?
    private var spill: (any SpillFile)?
    /// The first full blocks.
    private var held: [[UInt32]] = []
    /// The block that is being filled.
    private var last: [UInt32] = []

    /// Without a file to spill to everything stays in memory, however much it is.
    init(heldBytes: Int, spills: (any SpillSource)?) {
        heldBlocks = max(heldBytes, 0) / Self.blockBytes
        self.spills = spills
    }

    /// Adds checksums at the end.
    mutating func append(_ sums: [UInt32]) throws(BtrfsError) {
        var start = 0
        while start < sums.count {
            let end = min(start + Self.blockSums - last.count, sums.count)
            if last.isEmpty { last.reserveCapacity(Self.blockSums) }
            last += sums[start..<end]
            start = end
            if last.count == Self.blockSums { try put(last) }
        }
        count += sums.count
    }

    private mutating func put(_ block: [UInt32]) throws(BtrfsError) {
        if held.count >= heldBlocks, spill == nil { spill = spills?.take() }
        guard held.count >= heldBlocks, let spill else {
            held.append(block)
            last = []
            return
        }
        try spill.append(records: block)
        last.removeAll(keepingCapacity: true)
    }

    /// Blocks are asked for here and there from now on, or one behind the other again.
    func expectRandomReads(_ isRandom: Bool) { spill?.expectRandomReads(isRandom) }

    /// A block that is in memory; nil when it is in the file.
    func heldBlock(_ index: Int) -> [UInt32]? {
        if index < held.count { return held[index] }
        return index == count / Self.blockSums ? last : nil
    }

    /// A block from the file.
    func spilledBlock(_ index: Int) throws(BtrfsError) -> [UInt32] {
        guard let spill else { return [] }
        return try spill.records((index - held.count) * Self.blockSums, count: Self.blockSums)
    }
}

/// Reads a store's blocks, and keeps some of those that came from the file.
struct SumReader {
    /// The blocks that are kept: 8 MiB, for 8 GiB of content.
    static let keptBlocks = 512

    private let store: SumStore
    /// Each block has one slot that it can be in: what takes its place was asked for later.
    private var slots: [(index: Int, block: [UInt32])]

    init(_ store: SumStore, keptBlocks: Int = SumReader.keptBlocks) {
        self.store = store
        slots = Array(repeating: (-1, []), count: max(keptBlocks, 1))
    }

    mutating func block(_ index: Int) throws(BtrfsError) -> [UInt32] {
        if let held = store.heldBlock(index) { return held }
        let slot = index % slots.count
        if slots[slot].index != index { slots[slot] = (index, try store.spilledBlock(index)) }
        return slots[slot].block
    }
}

/// A place in a store that moves by small steps: it asks for a block when it comes to the next one.
struct SumCursor {
    private var start = 0
    private var block: [UInt32] = []

    /// A sector's checksum; nil when it is of no use. Traps where there is none.
    @inline(__always)
    mutating func sum(at place: Int, _ reader: inout SumReader) throws(BtrfsError) -> UInt32? {
        let offset = place - start
        if offset >= 0 && offset < block.count { return Fingerprints.opened(block[offset]) }
        block = try reader.block(place / SumStore.blockSums)
        start = place / SumStore.blockSums * SumStore.blockSums
        return Fingerprints.opened(block[place - start])
    }
}
