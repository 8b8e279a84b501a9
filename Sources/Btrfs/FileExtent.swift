// SPDX-License-Identifier: GPL-2.0-or-later
internal import CBtrfs
internal import SystemPackage

/// How an extent is stored.
public enum Compression: UInt8, Hashable, Sendable, CaseIterable {
    case none = 0
    case zlib = 1
    case lzo = 2
    case zstd = 3
}

/// A file extent item: what one range of a file refers to (`struct btrfs_file_extent_item`).
public struct FileExtent: Hashable, Sendable {
    /// What stands behind the range.
    public enum Storage: Hashable, Sendable {
        /// An extent of its own on the device, or a part of one that others may use as well.
        case regular(Reference)
        /// As regular, but allocated and not yet written: reads as zeroes.
        case preallocated(Reference)
        /// The bytes are in the item itself.
        case inline(storedBytes: ByteCount)
        /// Nothing: reads as zeroes.
        case hole
    }

    /// A reference to a part of an extent.
    public struct Reference: Hashable, Sendable {
        /// Where the extent starts.
        public let address: LogicalAddress
        /// What it takes on the device.
        public let diskBytes: ByteCount
        /// Where in the extent's (unpacked) content this range starts.
        public let offsetInExtent: ByteCount

        /// Makes a reference.
        public init(address: LogicalAddress, diskBytes: ByteCount, offsetInExtent: ByteCount) {
            self.address = address
            self.diskBytes = diskBytes
            self.offsetInExtent = offsetInExtent
        }
    }

    /// Where in the file the range starts.
    public let fileOffset: FileOffset
    /// The range's length: a whole number of sectors, but for inline extents.
    public let lengthBytes: ByteCount
    /// The length of the extent's whole content, unpacked.
    public let contentBytes: ByteCount
    /// How the extent is stored.
    public let compression: Compression
    /// When the extent was written.
    public let generation: Generation
    /// What stands behind the range.
    public let storage: Storage
    /// When the leaf that holds the item was last written; nil where nobody has looked. One that is
    /// no newer than a snapshot of its subvolume may be a part of both.
    public var leafGeneration: Generation?

    /// Makes a file extent.
    public init(
        fileOffset: FileOffset, lengthBytes: ByteCount, contentBytes: ByteCount,
        compression: Compression, generation: Generation, storage: Storage
    ) {
        self.fileOffset = fileOffset
        self.lengthBytes = lengthBytes
        self.contentBytes = contentBytes
        self.compression = compression
        self.generation = generation
        self.storage = storage
    }

    /// Reads an EXTENT_DATA item; nil when it is short, encrypted, of an unknown kind, or reaches
    /// beyond what can be addressed.
    init?(key: ItemKey, item: RawSpan) {
        // generation, ram_bytes (64 bits), compression, encryption (8), other_encoding (16), type
        // (8)
        guard let generation = item.integer(at: 0, as: UInt64.self),
            let contentBytes = item.integer(at: 8, as: UInt64.self),
            let compression = item.integer(at: 16, as: UInt8.self).flatMap(Compression.init),
            item.integer(at: 17, as: UInt8.self) == 0,
            item.integer(at: 18, as: UInt16.self) == 0,
            let type = item.integer(at: 20, as: UInt8.self)
        else { return nil }
        self.fileOffset = FileOffset(key.offset)
        self.generation = Generation(generation)
        self.contentBytes = ByteCount(contentBytes)
        self.compression = compression
        if type == Self.inlineType {
            lengthBytes = ByteCount(contentBytes)
            storage = .inline(storedBytes: ByteCount(item.byteCount - Self.inlineHeaderBytes))
            return
        }
        // disk_bytenr, disk_num_bytes, offset, num_bytes
        guard let address = item.integer(at: 21, as: UInt64.self),
            let diskBytes = item.integer(at: 29, as: UInt64.self),
            let offsetInExtent = item.integer(at: 37, as: UInt64.self),
            let lengthBytes = item.integer(at: 45, as: UInt64.self),
            key.offset <= UInt64.max - lengthBytes,
            offsetInExtent <= UInt64.max - lengthBytes, address <= UInt64.max - diskBytes
        else { return nil }
        self.lengthBytes = ByteCount(lengthBytes)
        let reference = Reference(
            address: LogicalAddress(address), diskBytes: ByteCount(diskBytes),
            offsetInExtent: ByteCount(offsetInExtent))
        switch type {
        case _ where address == 0: storage = .hole
        case Self.regularType: storage = .regular(reference)
        case Self.preallocatedType: storage = .preallocated(reference)
        default: return nil
        }
    }

    private static let inlineHeaderBytes = 21
    private static let inlineType: UInt8 = 0
    private static let regularType: UInt8 = 1
    private static let preallocatedType: UInt8 = 2
}

extension FileSystem {
    /// Hands out the file extents of an inode that start in a range of the file, in order.
    ///
    /// An extent that starts before the range and reaches into it is not among them.
    public func forEachFileExtent(
        of inode: InodeIdentifier, from start: FileOffset = .start,
        through end: FileOffset = FileOffset(.max),
        _ body: (FileExtent) throws(BtrfsError) -> Void
    ) throws(BtrfsError) {
        let type = UInt8(BTRFS_EXTENT_DATA_KEY)
        func key(_ offset: FileOffset) -> ItemKey {
            ItemKey(objectIdentifier: inode.number, type: type, offset: offset.rawValue)
        }
        try forEachItem(
            in: inode.subvolume, from: key(start), through: key(end),
            bufferBytes: searchBufferBytes(from: start, through: end)
        ) { (key, leafGeneration, item) throws(BtrfsError) in
            guard var extent = FileExtent(key: key, item: item) else {
                throw BtrfsError("TREE_SEARCH_V2", "file extent of \(inode)", .notSupported)
            }
            extent.leafGeneration = leafGeneration
            try body(extent)
        }
    }

    /// Whether an item of an inode's extents stands in a leaf that this transaction or a later one
    /// has written. What has gone shows only where the leaf that it stood in holds others of them.
    public func hasChangedExtents(
        _ inode: InodeIdentifier, since generation: Generation
    ) throws(BtrfsError) -> Bool {
        let type = UInt8(BTRFS_EXTENT_DATA_KEY)
        return try hasItem(
            in: inode.subvolume,
            from: ItemKey(objectIdentifier: inode.number, type: type, offset: 0),
            through: ItemKey(objectIdentifier: inode.number, type: type, offset: .max),
            writtenSince: generation)
    }

    /// Room for as many items as there can be, one for each sector, and for one leaf at least. The
    /// kernel touches all of a buffer before it searches (search_ioctl in fs/btrfs/ioctl.c), and
    /// most searches are for one item: a large one would cost more than the search.
    private func searchBufferBytes(from start: FileOffset, through end: FileOffset) -> Int {
        let sectors = start < end ? (end - start).rawValue / sectorBytes.rawValue : 0
        let itemBytes: UInt64 = 96
        let most = UInt64(Self.searchBufferBytes)
        return Int(max(min(sectors, most / itemBytes) * itemBytes, 64 << 10))
    }
}
