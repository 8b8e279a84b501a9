// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// The leaves of a batch's files that snapshots share: each file that is changed gets its own.
/// Pure.
struct SharedLeaves {
    private struct Items {
        var count = 0
        var isRootShared = false
    }

    private var items: [InodeIdentifier: Items] = [:]
    private let price: MetadataPrice

    init(_ targets: [ReplacementTarget], price: MetadataPrice) {
        self.price = price
        for reference in targets.lazy.flatMap(\.references) where reference.isLeafShared {
            items[reference.inode, default: Items()].count += 1
            if reference.isRootShared { items[reference.inode]?.isRootShared = true }
        }
    }

    /// A target's part of what it costs that leaves are not shared any more, in bytes of the trees.
    func bytes(of target: ReplacementTarget) -> UInt64 {
        target.references.reduce(0) { sum, reference in
            guard reference.isLeafShared, let items = items[reference.inode] else { return sum }
            let all = ReplacementCost.unsharingBytes(
                items: items.count, isRootShared: items.isRootShared, at: price)
            return sum + all / UInt64(items.count) + 1
        }
    }
}

extension Lane {
    /// What a target costs in metadata before anything of it is written anew.
    func cost(
        of target: ReplacementTarget, _ census: ReferenceCensus, _ keepers: [Source],
        _ repeats: [Range<ByteCount>], _ leaves: SharedLeaves
    ) -> ReplacementCost {
        var cost = ReplacementCost(references: target.references.count)
        cost.add(bytes: leaves.bytes(of: target))
        for keeper in keepers {
            cost.add(references: census.showing(keeper.range) * items(of: keeper))
        }
        for range in repeats { cost.add(references: census.showing(range)) }
        return cost
    }

    /// How many items a keeper's range consists of now: another replacement may have packed it.
    private func items(of keeper: Source) -> Int {
        guard let inode = keeper.identity else { return 1 }
        let length = keeper.range.upperBound - keeper.range.lowerBound
        guard length > limits.frameContent else { return 1 }
        var count = 0
        let end = keeper.offset + (length - ByteCount(UInt64(1)))
        try? store.forEachFileExtent(of: inode, from: keeper.offset, through: end) {
            (extent) throws(BtrfsError) in
            if count == 0, extent.fileOffset > keeper.offset { count = 1 }
            count += 1
        }
        return max(count, 1)
    }

    /// The parts for which trees have no room to grow on the way, by their places: those before
    /// them come first.
    func placesWithoutRoom(_ parts: [WrittenPart]) -> [Int] {
        let needs = metadataNeeds(of: parts)
        // The answer is read from the trees of chunks and devices: one question for the batch, and
        // one for each part only where it has no room as a whole.
        if hasRoom(needs.reduce(Self.needOfBatch, Self.sum)) { return [] }
        var need = Self.needOfBatch
        return parts.indices.filter { index in
            let all = Self.sum(need, needs[index])
            guard hasRoom(all) else { return true }
            need = all
            return false
        }
    }

    /// By how much trees may grow for each part; a file's nodes are counted once.
    private func metadataNeeds(of parts: [WrittenPart]) -> [UInt64] {
        let prices = RewritePrices(parts, limits: limits, sectorBytes: store.sectorBytes)
        var files: Set<InodeIdentifier> = []
        return parts.map { part in
            let new = part.target.references.count { files.insert($0.inode).inserted }
            let nodes = UInt64(new) * limits.price.nodeBytes.rawValue * Self.nodesOfFile
            return Self.sum(prices.costOfLarge(part).comingBytes, nodes)
        }
    }

    private func hasRoom(_ bytes: UInt64) -> Bool {
        context.control.hasRoom(forMetadata: ByteCount(bytes))
    }

    /// What is beyond all bounds stays there.
    private static func sum(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }

    private static var needOfBatch: UInt64 { ExecutionLimits.metadataOfBatch.rawValue }
    /// The nodes of a file that are written anew when one of its items changes: from the leaf up.
    private static var nodesOfFile: UInt64 { 3 }
}
