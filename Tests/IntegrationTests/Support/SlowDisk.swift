// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

/// Control groups for a test: two that are each other's neighbours in the unified hierarchy, and
/// one limit on the reads of all of them from one device, which makes it a slow disk.
final class SlowDisk {
    static let reason: Comment = "needs root, Btrfs, PSI, and control groups that limit reads"

    /// What the kernel has of it.
    static let isAvailable: Bool = {
        guard RealBtrfs.isAvailable, let unified = mount("cgroup2", with: "") else { return false }
        let hasPressure = FileManager.default.fileExists(atPath: unified + "/io.pressure")
        return hasPressure && mount("cgroup", with: "blkio") != nil
    }()

    /// Where the unified hierarchy is mounted.
    let unified: String
    private let blocks: String
    private let name = "qubes-btrfs-test-\(UUID().uuidString)"

    /// - Parameter path: the mount point of a file system on a loop device.
    init(_ path: String, bytesPerSecond: Int) throws {
        unified = try #require(Self.mount("cgroup2", with: ""))
        blocks = try #require(Self.mount("cgroup", with: "blkio")) + "/" + name
        for folder in [blocks, "\(unified)/\(name)-reader", "\(unified)/\(name)-job"] {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: false)
        }
        let source = try Command.check("findmnt", "-n", "-o", "SOURCE", path).output
        let device = try Command.check(
            "lsblk", "-d", "-n", "-o", "MAJ:MIN",
            source.trimmingCharacters(in: .whitespacesAndNewlines)
        ).output.trimmingCharacters(in: .whitespacesAndNewlines)
        try Command.check(
            "sh", "-c",
            "echo '\(device) \(bytesPerSecond)' > '\(blocks)/blkio.throttle.read_bps_device'")
    }

    deinit {
        for folder in [blocks, "\(unified)/\(name)-reader", "\(unified)/\(name)-job"] {
            _ = try? Command.run(["rmdir", folder])
        }
    }

    /// What a process does to be the foreground or the job.
    func prelude(_ part: String) -> String {
        "echo $$ > '\(unified)/\(name)-\(part)/cgroup.procs'; echo $$ > '\(blocks)/cgroup.procs'"
    }

    private static func mount(_ type: String, with option: String) -> String? {
        let mounts = (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
        for line in mounts.split(separator: "\n") {
            let fields = line.split(separator: " ").map(String.init)
            guard fields.count > 3, fields[2] == type else { continue }
            let options = fields[3].split(separator: ",").map(String.init)
            if option.isEmpty || options.contains(option) { return fields[1] }
        }
        return nil
    }
}
