// SPDX-License-Identifier: GPL-2.0-or-later
internal import CBtrfs

/// How often and over how many devices a block group keeps what it holds.
public enum BlockGroupProfile: Hashable, Sendable, CaseIterable {
    case single, dup, raid0, raid1, raid1c3, raid1c4, raid10, raid5, raid6

    /// From the flags of a block group (`BTRFS_BLOCK_GROUP_*`).
    public init(flags: UInt64) {
        self = Self.byRedundancy.first { flags & $0.flag != 0 } ?? .single
    }

    /// Of several, as a conversion that was broken off leaves them, the one that the kernel makes
    /// new groups of (btrfs_reduce_alloc_profile in fs/btrfs/block-group.c).
    static func ofNewGroups(among profiles: Set<BlockGroupProfile>) -> BlockGroupProfile {
        byRedundancy.first(where: profiles.contains) ?? .single
    }

    /// As `btrfs balance` takes it after `convert=`.
    public var name: String { "\(self)" }

    private static let byRedundancy: [BlockGroupProfile] = [
        .raid1c4, .raid6, .raid1c3, .raid5, .raid10, .raid1, .dup, .raid0,
    ]

    /// Its bit; 0 of a single one.
    var flag: UInt64 {
        switch self {
        case .single: 0
        case .raid0: 1 << 3
        case .raid1: 1 << 4
        case .dup: 1 << 5
        case .raid10: 1 << 6
        case .raid5: 1 << 7
        case .raid6: 1 << 8
        case .raid1c3: 1 << 9
        case .raid1c4: 1 << 10
        }
    }

    /// How a chunk is laid out (btrfs_raid_array in fs/btrfs/volumes.c).
    var layout: Layout {
        switch self {
        case .single: Layout(fewest: 1, most: 1)
        case .dup: Layout(fewest: 1, most: 1, stripesOfDevice: 2, copies: 2)
        case .raid0: Layout(fewest: 1)
        case .raid1: Layout(fewest: 2, most: 2, step: 2, copies: 2)
        case .raid1c3: Layout(fewest: 3, most: 3, step: 3, copies: 3)
        case .raid1c4: Layout(fewest: 4, most: 4, step: 4, copies: 4)
        case .raid10: Layout(fewest: 2, step: 2, copies: 2)
        case .raid5: Layout(fewest: 2, parity: 1)
        case .raid6: Layout(fewest: 3, parity: 2)
        }
    }

    struct Layout {
        /// Devices, at least.
        let fewest: Int
        /// At most; nil for as many as there are.
        var most: Int?
        /// The number of devices is a multiple of this.
        var step = 1
        /// Stripes on one device, in one piece.
        var stripesOfDevice = 1
        var copies = 1
        /// Stripes that hold parity.
        var parity = 0
    }

    /// How many bytes of the devices a byte takes at least.
    public var fewestCopies: UInt64 { UInt64(layout.copies) }
    /// How many it takes at most; of parity on as few devices as can be.
    public var mostCopies: UInt64 { UInt64(layout.copies + layout.parity) }
}
