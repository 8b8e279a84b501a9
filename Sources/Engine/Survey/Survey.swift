// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// All references that the files in scope make, and the extents behind them, each once.
public struct Survey: Sendable {
    /// A file that was read.
    public struct File: Sendable {
        /// The file.
        public let image: ImageFile
        /// Its inode.
        public let inode: InodeItem
        /// What is stored in inline extents, as content and as stored bytes.
        public var inlineContentBytes = ByteCount.zero
        /// What the inline extents take in the tree.
        public var inlineStoredBytes = ByteCount.zero
        /// The number of inline extents.
        public var inlineExtents = 0
    }

    /// An extent on the device.
    public struct Extent: Equatable, Sendable {
        /// Where it starts.
        public let address: LogicalAddress
        /// What it takes on the device.
        public let diskBytes: ByteCount
        /// The length of its content, unpacked.
        public let contentBytes: ByteCount
        /// How it is stored.
        public let compression: Compression
        /// When it was written.
        public let generation: Generation
        /// Its references in `Survey.references`.
        public var references: Range<Int>
    }

    /// One file extent item.
    public struct Reference: Equatable, Sendable {
        /// The file, by its index in `Survey.files`.
        public let file: Int
        /// Where in the file.
        public let fileOffset: FileOffset
        /// How long.
        public let lengthBytes: ByteCount
        /// Where in the extent's content.
        public let offsetInExtent: ByteCount
        /// Allocated, and not written yet.
        public let isPreallocated: Bool

        /// The sectors of the extent that it uses, in bytes.
        public var rangeInExtent: Range<ByteCount> {
            offsetInExtent..<(offsetInExtent + lengthBytes)
        }
    }

    /// The files.
    public internal(set) var files: [File] = []
    /// The extents by address.
    public internal(set) var extents: [Extent] = []
    /// The references, those of one extent together.
    public internal(set) var references: [Reference] = []
    /// Files that could not be read, with the reason.
    public internal(set) var unreadable: [(InodeIdentifier, BtrfsError)] = []

    /// The extent that starts at an address, when the survey has come by it.
    public func extent(at address: LogicalAddress) -> Extent? {
        var low = 0
        var high = extents.count
        while low < high {
            let middle = (low + high) / 2
            if extents[middle].address < address { low = middle + 1 } else { high = middle }
        }
        guard low < extents.count, extents[low].address == address else { return nil }
        return extents[low]
    }

    /// The references to an extent.
    public func references(to extent: Extent) -> ArraySlice<Reference> {
        references[extent.references]
    }
}
