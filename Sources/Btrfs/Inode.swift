// SPDX-License-Identifier: GPL-2.0-or-later
internal import CBtrfs
internal import SystemPackage

/// What an inode item says (`struct btrfs_inode_item`), as far as it matters here.
public struct InodeItem: Equatable, Sendable {
    /// The transaction that made it; with the number it names the file for good.
    public let generation: Generation
    /// The apparent size.
    public let sizeBytes: ByteCount
    /// What its extents map (nbytes); holes do not count.
    public let mappedBytes: ByteCount
    /// How many names it has; 0 for a file that is only kept open.
    public let links: UInt32
    /// A regular file.
    public let isRegularFile: Bool
    /// Its content has no checksums (NOCOW or nodatasum): it shares with no file that has.
    public let hasNoChecksums: Bool
    /// Nothing may change it.
    public let isImmutable: Bool
    /// The kernel has given up compressing it.
    public let isNoCompress: Bool
    /// New writes are compressed.
    public let isCompress: Bool

    /// Makes one.
    public init(
        generation: Generation, sizeBytes: ByteCount, mappedBytes: ByteCount = .zero,
        links: UInt32, isRegularFile: Bool = true,
        hasNoChecksums: Bool = false, isImmutable: Bool = false, isNoCompress: Bool = false,
        isCompress: Bool = false
    ) {
        self.generation = generation
        self.sizeBytes = sizeBytes
        self.mappedBytes = mappedBytes
        self.links = links
        self.isRegularFile = isRegularFile
        self.hasNoChecksums = hasNoChecksums
        self.isImmutable = isImmutable
        self.isNoCompress = isNoCompress
        self.isCompress = isCompress
    }

    /// Reads an INODE_ITEM; nil when it is short.
    init?(item: RawSpan) {
        // generation 0, transid 8, size 16, nbytes 24, block_group 32, nlink 40 (32 bits), uid 44,
        // gid 48, mode 52 (32 bits), rdev 56, flags 64
        guard let generation = item.integer(at: 0, as: UInt64.self),
            let size = item.integer(at: 16, as: UInt64.self),
            let mapped = item.integer(at: 24, as: UInt64.self),
            let links = item.integer(at: 40, as: UInt32.self),
            let mode = item.integer(at: 52, as: UInt32.self),
            let flags = item.integer(at: 64, as: UInt64.self)
        else { return nil }
        self.generation = Generation(generation)
        self.sizeBytes = ByteCount(size)
        mappedBytes = ByteCount(mapped)
        self.links = links
        isRegularFile = mode & 0o170000 == 0o100000
        hasNoChecksums = flags & (cbtrfs_INODE_NODATASUM | cbtrfs_INODE_NODATACOW) != 0
        isImmutable = flags & cbtrfs_INODE_IMMUTABLE != 0
        isNoCompress = flags & cbtrfs_INODE_NOCOMPRESS != 0
        isCompress = flags & cbtrfs_INODE_COMPRESS != 0
    }
}

extension FileSystem {
    /// An inode's item; nil when there is none (the file is gone, or so new that it is not yet in
    /// the tree).
    public func inode(_ identifier: InodeIdentifier) throws(BtrfsError) -> InodeItem? {
        let key = ItemKey(
            objectIdentifier: identifier.number, type: UInt8(BTRFS_INODE_ITEM_KEY), offset: 0)
        var found: InodeItem?
        try forEachItem(
            in: identifier.subvolume, from: key, through: key, bufferBytes: 64 * 1024
        ) { (_, _, item) throws(BtrfsError) in
            found = InodeItem(item: item)
            if found == nil {
                throw BtrfsError("TREE_SEARCH_V2", "\(identifier)", .ioError)
            }
        }
        return found
    }
}
