// SPDX-License-Identifier: GPL-2.0-or-later
internal import CBtrfs
internal import Glibc
internal import SystemCalls
internal import SystemPackage

/// One file extent item that refers to an extent, whatever part of it.
public struct ExtentUse: Hashable, Sendable {
    /// The file.
    public let inode: InodeIdentifier
    /// Where in the file the item starts.
    public let fileOffset: FileOffset

    /// Makes a use.
    public init(inode: InodeIdentifier, fileOffset: FileOffset) {
        self.inode = inode
        self.fileOffset = fileOffset
    }
}

/// Every use of an extent, or that there are too many to list.
public enum ExtentUses: Equatable, Sendable {
    /// All of them.
    case all([ExtentUse])
    /// More than the buffer holds (`FileSystem.referenceLimit`).
    case tooMany
}

/// Reads what LOGICAL_INO_V2 has written (`struct btrfs_data_container`). Pure.
enum DataContainer {
    /// bytes_left, bytes_missing, elem_cnt, elem_missed (32 bits each).
    static let headerBytes = 16

    /// nil when the buffer is short or its counts do not fit.
    static func uses(_ buffer: RawSpan) -> ExtentUses? {
        guard let missing = buffer.integer(at: 4, as: UInt32.self),
            let count = buffer.integer(at: 8, as: UInt32.self),
            let missed = buffer.integer(at: 12, as: UInt32.self)
        else { return nil }
        if missing > 0 || missed > 0 { return .tooMany }
        guard count.isMultiple(of: 3), buffer.holds(headerBytes, lengthBytes: Int(count) * 8)
        else { return nil }
        var uses: [ExtentUse] = []
        uses.reserveCapacity(Int(count) / 3)
        for position in stride(from: headerBytes, to: headerBytes + Int(count) * 8, by: 24) {
            guard let inode = buffer.integer(at: position, as: UInt64.self),
                let offset = buffer.integer(at: position + 8, as: UInt64.self),
                let subvolume = buffer.integer(at: position + 16, as: UInt64.self)
            else { return nil }
            let identifier = InodeIdentifier(
                subvolume: TreeIdentifier(subvolume), number: inode)
            uses.append(ExtentUse(inode: identifier, fileOffset: FileOffset(offset)))
        }
        return .all(uses)
    }
}

extension FileSystem {
    /// The most references that one extent may have to be worked on. Far above any set of images:
    /// one that goes beyond is a hostile pattern or a block of zeroes, and not worth its metadata.
    public static let referenceLimit = 40_000

    /// Every file extent item of every subvolume that refers to the extent which starts at an
    /// address (BTRFS_IOC_LOGICAL_INO_V2 with IGNORE_OFFSET). Empty when no such extent is left.
    public func uses(ofExtentAt address: LogicalAddress) throws(BtrfsError) -> ExtentUses {
        // Nearly every extent has a handful; the large buffer only when the small one overflows.
        let few = try uses(of: address, bufferBytes: 16 * 1024)
        guard few == .tooMany else { return few }
        return try uses(
            of: address, bufferBytes: DataContainer.headerBytes + Self.referenceLimit * 24)
    }

    private func uses(
        of address: LogicalAddress, bufferBytes: Int
    ) throws(BtrfsError) -> ExtentUses {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferBytes, alignment: 8)
        defer { unsafe memory.deallocate() }
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
        var arguments = btrfs_ioctl_logical_ino_args()
        arguments.logical = address.rawValue
        arguments.size = UInt64(bufferBytes)
        arguments.flags = 1  // BTRFS_LOGICAL_INO_ARGS_IGNORE_OFFSET
        arguments.inodes = UInt64(UInt(bitPattern: memory.baseAddress))
        if unsafe ioctl(root.rawValue, cbtrfs_LOGICAL_INO_V2, &arguments) != 0 {
            let reason = Errno(rawValue: errno)
            if reason == .noSuchFileOrDirectory { return .all([]) }
            throw BtrfsError("LOGICAL_INO_V2", "extent at \(address.rawValue)", reason)
        }
        let span = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(memory))
        guard let uses = DataContainer.uses(span) else {
            throw BtrfsError("LOGICAL_INO_V2", "extent at \(address.rawValue)", .ioError)
        }
        return uses
    }
}
