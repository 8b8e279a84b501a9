// SPDX-License-Identifier: GPL-2.0-or-later
internal import CBtrfs
internal import Glibc
public import SystemCalls
internal import SystemPackage

/// What `lsattr(1)` shows of a file or directory.
public struct FileFlags: OptionSet, Sendable {
    /// The bits of FS_IOC_GETFLAGS.
    public let rawValue: UInt32

    /// From bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// `c`: new writes are compressed.
    public static let compress = FileFlags(rawValue: cbtrfs_FS_COMPR)
    /// `m`: new writes are not compressed.
    public static let noCompress = FileFlags(rawValue: cbtrfs_FS_NOCOMP)
    /// `C`: written in place, without checksums.
    public static let noCopyOnWrite = FileFlags(rawValue: cbtrfs_FS_NOCOW)
    /// `i`: nothing may change it.
    public static let immutable = FileFlags(rawValue: cbtrfs_FS_IMMUTABLE)

    /// The flags of an open file (FS_IOC_GETFLAGS).
    public static func of(_ file: borrowing Descriptor) throws(BtrfsError) -> FileFlags {
        var bits: Int32 = 0
        guard unsafe ioctl(file.rawValue, cbtrfs_GETFLAGS, &bits) == 0 else {
            throw BtrfsError("FS_IOC_GETFLAGS", "the file", Errno(rawValue: errno))
        }
        return FileFlags(rawValue: UInt32(bitPattern: bits))
    }

    /// Gives an open file of ours these flags (FS_IOC_SETFLAGS). NOCOW only changes on an empty
    /// one.
    public func set(on file: borrowing Descriptor) throws(BtrfsError) {
        var bits = Int32(bitPattern: rawValue)
        guard unsafe ioctl(file.rawValue, cbtrfs_SETFLAGS, &bits) == 0 else {
            throw BtrfsError("FS_IOC_SETFLAGS", "the file", Errno(rawValue: errno))
        }
    }
}
