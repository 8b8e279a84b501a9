// SPDX-License-Identifier: GPL-2.0-or-later
internal import CBtrfs
internal import SystemPackage

/// A root item (`struct btrfs_root_item`), as far as it matters here.
struct RootItem: Equatable {
    /// How often the subvolume stands in a directory; 0 for one that is being deleted.
    let references: UInt32

    /// nil when it is short.
    init?(item: RawSpan) {
        // inode 0 (160 bytes), generation 160, root_dirid 168, bytenr 176, byte_limit 184,
        // bytes_used 192, last_snapshot 200, flags 208, refs 216 (32 bits)
        guard let references = item.integer(at: 216, as: UInt32.self) else { return nil }
        self.references = references
    }
}

extension FileSystem {
    /// Hands out every inode and every file extent of the whole file system: of all subvolumes and
    /// snapshots, mounted or not, and of the free space cache where it is kept in files. Inodes
    /// come before their extents.
    ///
    /// A subvolume that is being deleted is left out: nobody can see what it still holds.
    /// - Parameters:
    ///   - inode: an inode and its item.
    ///   - extent: a file extent and the inode that it belongs to.
    ///   - unreadable: a subvolume that could not be read to its end, and why. The others go on.
    public func forEachFileOfAllTrees(
        inode: (InodeIdentifier, InodeItem) throws(BtrfsError) -> Void,
        extent: (InodeIdentifier, FileExtent) throws(BtrfsError) -> Void,
        unreadable: (TreeIdentifier, BtrfsError) -> Void
    ) throws(BtrfsError) {
        var trees: [TreeIdentifier] = []
        // The tree of trees: every subvolume has an item there, and the free space cache its files.
        try forEachFile(in: .roots, inode: inode, extent: extent) {
            (key, item) throws(BtrfsError) in
            guard key.type == UInt8(BTRFS_ROOT_ITEM_KEY), Self.isSubvolume(key.objectIdentifier)
            else { return }
            guard let root = RootItem(item: item) else {
                throw BtrfsError("TREE_SEARCH_V2", "root \(key.objectIdentifier)", .ioError)
            }
            // A snapshot has several root items of one id for a while; the trees are the same.
            let tree = TreeIdentifier(key.objectIdentifier)
            if root.references > 0 && trees.last != tree { trees.append(tree) }
        }
        for tree in trees {
            do throws(BtrfsError) {
                try forEachFile(in: tree, inode: inode, extent: extent) { _, _ in }
            } catch {
                // Deleted since.
                if error.reason == .noSuchFileOrDirectory { continue }
                // A reader that cannot go on is no fault of this tree.
                guard error.call == "TREE_SEARCH_V2" else { throw error }
                unreadable(tree, error)
            }
        }
    }

    /// How many subvolumes are being deleted: they stand in no directory any more, and what only
    /// they hold comes back as the kernel goes through them.
    public func deletedSubvolumes() throws(BtrfsError) -> Int {
        let type = UInt8(BTRFS_ROOT_ITEM_KEY)
        let first = ItemKey(
            objectIdentifier: TreeIdentifier.topmostSubvolume.rawValue, type: 0, offset: 0)
        let last = ItemKey(objectIdentifier: .max, type: .max, offset: .max)
        var count = 0
        var counted: UInt64?
        try forEachItem(in: .roots, from: first, through: last) {
            (key, _, item) throws(BtrfsError) in
            let identifier = key.objectIdentifier
            guard key.type == type, Self.isSubvolume(identifier), counted != identifier,
                RootItem(item: item)?.references == 0
            else { return }
            counted = identifier
            count += 1
        }
        return count
    }

    /// BTRFS_FS_TREE_OBJECTID, and BTRFS_FIRST_FREE_OBJECTID to BTRFS_LAST_FREE_OBJECTID.
    private static func isSubvolume(_ identifier: UInt64) -> Bool {
        identifier == TreeIdentifier.topmostSubvolume.rawValue
            || (256...UInt64(bitPattern: -256)).contains(identifier)
    }

    private func forEachFile(
        in tree: TreeIdentifier,
        inode: (InodeIdentifier, InodeItem) throws(BtrfsError) -> Void,
        extent: (InodeIdentifier, FileExtent) throws(BtrfsError) -> Void,
        other: (ItemKey, RawSpan) throws(BtrfsError) -> Void
    ) throws(BtrfsError) {
        let first = ItemKey(objectIdentifier: 0, type: 0, offset: 0)
        let last = ItemKey(objectIdentifier: .max, type: .max, offset: .max)
        let inodeType = UInt8(BTRFS_INODE_ITEM_KEY)
        let extentType = UInt8(BTRFS_EXTENT_DATA_KEY)
        try forEachItem(in: tree, from: first, through: last) {
            (key, _, item) throws(BtrfsError) in
            let identifier = InodeIdentifier(subvolume: tree, number: key.objectIdentifier)
            switch key.type {
            case inodeType:
                guard let found = InodeItem(item: item) else {
                    throw BtrfsError("TREE_SEARCH_V2", "\(identifier)", .ioError)
                }
                try inode(identifier, found)
            case extentType:
                guard let found = FileExtent(key: key, item: item) else {
                    throw BtrfsError(
                        "TREE_SEARCH_V2", "file extent of \(identifier)", .notSupported)
                }
                try extent(identifier, found)
            default:
                try other(key, item)
            }
        }
    }
}
