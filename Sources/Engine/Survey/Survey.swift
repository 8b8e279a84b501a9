// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// All references that the files in scope make, and the extents behind them, each once.
///
/// A survey grows with the number of extents: 32 bytes for an extent and 24 for a reference, in
/// memory where they are few, and in files where they are many.
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
        /// How it lies on the device.
        public var pieces = Pieces()
    }

    /// An extent on the device.
    public struct Extent: Equatable, BitwiseCopyable, Sendable {
        /// Where it starts.
        public let address: LogicalAddress
        private var generationAndCompression: UInt64
        private let disk: UInt32
        private let content: UInt32
        /// The first of its references.
        var firstReference: UInt32 = 0
        var referenceCount: UInt32 = 0

        /// Without references yet. nil when it is larger than 4 GiB: the kernel's largest is 256
        /// MiB.
        init?(_ extent: FileExtent, _ reference: FileExtent.Reference) {
            guard let disk = UInt32(exactly: reference.diskBytes.rawValue),
                let content = UInt32(exactly: extent.contentBytes.rawValue),
                extent.generation.rawValue <= UInt64.max >> Self.compressionBits
            else { return nil }
            address = reference.address
            generationAndCompression =
                extent.generation.rawValue << Self.compressionBits
                | UInt64(extent.compression.rawValue)
            self.disk = disk
            self.content = content
        }

        private static let compressionBits: UInt64 = 8

        /// What it takes on the device.
        public var diskBytes: ByteCount { ByteCount(UInt64(disk)) }
        /// The length of its content, unpacked.
        public var contentBytes: ByteCount { ByteCount(UInt64(content)) }
        /// How it is stored.
        public var compression: Compression {
            Compression(rawValue: UInt8(truncatingIfNeeded: generationAndCompression)) ?? .none
        }
        /// When it was written; of one that was preallocated and then written part by part, when
        /// the last of them was: each of its items has a generation of its own.
        public private(set) var generation: Generation {
            get { Generation(generationAndCompression >> Self.compressionBits) }
            set {
                generationAndCompression =
                    newValue.rawValue << Self.compressionBits | UInt64(compression.rawValue)
            }
        }

        /// Another item of it was seen.
        mutating func add(_ other: Extent) {
            referenceCount += 1
            if generation < other.generation { generation = other.generation }
        }
        /// Its references in `Survey.references`.
        public var references: Range<Int> {
            Int(firstReference)..<(Int(firstReference) + Int(referenceCount))
        }
    }

    /// One file extent item.
    public struct Reference: Equatable, BitwiseCopyable, Sendable {
        /// Where in the file.
        public let fileOffset: FileOffset
        private let fileAndKind: UInt32
        private let length: UInt32
        private let offset: UInt32

        /// nil when it is larger than any extent.
        init?(
            file: Int, _ extent: FileExtent, _ reference: FileExtent.Reference,
            isPreallocated: Bool
        ) {
            guard let length = UInt32(exactly: extent.lengthBytes.rawValue),
                let offset = UInt32(exactly: reference.offsetInExtent.rawValue)
            else { return nil }
            fileAndKind = UInt32(file) << 1 | (isPreallocated ? 1 : 0)
            fileOffset = extent.fileOffset
            self.length = length
            self.offset = offset
        }

        /// The file, by its index in `Survey.files`.
        public var file: Int { Int(fileAndKind >> 1) }
        /// How long.
        public var lengthBytes: ByteCount { ByteCount(UInt64(length)) }
        /// Where in the extent's content.
        public var offsetInExtent: ByteCount { ByteCount(UInt64(offset)) }
        /// Allocated, and not written yet.
        public var isPreallocated: Bool { fileAndKind & 1 != 0 }

        /// The sectors of the extent that it uses, in bytes.
        public var rangeInExtent: Range<ByteCount> {
            offsetInExtent..<(offsetInExtent + lengthBytes)
        }
    }

    /// The files.
    public internal(set) var files: [File] = []
    /// The extents by address.
    public internal(set) var extents = Column<Extent>()
    /// By their addresses.
    var addresses = Fences()
    /// The references, those of one extent together.
    public internal(set) var references = Column<Reference>()
    /// The newest transaction there was when all had been read: what has an address of one of the
    /// extents and is newer is another extent.
    public internal(set) var generation = Generation(.max)
    /// Files that could not be read, with the reason.
    public internal(set) var unreadable: [(InodeIdentifier, BtrfsError)] = []

    /// The extent that starts at an address, when the survey has come by it.
    public func extent(at address: LogicalAddress) -> Extent? {
        let range = addresses.range(of: address.rawValue)
        let place = extents.partitioningIndex(in: range) { $0.address >= address }
        guard place < range.upperBound, extents[place].address == address else { return nil }
        return extents[place]
    }

    /// The same for who asks for extents here and there.
    func scattered() throws(BtrfsError) -> Survey {
        var survey = self
        survey.extents = try extents.scattered()
        survey.references = try references.scattered()
        return survey
    }

    /// The references to an extent.
    public func references(to extent: Extent) -> Column<Reference>.SubSequence {
        references[extent.references]
    }

    /// The parts of an extent's content that files use: in order, apart from each other.
    func usedRanges(of extent: Extent) -> [Range<ByteCount>] {
        Ranges.union(references(to: extent).lazy.map(\.rangeInExtent))
    }

    /// The parts of an extent's content that were allocated and not yet written, as files show
    /// them: in order, apart from each other.
    func preallocatedRanges(of extent: Extent) -> [Range<ByteCount>] {
        Ranges.union(references(to: extent).lazy.filter(\.isPreallocated).map(\.rangeInExtent))
    }
}
