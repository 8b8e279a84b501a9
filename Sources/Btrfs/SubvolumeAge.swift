// SPDX-License-Identifier: GPL-2.0-or-later
internal import CBtrfs

/// When a subvolume's tree was last written, and when it last came to share its nodes with a
/// snapshot (`struct btrfs_root_item`). A node that is no newer than that may be a part of both,
/// and who changes something in it gets one of his own.
public struct SubvolumeAge: Equatable, Sendable {
    /// Of the topmost node, as of the last commit.
    public let generation: Generation
    /// Of the newest snapshot: of it, or which it is.
    public let lastSnapshot: Generation
    /// How many levels of nodes are above the leaves.
    public let level: UInt8

    /// Makes an age.
    public init(generation: Generation, lastSnapshot: Generation, level: UInt8) {
        self.generation = generation
        self.lastSnapshot = lastSnapshot
        self.level = level
    }

    /// Reads a ROOT_ITEM; nil when it is short.
    init?(item: RawSpan) {
        // An inode item of 160 bytes; generation, root_dirid, bytenr, byte_limit, bytes_used,
        // last_snapshot, flags (64 bits each), refs (32), drop_progress (17 bytes), drop_level,
        // level (8).
        guard let generation = item.integer(at: 160, as: UInt64.self),
            let lastSnapshot = item.integer(at: 200, as: UInt64.self),
            let level = item.integer(at: 238, as: UInt8.self)
        else { return nil }
        self.init(
            generation: Generation(generation), lastSnapshot: Generation(lastSnapshot),
            level: level)
    }

    /// Whether a leaf may be a part of a snapshot as well.
    public func mayShare(leafOf leafGeneration: Generation) -> Bool {
        leafGeneration <= lastSnapshot
    }

    /// Whether there is a node above the leaves that may be a part of a snapshot as well.
    public var mayShareRoot: Bool { level > 0 && generation <= lastSnapshot }
}

extension FileSystem {
    /// The age of a subvolume's tree; nil when it is gone.
    public func age(ofSubvolume tree: TreeIdentifier) throws(BtrfsError) -> SubvolumeAge? {
        var age: SubvolumeAge?
        try forEachRootItem(of: tree) { age = SubvolumeAge(item: $0) }
        return age
    }

    /// Whether nobody may change the subvolume (BTRFS_SUBVOL_RDONLY of its ROOT_ITEM's flags); not
    /// when it is gone.
    public func isReadOnly(subvolume tree: TreeIdentifier) throws(BtrfsError) -> Bool {
        var flags: UInt64 = 0
        try forEachRootItem(of: tree) { flags = $0.integer(at: 208, as: UInt64.self) ?? 0 }
        return flags & 1 != 0
    }

    private func forEachRootItem(
        of tree: TreeIdentifier, _ body: (RawSpan) -> Void
    ) throws(BtrfsError) {
        let type = UInt8(BTRFS_ROOT_ITEM_KEY)
        func key(_ offset: UInt64) -> ItemKey {
            ItemKey(objectIdentifier: tree.rawValue, type: type, offset: offset)
        }
        try forEachItem(in: .roots, from: key(0), through: key(.max), bufferBytes: 64 << 10) {
            (_, _, item) throws(BtrfsError) in body(item)
        }
    }
}
