// SPDX-License-Identifier: GPL-2.0-or-later
internal import CBtrfsUtil
internal import Glibc
public import SystemCalls
internal import SystemPackage

/// What libbtrfsutil knows of subvolumes.
public enum Subvolumes {
    /// The subvolume that an open file or directory is in (`btrfs_util_subvolume_id_fd`).
    public static func identifier(
        of file: borrowing Descriptor, path: String
    ) throws(BtrfsError) -> TreeIdentifier {
        var identifier: UInt64 = 0
        let status = unsafe btrfs_util_subvolume_id_fd(file.rawValue, &identifier)
        guard status == BTRFS_UTIL_OK else {
            throw BtrfsError("btrfs_util_subvolume_id", path, Errno(rawValue: errno))
        }
        return TreeIdentifier(identifier)
    }

    /// Whether the subvolume that an open directory is in can only be read
    /// (`btrfs_util_subvolume_info_fd`).
    public static func isReadOnly(
        _ directory: borrowing Descriptor, path: String
    ) throws(BtrfsError) -> Bool {
        var info = btrfs_util_subvolume_info()
        let status = unsafe btrfs_util_subvolume_info_fd(directory.rawValue, 0, &info)
        guard status == BTRFS_UTIL_OK else {
            throw BtrfsError("btrfs_util_subvolume_info", path, Errno(rawValue: errno))
        }
        return info.flags & 1 != 0  // BTRFS_ROOT_SUBVOL_RDONLY
    }
}
