// SPDX-License-Identifier: GPL-2.0-or-later

/// A number of bytes.
public struct ByteCount: Hashable, Comparable, BitwiseCopyable, Sendable {
    /// The bytes.
    public var rawValue: UInt64

    /// From bytes.
    @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }
    /// From a count in memory, which is never negative.
    @inlinable public init(_ count: Int) { rawValue = UInt64(count) }

    /// None.
    public static let zero = ByteCount(UInt64(0))
    /// 1024 bytes, this many times.
    @inlinable public static func kibibytes(_ count: UInt64) -> ByteCount {
        ByteCount(count << 10)
    }
    /// 1024 kibibytes, this many times.
    @inlinable public static func mebibytes(_ count: UInt64) -> ByteCount {
        ByteCount(count << 20)
    }

    /// Which is the smaller.
    @inlinable public static func < (left: ByteCount, right: ByteCount) -> Bool {
        left.rawValue < right.rawValue
    }
    /// The sum.
    @inlinable public static func + (left: ByteCount, right: ByteCount) -> ByteCount {
        ByteCount(left.rawValue + right.rawValue)
    }
    /// Traps when the result would be negative.
    @inlinable public static func - (left: ByteCount, right: ByteCount) -> ByteCount {
        ByteCount(left.rawValue - right.rawValue)
    }
    /// Adds to it.
    @inlinable public static func += (left: inout ByteCount, right: ByteCount) {
        left.rawValue += right.rawValue
    }

    /// The sum of apparent sizes, at most what can be counted: a sparse file may have 2^63 - 1
    /// bytes (MAX_LFS_FILESIZE), so that three are more than 64 bits hold.
    @inlinable public func saturatingSum(_ other: ByteCount) -> ByteCount {
        let (sum, isTooLarge) = rawValue.addingReportingOverflow(other.rawValue)
        return ByteCount(isTooLarge ? .max : sum)
    }

    /// Up to the next whole unit.
    @inlinable public func roundedUp(to unit: ByteCount) -> ByteCount {
        ByteCount((rawValue + unit.rawValue - 1) / unit.rawValue * unit.rawValue)
    }
    /// Down to a whole unit.
    @inlinable public func roundedDown(to unit: ByteCount) -> ByteCount {
        ByteCount(rawValue / unit.rawValue * unit.rawValue)
    }
    /// Whether it is a whole number of units.
    @inlinable public func isMultiple(of unit: ByteCount) -> Bool {
        rawValue.isMultiple(of: unit.rawValue)
    }
    /// As an index in memory.
    @inlinable public var count: Int { Int(rawValue) }
}

/// A position in a file, in bytes.
public struct FileOffset: Hashable, Comparable, BitwiseCopyable, Sendable {
    /// The bytes before it.
    public var rawValue: UInt64

    /// From the bytes before it.
    @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    /// The start of a file.
    public static let start = FileOffset(0)

    /// Which is the smaller.
    @inlinable public static func < (left: FileOffset, right: FileOffset) -> Bool {
        left.rawValue < right.rawValue
    }
    /// The sum.
    @inlinable public static func + (offset: FileOffset, length: ByteCount) -> FileOffset {
        FileOffset(offset.rawValue + length.rawValue)
    }
    /// Traps when `right` is behind `left`.
    @inlinable public static func - (left: FileOffset, right: FileOffset) -> ByteCount {
        ByteCount(left.rawValue - right.rawValue)
    }
}

/// An address in Btrfs's logical address space, where an extent starts (`bytenr`).
public struct LogicalAddress: Hashable, Comparable, BitwiseCopyable, Sendable {
    /// The address in bytes.
    public let rawValue: UInt64

    /// From bytes.
    @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    /// Which is the smaller.
    @inlinable public static func < (left: LogicalAddress, right: LogicalAddress) -> Bool {
        left.rawValue < right.rawValue
    }
    /// The sum.
    @inlinable public static func + (address: LogicalAddress, length: ByteCount) -> LogicalAddress {
        LogicalAddress(address.rawValue + length.rawValue)
    }
    /// Traps when `right` is behind `left`.
    @inlinable public static func - (left: LogicalAddress, right: LogicalAddress) -> ByteCount {
        ByteCount(left.rawValue - right.rawValue)
    }
}

/// The number of a transaction: what is newer has a larger one.
public struct Generation: Hashable, Comparable, BitwiseCopyable, Sendable {
    /// The number.
    public let rawValue: UInt64

    /// From the number.
    @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    /// Which is the smaller.
    @inlinable public static func < (left: Generation, right: Generation) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// A tree of the file system, by its objectid; a subvolume is one.
public struct TreeIdentifier: Hashable, Comparable, Sendable {
    /// The objectid.
    public let rawValue: UInt64

    /// From an objectid.
    @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    /// The tree of trees (BTRFS_ROOT_TREE_OBJECTID).
    public static let roots = TreeIdentifier(1)
    /// The tree of extents (BTRFS_EXTENT_TREE_OBJECTID).
    public static let extents = TreeIdentifier(2)
    /// The tree of chunks and devices (BTRFS_CHUNK_TREE_OBJECTID).
    public static let chunks = TreeIdentifier(3)
    /// The tree of what chunks take of devices (BTRFS_DEV_TREE_OBJECTID).
    public static let devices = TreeIdentifier(4)
    /// The topmost subvolume (BTRFS_FS_TREE_OBJECTID).
    public static let topmostSubvolume = TreeIdentifier(5)
    /// The tree of checksums (BTRFS_CSUM_TREE_OBJECTID).
    public static let checksums = TreeIdentifier(7)

    /// Which is the smaller.
    @inlinable public static func < (left: TreeIdentifier, right: TreeIdentifier) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// An inode of any subvolume: what a file is, whatever its names.
public struct InodeIdentifier: Hashable, Comparable, Sendable {
    /// The subvolume.
    public let subvolume: TreeIdentifier
    /// The inode number in it.
    public let number: UInt64

    /// From both.
    @inlinable public init(subvolume: TreeIdentifier, number: UInt64) {
        self.subvolume = subvolume
        self.number = number
    }

    /// Which is the smaller.
    @inlinable public static func < (left: InodeIdentifier, right: InodeIdentifier) -> Bool {
        (left.subvolume.rawValue, left.number) < (right.subvolume.rawValue, right.number)
    }
}
