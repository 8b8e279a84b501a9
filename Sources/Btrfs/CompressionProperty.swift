// SPDX-License-Identifier: GPL-2.0-or-later
internal import CBtrfs
internal import Glibc
public import SystemCalls
internal import SystemPackage

/// The property `btrfs.compression` of a directory, which files made in it inherit
/// (`btrfs-property(8)`, an extended attribute).
public enum CompressionProperty {
    private static let name = "btrfs.compression"
    /// No value is longer.
    private static let limitBytes = 64

    /// Its value, as `zstd`; nil without one (`fgetxattr(2)`).
    public static func value(of directory: borrowing Descriptor) throws(BtrfsError) -> String? {
        let number = directory.rawValue
        var count = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: limitBytes) { buffer, filled in
            count = unsafe fgetxattr(number, name, buffer.baseAddress, limitBytes)
            filled = max(count, 0)
        }
        if count >= 0 { return String(decoding: bytes, as: UTF8.self) }
        let reason = Errno(rawValue: errno)
        if reason == .noData { return nil }
        throw BtrfsError("fgetxattr", "a directory", reason)
    }

    /// Sets it (`fsetxattr(2)`): `zstd`, or `none` for flag `m`. Fails with EINVAL on a NOCOW
    /// directory. Only the directory's own ctime changes, and nothing of the files in it.
    public static func set(
        _ value: String, on directory: borrowing Descriptor
    ) throws(BtrfsError) {
        guard unsafe fsetxattr(directory.rawValue, name, value, value.utf8.count, 0) == 0 else {
            throw BtrfsError("fsetxattr", "a directory", Errno(rawValue: errno))
        }
    }

    /// Takes it away, and the flags `c` and `m` with it (`FS_IOC_SETFLAGS`).
    public static func remove(from directory: borrowing Descriptor) throws(BtrfsError) {
        if unsafe fremovexattr(directory.rawValue, name) != 0, errno != ENODATA {
            throw BtrfsError("fremovexattr", "a directory", Errno(rawValue: errno))
        }
        let flags = try FileFlags.of(directory)
        let others = flags.subtracting([.compress, .noCompress])
        if others != flags { try others.set(on: directory) }
    }
}
