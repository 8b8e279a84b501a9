// SPDX-License-Identifier: GPL-2.0-or-later
internal import CBtrfs
internal import Glibc
public import SystemCalls
internal import SystemPackage

/// How a file system checks its content.
public enum ChecksumKind: UInt16, Sendable, CaseIterable {
    case crc32c = 0
    case xxhash64 = 1
    case sha256 = 2
    case blake2b = 3

    /// The length of one checksum in bytes.
    public var lengthBytes: Int {
        switch self {
        case .crc32c: 4
        case .xxhash64: 8
        case .sha256, .blake2b: 32
        }
    }
}

/// A mounted Btrfs, held by an open directory of it. All searches and accounts go through it.
public final class FileSystem: Sendable {
    /// Tells file systems apart, however often they are mounted.
    public struct Identity: Hashable, Sendable {
        /// The file system's UUID, 16 bytes.
        public let bytes: [UInt8]

        /// From a UUID's bytes.
        public init(bytes: [UInt8]) { self.bytes = bytes }
    }

    let root: Descriptor
    /// Which file system it is.
    public let identity: Identity
    /// The unit of allocation and of checksums: 4 KiB, but for exotic machines.
    public let sectorBytes: ByteCount
    /// The size of a metadata node.
    public let nodeBytes: ByteCount
    /// The kind of checksums.
    public let checksumKind: ChecksumKind
    /// The number of devices.
    public let deviceCount: Int

    /// From an open directory, which is kept.
    ///
    /// Fails with ENOTTY when it is not on Btrfs (BTRFS_IOC_FS_INFO).
    public init(directory: consuming Descriptor, path: String) throws(BtrfsError) {
        guard let arguments = try Self.information(of: directory, path: path) else {
            throw BtrfsError("fstatfs", path, .inappropriateIOCTLForDevice)
        }
        guard let kind = ChecksumKind(rawValue: arguments.csum_type) else {
            throw BtrfsError("FS_INFO", "\(path), unknown checksum kind", .notSupported)
        }
        root = directory
        identity = Self.identity(arguments)
        sectorBytes = ByteCount(UInt64(arguments.sectorsize))
        nodeBytes = ByteCount(UInt64(arguments.nodesize))
        checksumKind = kind
        deviceCount = Int(arguments.num_devices)
    }

    /// Writes all that is pending and waits for the transaction (BTRFS_IOC_SYNC).
    public func synchronize() throws(BtrfsError) {
        guard ioctl(root.rawValue, cbtrfs_SYNC) == 0 else {
            throw BtrfsError("SYNC", "the file system", Errno(rawValue: errno))
        }
    }

    /// Nothing can be written through this mount: it was mounted so, or the kernel has met an error
    /// that it could not mend. False where the kernel does not say.
    public var isReadOnly: Bool {
        var status = statvfs()
        return unsafe fstatvfs(root.rawValue, &status) == 0
            && status.f_flag & UInt(ST_RDONLY) != 0
    }

    /// The newest transaction there is: what is written from now on has this generation or a newer
    /// one (BTRFS_IOC_FS_INFO with its generation, Linux 5.10).
    public func generation() throws(BtrfsError) -> Generation {
        var arguments = btrfs_ioctl_fs_info_args()
        arguments.flags = 1 << 1  // BTRFS_FS_INFO_FLAG_GENERATION
        guard unsafe ioctl(root.rawValue, cbtrfs_FS_INFO, &arguments) == 0 else {
            throw BtrfsError("FS_INFO", "the file system", Errno(rawValue: errno))
        }
        return Generation(arguments.generation)
    }

    /// Any file of any subvolume by its number, mounted or not, named or not, for reading
    /// (`open_by_handle_at(2)`). `generation` is the inode's own, so that a number that was given
    /// to another file meanwhile fails with ESTALE.
    public func openInode(
        _ inode: InodeIdentifier, generation: Generation
    ) throws(BtrfsError) -> Descriptor {
        do throws(Errno) {
            return try root.openBtrfsInode(
                subvolume: inode.subvolume.rawValue, number: inode.number,
                generation: UInt32(truncatingIfNeeded: generation.rawValue))
        } catch {
            throw BtrfsError("open_by_handle_at", "\(inode)", error)
        }
    }
}

extension InodeIdentifier: CustomStringConvertible {
    /// For dom0's log.
    public var description: String { "inode \(number) of subvolume \(subvolume.rawValue)" }
}
