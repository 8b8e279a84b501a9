// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// By how much trees may grow on the way for the parts of a round, and for which of them there is
/// room. Pure, but for the question that it is given.
struct MetadataRoom {
    /// In the order of the parts.
    private let needs: [UInt64]

    /// A file's nodes are counted once.
    init(for parts: [WrittenPart], limits: ExecutionLimits, sectorBytes: ByteCount) {
        let prices = RewritePrices(parts, limits: limits, sectorBytes: sectorBytes)
        var files: Set<InodeIdentifier> = []
        needs = parts.map { part in
            let new = part.target.references.count { files.insert($0.inode).inserted }
            let nodes = UInt64(new) * limits.price.nodeBytes.rawValue * Self.nodesOfFile
            return Self.sum(prices.costOfLarge(part).comingBytes, nodes)
        }
    }

    /// The parts for which trees have no room, by their places: those before them come first.
    /// - Parameter hasRoom: whether trees may grow by so much.
    func placesWithout(_ hasRoom: (ByteCount) -> Bool) -> [Int] {
        // The answer is read from the trees of chunks and devices: one question for the batch, and
        // one for each part only where it has no room as a whole.
        if hasRoom(ByteCount(needs.reduce(Self.needOfBatch, Self.sum))) { return [] }
        var need = Self.needOfBatch
        return needs.indices.filter { index in
            let all = Self.sum(need, needs[index])
            guard hasRoom(ByteCount(all)) else { return true }
            need = all
            return false
        }
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
