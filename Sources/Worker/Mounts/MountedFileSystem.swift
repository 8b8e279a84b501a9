// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemCalls
internal import SystemPackage

/// A file system by one of its mounts, whose options can be set. They are those of the file system:
/// each of its mounts, of whatever subvolume, shows the same.
struct MountedFileSystem {
    /// Why its options could not be set. Each says what to do.
    enum Failure: Error, Equatable, CustomStringConvertible {
        /// Nothing is mounted where the kernel says, or it is covered by something else.
        case unreachable(point: String)
        /// What was to be set could not be written down first.
        case unrecorded(String)
        /// The kernel refuses.
        case refused(point: String, option: String, reason: Errno)
        /// The kernel has set another option than it was asked for, or changed others.
        case changedOthers(point: String, before: [String], after: [String])

        var description: String {
            switch self {
            case .unreachable(let point):
                "its mount at \(point) cannot be reached; 'findmnt \(point)' shows what is there"
            case .unrecorded(let reason): reason
            case .refused(let point, let option, let reason):
                "the kernel does not set \(option) at \(point): \(reason); 'dmesg' has its reason"
            case .changedOthers(let point, let before, let after):
                "the kernel has made other options of \(before.joined(separator: ",")) at"
                    + " \(point) than was asked for: \(after.joined(separator: ",")); 'mount -o"
                    + " remount,...' sets what is missing"
            }
        }
    }

    /// Where it is mounted.
    let point: String
    private let root: SharedDescriptor

    /// By anything that is open on it.
    init(holding file: borrowing Descriptor) throws(Failure) {
        guard let mount = (try? file.mount()) ?? nil else { throw .unreachable(point: "?") }
        try self.init(mount)
    }

    /// By a mount of the table.
    init(_ mount: Mount) throws(Failure) {
        point = mount.point
        guard let root = try? Descriptor.open(mount.path, [.readOnly, .directory]),
            (try? root.mount())??.identifier == mount.identifier
        else { throw .unreachable(point: mount.point) }
        self.root = SharedDescriptor(root)
    }

    /// Its options as they are now.
    var options: [String] { ((try? root.descriptor.mount()) ?? nil)?.fileSystemOptions ?? [] }

    /// Which Btrfs it is; nil where it is none.
    var identity: FileSystem.Identity? {
        guard let directory = try? root.descriptor.duplicate() else { return nil }
        return (try? FileSystem(directory: directory, path: point))?.identity
    }

    /// Sets the one option of compression, or takes it away with nil, and looks what came of it.
    func setCompression(_ option: String?) throws(Failure) {
        let before = options
        do throws(Errno) {
            try root.descriptor.setFileSystemOptions(
                MountCompression.settings(for: option, among: before))
        } catch {
            throw .refused(point: point, option: option ?? "compress=no", reason: error)
        }
        let after = options
        guard MountCompression.option(after) == option,
            MountCompression.others(after) == MountCompression.others(before)
        else { throw .changedOthers(point: point, before: before, after: after) }
    }
}
