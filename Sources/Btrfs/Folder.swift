// SPDX-License-Identifier: GPL-2.0-or-later
internal import CBtrfs
internal import CBtrfsUtil
internal import Glibc
public import SystemCalls
internal import SystemPackage

extension FileSystem {
    /// Whether an open file or directory is on this file system: the subvolume that it is in, or
    /// nil where it is on another (`fstatfs(2)`, BTRFS_IOC_FS_INFO, `btrfs_util_subvolume_id_fd`).
    ///
    /// This alone decides it. The device number of `stat(2)` does not: each subvolume has one of
    /// its own, and inode numbers begin at 256 on every Btrfs, so that what is mounted below a
    /// directory of ours would be taken for whatever has its numbers here. Other mounts of this
    /// file system are on it, whatever they are mounted for.
    public func subvolume(
        holding file: borrowing Descriptor, path: String
    ) throws(BtrfsError) -> TreeIdentifier? {
        guard let information = try Self.information(of: file, path: path),
            Self.identity(information) == identity
        else { return nil }
        var identifier: UInt64 = 0
        let status = unsafe btrfs_util_subvolume_id_fd(file.rawValue, &identifier)
        guard status == BTRFS_UTIL_OK else {
            throw BtrfsError("btrfs_util_subvolume_id", path, Errno(rawValue: errno))
        }
        return TreeIdentifier(identifier)
    }

    /// Which inode an open file is; nil where it is on another file system.
    public func inode(
        of file: borrowing Descriptor, path: String
    ) throws(BtrfsError) -> InodeIdentifier? {
        guard let subvolume = try subvolume(holding: file, path: path) else { return nil }
        do throws(Errno) {
            return InodeIdentifier(
                subvolume: subvolume, number: try file.status().identity.inode)
        } catch {
            throw BtrfsError("fstat", path, error)
        }
    }

    /// The file system that an open file is on, as it says itself; nil where that is no Btrfs.
    static func information(
        of file: borrowing Descriptor, path: String
    ) throws(BtrfsError) -> btrfs_ioctl_fs_info_args? {
        // Other file systems may know the number of the request for something else.
        let type = cbtrfs_file_system_type(file.rawValue)
        guard type == Int(cbtrfs_SUPER_MAGIC) else { return nil }
        var arguments = btrfs_ioctl_fs_info_args()
        arguments.flags = 1  // BTRFS_FS_INFO_FLAG_CSUM_INFO
        guard unsafe ioctl(file.rawValue, cbtrfs_FS_INFO, &arguments) == 0 else {
            throw BtrfsError("FS_INFO", path, Errno(rawValue: errno))
        }
        return arguments
    }

    static func identity(_ information: btrfs_ioctl_fs_info_args) -> Identity {
        unsafe withUnsafeBytes(of: information.fsid) { unsafe Identity(bytes: Array($0)) }
    }
}

/// A directory that is on a file system for certain. The inodes of files are had from here, and
/// from the trees themselves, and nowhere else.
public struct Folder: ~Copyable, Sendable {
    /// A regular file in it.
    public struct File: Sendable {
        /// Which inode it is; nil where a file of another file system is mounted over it.
        public let inode: InodeIdentifier?
        /// What `stat(2)` says of it.
        public let status: FileStatus
    }

    /// The open directory.
    public let descriptor: Descriptor
    /// The subvolume that it is in.
    public let subvolume: TreeIdentifier
    /// What `fstat(2)` says of it.
    public let status: FileStatus
    private let fileSystem: FileSystem

    /// Takes over an open directory.
    /// - Returns: nil where it is on another file system.
    public init?(
        _ directory: consuming Descriptor, on fileSystem: FileSystem, path: String
    ) throws(BtrfsError) {
        guard let subvolume = try fileSystem.subvolume(holding: directory, path: path) else {
            return nil
        }
        status = try Self.status(of: directory, path)
        self.subvolume = subvolume
        self.fileSystem = fileSystem
        descriptor = directory
    }

    /// A directory in this one, and nothing that is mounted there.
    /// - Throws: EXDEV where something is; see `Descriptor.open(directoryOfSameMount:)`.
    public borrowing func folder(ofSameMount name: String) throws(BtrfsError) -> Folder {
        do throws(Errno) {
            let directory = try descriptor.open(directoryOfSameMount: name)
            let status = try directory.status()
            if status.identity.device == self.status.identity.device {
                // Each subvolume has a device number that nothing else on the machine has.
                return Folder(directory, subvolume, status, fileSystem)
            }
            if let other = try? Folder(directory, on: fileSystem, path: name) { return other }
            throw .improperLink
        } catch {
            throw BtrfsError("openat", name, error)
        }
    }

    private init(
        _ directory: consuming Descriptor, _ subvolume: TreeIdentifier, _ status: FileStatus,
        _ fileSystem: FileSystem
    ) {
        descriptor = directory
        self.subvolume = subvolume
        self.status = status
        self.fileSystem = fileSystem
    }

    /// The regular file of a name; nil where there is none, or something else.
    public borrowing func file(_ name: String) -> File? {
        guard let status = try? descriptor.status(ofEntry: name), status.isRegularFile else {
            return nil
        }
        if status.identity.device == self.status.identity.device {
            return File(
                inode: InodeIdentifier(subvolume: subvolume, number: status.identity.inode),
                status: status)
        }
        return mounted(name, status)
    }

    /// A file that is mounted over a name has another device number: of another subvolume of this
    /// file system, or of elsewhere.
    private borrowing func mounted(_ name: String, _ seen: FileStatus) -> File {
        // What it is opened as says what it is: another may have taken the name meanwhile.
        guard
            let file = try? descriptor.open(
                beneath: FilePath(name), [.readOnly, .nonBlocking]),
            let status = try? file.status(), status.isRegularFile,
            let inode = try? fileSystem.inode(of: file, path: name)
        else { return File(inode: nil, status: seen) }
        return File(inode: inode, status: status)
    }

    private static func status(
        of directory: borrowing Descriptor, _ path: String
    ) throws(BtrfsError) -> FileStatus {
        do throws(Errno) {
            return try directory.status()
        } catch {
            throw BtrfsError("fstat", path, error)
        }
    }
}
