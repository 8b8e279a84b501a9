// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import SystemCalls
import Testing

/// Whether a real Btrfs can be made and mounted here.
enum RealBtrfs {
    static let reason: Comment = "needs root, loop devices and a kernel that mounts Btrfs"

    static let isAvailable: Bool = {
        guard getuid() == 0, let probe = try? LoopFileSystem(mebibytes: 128) else { return false }
        return FileManager.default.fileExists(atPath: probe.path)
    }()
}

/// A Btrfs in a file, mounted while this lives, laid out as dom0's /var/lib/qubes.
final class LoopFileSystem {
    /// The folder that holds everything; removed at the end.
    let folder: String
    /// The file that holds the file system.
    let backing: String
    /// Where it is mounted.
    let path: String
    /// The devices that it lies on, where a test has made them.
    private let devices: [FaultDevice]
    private let mountOptions: [String]
    /// The pool's directory in it.
    var pool: String { path + "/var/lib/qubes" }

    init(mebibytes: Int, options: [String] = [], mount: [String] = [], in parent: String? = nil)
        throws
    {
        let parent = parent ?? FileManager.default.temporaryDirectory.path
        devices = []
        mountOptions = mount
        folder = parent + "/qubes-btrfs-test-\(UUID().uuidString)"
        backing = folder + "/disk"
        path = folder + "/mnt"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try Command.check("truncate", "-s", "\(mebibytes)M", backing)
        _ = try Command.run(["mkfs.btrfs", "-q"] + options + [backing])
        try attach()
        try makePool()
    }

    /// On devices whose faults a test chooses; the first is mounted.
    init(on devices: [FaultDevice], options: [String] = [], mount: [String] = []) throws {
        self.devices = devices
        mountOptions = mount
        folder =
            FileManager.default.temporaryDirectory.path
            + "/qubes-btrfs-test-\(UUID().uuidString)"
        backing = devices.first?.path ?? ""
        path = folder + "/mnt"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let made = try Command.run(["mkfs.btrfs", "-q", "-K"] + options + devices.map(\.path))
        if made.status != 0 { throw Command.Failed(command: "mkfs.btrfs", ending: made) }
        try attach()
        try makePool()
    }

    private func makePool() throws {
        for directory in ["/appvms", "/vm-templates"] {
            try FileManager.default.createDirectory(
                atPath: pool + directory, withIntermediateDirectories: true)
        }
    }

    /// A file system that exists already, as after a power cut.
    init(existing backing: String) throws {
        devices = []
        mountOptions = []
        folder =
            FileManager.default.temporaryDirectory.path
            + "/qubes-btrfs-test-\(UUID().uuidString)"
        self.backing = backing
        path = folder + "/mnt"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try attach()
    }

    deinit {
        devices.forEach { $0.mend() }
        _ = try? Command.run(["umount", path])
        try? FileManager.default.removeItem(atPath: folder)
    }

    private func attach() throws {
        let options =
            devices.isEmpty
            ? ["loop"] + mountOptions
            : ["rw"] + mountOptions + devices.dropFirst().map { "device=\($0.path)" }
        try Command.check("mount", "-o", options.joined(separator: ","), backing, path)
    }

    /// Unmounts and mounts again: nothing of it is left in memory.
    func remount() throws {
        try Command.check("umount", path)
        try attach()
    }

    /// The kernel has given it up, or it was mounted so.
    var isReadOnly: Bool {
        get throws {
            // Not by Foundation, which takes the first piece of the kernel's table for all of it.
            try #require(Mount.all.last { $0.point == path }).options.contains("ro")
        }
    }

    /// Commits, until what was freed has come back.
    func synchronize() throws {
        for _ in 0..<2 { try Command.check("btrfs", "filesystem", "sync", path) }
    }

    /// The bytes that data takes, by the count of the file system as btrfs(8) prints it.
    func dataUsedBytes() throws -> UInt64 {
        try synchronize()
        let text = try Command.check("btrfs", "filesystem", "df", "--raw", path)
        return try #require(Self.used(text.output))
    }

    private static func used(_ text: String) -> UInt64? {
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix("Data") }),
            let range = line.range(of: "used=")
        else { return nil }
        return UInt64(line[range.upperBound...])
    }

    /// What is used of the device: data once, metadata twice.
    func deviceUsedBytes(synchronized: Bool = true) throws -> Int64 {
        if synchronized { try synchronize() }
        let text = try Command.check("btrfs", "filesystem", "df", "--raw", path).output
        return text.split(separator: "\n").reduce(0) { sum, line in
            guard let range = line.range(of: "used="), !line.hasPrefix("GlobalReserve") else {
                return sum
            }
            let used = Int64(line[range.upperBound...]) ?? 0
            return sum + (line.contains("DUP") ? 2 * used : used)
        }
    }

    /// What compsize(8) says the files below a path take on the device.
    func compsizeBytes(_ path: String) throws -> UInt64 {
        let text = try Command.check("compsize", "-b", path).output
        let total = text.split(separator: "\n").first { $0.hasPrefix("TOTAL") }
        return try #require(
            total.flatMap { UInt64($0.split(separator: " ", omittingEmptySubsequences: true)[2]) })
    }

    /// The path of an image below the pool.
    func image(_ name: String) -> String { pool + "/" + name }

    /// Everything about every file below the file system's root that must never change: names,
    /// inodes, sizes, time stamps, and the content as a SHA-256. Read from the device.
    func inventory() throws -> [String: String] {
        // Of this file system alone: a sync of all cuts extents that other tests are writing.
        try synchronize()
        try Data("3\n".utf8).write(to: URL(fileURLWithPath: "/proc/sys/vm/drop_caches"))
        let files = try Command.check(
            "find", path, "-type", "f", "-printf", "%P|%i|%s|%T@|%C@|%n\n"
        ).output.split(separator: "\n")
        let sums = try Command.check(
            "sh", "-c", "cd \(path) && find . -type f -print0 | xargs -0 -r sha256sum"
        ).output.split(separator: "\n")
        var inventory: [String: String] = [:]
        for file in files { inventory["stat " + file.prefix { $0 != "|" }] = String(file) }
        for sum in sums { inventory["sum " + sum.dropFirst(66)] = String(sum.prefix(64)) }
        return inventory
    }
}
