// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// How content is stored.
public enum StorageKind: Int, CaseIterable, Sendable {
    /// In an extent, as it is.
    case plain
    /// Packed by zlib.
    case zlib
    /// Packed by LZO.
    case lzo
    /// Packed by zstd.
    case zstd
    /// Allocated, and never written.
    case preallocated
    /// In the tree, packed or not: too small for an extent of its own.
    case inline

    /// Of an extent with content.
    public init(_ compression: Compression) {
        self =
            switch compression {
            case .none: .plain
            case .zlib: .zlib
            case .lzo: .lzo
            case .zstd: .zstd
            }
    }

    /// It is packed, and its content longer than what it takes.
    public var isCompressed: Bool { self == .zlib || self == .lzo || self == .zstd }
}

/// What is stored in one way.
public struct StorageFigures: Equatable, Sendable {
    /// On the device, each extent once.
    public var disk = ByteCount.zero
    /// What these extents unpack to, whole.
    public var content = ByteCount.zero
    /// What refers to them, counted per file.
    public var data = ByteCount.zero

    /// All zero.
    public init() {}

    static func += (left: inout StorageFigures, right: StorageFigures) {
        left.disk += right.disk
        left.content += right.content
        left.data += right.data
    }
}

/// What a set of files takes. In every way of storage one entry.
public struct SpaceFigures: Equatable, Sendable {
    /// Apparent size.
    public var size = ByteCount.zero
    /// By the way of storage.
    public var storage = StorageTable()
    /// Of disk, what comes back if the set goes.
    public var exclusive = ByteCount.zero
    /// Of data, what refers to extents that come back.
    public var exclusiveData = ByteCount.zero
    /// What comes back if the set's revisions go.
    public var revisions = ByteCount.zero
    /// Of disk, what no file of the whole file system shows: parts of extents that nobody refers to
    /// while others hold the extent. Of a packed extent the share that its content has.
    public var unreachable = ByteCount.zero
    /// Extents, each once, inline ones among them.
    public var extents = 0

    /// All zero.
    public init() {}

    /// Mapped, not holes, counted per file.
    public var data: ByteCount { storage.sum(\.data) }
    /// On the device, each extent once.
    public var disk: ByteCount { storage.sum(\.disk) }
    /// Of disk, what is packed.
    public var compressedDisk: ByteCount {
        storage.zlib.disk + storage.lzo.disk + storage.zstd.disk
    }
    /// What that unpacks to.
    public var compressedContent: ByteCount {
        storage.zlib.content + storage.lzo.content + storage.zstd.content
    }

    /// Adds what is in no way shared with it, as of another file system.
    public static func += (left: inout SpaceFigures, right: SpaceFigures) {
        left.size = left.size.saturatingSum(right.size)
        left.storage += right.storage
        left.exclusive += right.exclusive
        left.exclusiveData += right.exclusiveData
        left.revisions += right.revisions
        left.unreachable += right.unreachable
        left.extents += right.extents
    }
}

/// Figures for each way of storage, without an array: there are millions of additions.
public struct StorageTable: Equatable, Sendable {
    /// `StorageKind.plain`.
    public var plain = StorageFigures()
    /// `StorageKind.zlib`.
    public var zlib = StorageFigures()
    /// `StorageKind.lzo`.
    public var lzo = StorageFigures()
    /// `StorageKind.zstd`.
    public var zstd = StorageFigures()
    /// `StorageKind.preallocated`.
    public var preallocated = StorageFigures()
    /// `StorageKind.inline`.
    public var inline = StorageFigures()

    /// All zero.
    public init() {}

    /// The figures of one way.
    public subscript(kind: StorageKind) -> StorageFigures {
        get {
            switch kind {
            case .plain: plain
            case .zlib: zlib
            case .lzo: lzo
            case .zstd: zstd
            case .preallocated: preallocated
            case .inline: inline
            }
        }
        set {
            switch kind {
            case .plain: plain = newValue
            case .zlib: zlib = newValue
            case .lzo: lzo = newValue
            case .zstd: zstd = newValue
            case .preallocated: preallocated = newValue
            case .inline: inline = newValue
            }
        }
    }

    func sum(_ part: KeyPath<StorageFigures, ByteCount>) -> ByteCount {
        StorageKind.allCases.reduce(.zero) { $0 + self[$1][keyPath: part] }
    }

    static func += (left: inout StorageTable, right: StorageTable) {
        left.plain += right.plain
        left.zlib += right.zlib
        left.lzo += right.lzo
        left.zstd += right.zstd
        left.preallocated += right.preallocated
        left.inline += right.inline
    }
}
