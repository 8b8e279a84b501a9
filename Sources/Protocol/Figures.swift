// SPDX-License-Identifier: GPL-2.0-or-later

/// What a set of files takes, in bytes. The words are those of `docs/architecture.md`.
public struct Figures: Codable, Equatable, Sendable {
    /// What is stored in one way.
    public struct Storage: Codable, Equatable, Sendable {
        /// `none`, `zlib`, `lzo`, `zstd`, `inline` or `preallocated`; others may come.
        public var kind: String
        /// On the device, each extent once.
        public var diskBytes: UInt64
        /// What these extents unpack to, whole.
        public var contentBytes: UInt64
        /// What refers to them, counted per file.
        public var dataBytes: UInt64

        /// Makes an entry.
        public init(kind: String, diskBytes: UInt64, contentBytes: UInt64, dataBytes: UInt64) {
            self.kind = kind
            self.diskBytes = diskBytes
            self.contentBytes = contentBytes
            self.dataBytes = dataBytes
        }
    }

    /// The files' apparent size.
    public var sizeBytes: UInt64
    /// Mapped, not holes, counted per file.
    public var dataBytes: UInt64
    /// On the device: each extent once, compressed size.
    public var diskBytes: UInt64
    /// Of disk, what comes back if this set of files goes.
    public var exclusiveBytes: UInt64
    /// What comes back if the revisions go.
    public var revisionsBytes: UInt64
    /// Of disk, what is stored compressed.
    public var compressedDiskBytes: UInt64
    /// The content that `compressedDiskBytes` unpacks to.
    public var compressedDataBytes: UInt64
    /// The number of extents, each once.
    public var extents: UInt64
    /// Of data, what refers to extents that come back: what `btrfs filesystem du` calls exclusive.
    public var exclusiveDataBytes: UInt64
    /// Of disk, what no file shows: parts of extents that nobody refers to any more, while others
    /// hold the extent.
    public var unreachableBytes: UInt64
    /// Disk, content and data by the way of storage; ways that are not used are left out.
    public var storage: [Storage]

    /// Disk minus exclusive.
    public var sharedBytes: UInt64 { diskBytes - min(exclusiveBytes, diskBytes) }
    /// Data over disk; nil when nothing is on disk.
    public var ratio: Double? {
        diskBytes == 0 ? nil : Double(dataBytes) / Double(diskBytes)
    }
    /// How many extents a gibibyte on disk has; nil when nothing is on disk.
    public var extentsPerGibibyte: Double? {
        diskBytes == 0 ? nil : Double(extents) * Double(1 << 30) / Double(diskBytes)
    }

    /// What is stored in one way; zeroes when nothing is.
    public func stored(_ kind: String) -> Storage {
        storage.first { $0.kind == kind }
            ?? Storage(kind: kind, diskBytes: 0, contentBytes: 0, dataBytes: 0)
    }

    /// Makes figures; all zero without arguments.
    public init(
        sizeBytes: UInt64 = 0, dataBytes: UInt64 = 0, diskBytes: UInt64 = 0,
        exclusiveBytes: UInt64 = 0, revisionsBytes: UInt64 = 0, compressedDiskBytes: UInt64 = 0,
        compressedDataBytes: UInt64 = 0, extents: UInt64 = 0, exclusiveDataBytes: UInt64 = 0,
        unreachableBytes: UInt64 = 0, storage: [Storage] = []
    ) {
        self.sizeBytes = sizeBytes
        self.dataBytes = dataBytes
        self.diskBytes = diskBytes
        self.exclusiveBytes = exclusiveBytes
        self.revisionsBytes = revisionsBytes
        self.compressedDiskBytes = compressedDiskBytes
        self.compressedDataBytes = compressedDataBytes
        self.extents = extents
        self.exclusiveDataBytes = exclusiveDataBytes
        self.unreachableBytes = unreachableBytes
        self.storage = storage
    }

    /// Reads figures; those of an older release lack what it did not know.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        sizeBytes = try values.decode(UInt64.self, forKey: .sizeBytes)
        dataBytes = try values.decode(UInt64.self, forKey: .dataBytes)
        diskBytes = try values.decode(UInt64.self, forKey: .diskBytes)
        exclusiveBytes = try values.decode(UInt64.self, forKey: .exclusiveBytes)
        revisionsBytes = try values.decode(UInt64.self, forKey: .revisionsBytes)
        compressedDiskBytes = try values.decode(UInt64.self, forKey: .compressedDiskBytes)
        compressedDataBytes = try values.decode(UInt64.self, forKey: .compressedDataBytes)
        extents = try values.decode(UInt64.self, forKey: .extents)
        exclusiveDataBytes =
            try values.decodeIfPresent(UInt64.self, forKey: .exclusiveDataBytes) ?? 0
        unreachableBytes = try values.decodeIfPresent(UInt64.self, forKey: .unreachableBytes) ?? 0
        storage = try values.decodeIfPresent([Storage].self, forKey: .storage) ?? []
    }
}
