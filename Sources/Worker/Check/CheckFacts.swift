// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemCalls
internal import SystemPackage

/// A kernel's version: a series and, in it, the number of an update.
struct KernelVersion: Comparable, CustomStringConvertible {
    let major: Int
    let minor: Int
    /// 0 for the first of its series.
    let update: Int

    init(_ major: Int, _ minor: Int, _ update: Int = 0) {
        self.major = major
        self.minor = minor
        self.update = update
    }

    /// From `6.12.59-1.qubes.fc41`.
    init?(release: String) {
        let parts = release.prefix { $0.isNumber || $0 == "." }.split(separator: ".")
            .compactMap { Int($0) }
        guard parts.count >= 2 else { return nil }
        self.init(parts[0], parts[1], parts.count > 2 ? parts[2] : 0)
    }

    var description: String { "\(major).\(minor)" + (update == 0 ? "" : ".\(update)") }

    func isOfSeries(of other: KernelVersion) -> Bool {
        (major, minor) == (other.major, other.minor)
    }

    static func < (left: KernelVersion, right: KernelVersion) -> Bool {
        (left.major, left.minor, left.update) < (right.major, right.minor, right.update)
    }
}

/// A loop device and the file behind it.
struct LoopDevice {
    let name: String
    /// Its path as the kernel has it, which need not be that by which a pool is reached.
    let backingFile: FilePath
    let isDirect: Bool
    /// What its qube frees comes to the image; nil where the kernel does not say.
    var passesDiscards: Bool?

    /// Which file it is; nil where it has no name any more.
    var backingIdentity: FileStatus.Identity? {
        (try? Descriptor.status(of: backingFile))?.identity
    }

    /// Whether the file lies below one of these directories, by whatever path they are reached.
    func isBelow(_ directories: Set<FileStatus.Identity>) -> Bool {
        var folder = backingFile
        for _ in 0..<Self.depthLimit where folder.removeLastComponent() {
            if let identity = (try? Descriptor.status(of: folder))?.identity,
                directories.contains(identity)
            {
                return true
            }
        }
        return false
    }

    /// The most directories that are looked at above a file.
    private static let depthLimit = 64
}

extension PoolSite {
    /// Which directory it is, by device and number.
    var identity: FileStatus.Identity? { (try? directory.descriptor.status())?.identity }
}

/// What the kernel says of itself, in files.
enum CheckFacts {
    private static let textBytes = 64 * 1024

    static var kernel: (release: String, version: KernelVersion)? {
        guard let release = text("/proc/sys/kernel/osrelease"),
            let version = KernelVersion(release: release)
        else { return nil }
        return (release, version)
    }

    /// The features of a mounted file system, as `free_space_tree`; nil when it does not say.
    static func features(of fileSystem: FileSystem) -> Set<String>? {
        let path = FilePath("/sys/fs/btrfs/\(fileSystem.identity.text)/features")
        guard let directory = try? Descriptor.open(path, [.readOnly, .directory]) else {
            return nil
        }
        return (try? directory.entries()).map { Set($0) }
    }

    /// How quotas are kept, `qgroup` or `squota`; nil where they are off.
    static func quotaMode(of fileSystem: FileSystem) -> String? {
        let path = "/sys/fs/btrfs/\(fileSystem.identity.text)/qgroups"
        guard (try? Descriptor.open(FilePath(path), [.readOnly, .directory])) != nil else {
            return nil
        }
        // Before Linux 6.7 there was one kind, and no word for it.
        return text(path + "/mode") ?? "qgroup"
    }

    /// The devices of a mounted file system, as far as the kernel names them.
    static func devices(of fileSystem: FileSystem) -> [BlockDevice] {
        let path = FilePath("/sys/fs/btrfs/\(fileSystem.identity.text)/devices")
        guard let directory = try? Descriptor.open(path, [.readOnly, .directory]),
            let names = try? directory.entries()
        else { return [] }
        return names.sorted().map { name in
            // A partition has the queue of its disk.
            func value(_ key: String) -> String? {
                text("/sys/class/block/\(name)/queue/\(key)")
                    ?? text("/sys/class/block/\(name)/../queue/\(key)")
            }
            return BlockDevice(
                name: name, passesDiscards: value("discard_max_bytes").map { $0 != "0" },
                isRotational: value("rotational") == "1")
        }
    }

    /// The security modules that are on, in the kernel's order, as `capability,yama`; nil where it
    /// does not say.
    static var securityModules: String? { text("/sys/kernel/security/lsm") }

    /// The loop devices in use.
    static var loops: [LoopDevice] {
        guard let directory = try? Descriptor.open("/sys/block", [.readOnly, .directory]),
            let names = try? directory.entries()
        else { return [] }
        return names.filter { $0.hasPrefix("loop") }.sorted().compactMap { name in
            guard let file = text("/sys/block/\(name)/loop/backing_file") else { return nil }
            return LoopDevice(
                name: name, backingFile: FilePath(file),
                isDirect: text("/sys/block/\(name)/loop/dio") == "1",
                passesDiscards: text("/sys/block/\(name)/ro") == "1"
                    ? nil
                    : text("/sys/block/\(name)/queue/discard_max_bytes").map { $0 != "0" })
        }
    }

    /// The files that loop devices have open, which are those of running qubes; nil where the
    /// kernel does not say.
    static var attachedFiles: Set<FileStatus.Identity>? {
        guard (try? Descriptor.open("/sys/block", [.readOnly, .directory])) != nil else {
            return nil
        }
        return Set(loops.compactMap(\.backingIdentity))
    }

    private static func text(_ path: String) -> String? {
        guard let file = try? Descriptor.open(FilePath(path), .readOnly),
            let bytes = try? file.readToEnd(limitBytes: textBytes)
        else { return nil }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").first.map(String.init)
    }
}
