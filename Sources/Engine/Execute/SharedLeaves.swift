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
