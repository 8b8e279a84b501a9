// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// A mirrored Btrfs of two loop devices, one of which is gone.
private final class DegradedFileSystem {
    let folder: String
    let path: String
    private var devices: [String] = []
    private var isDetached = false
    var pool: String { path + "/var/lib/qubes" }

    init() throws {
        folder =
            FileManager.default.temporaryDirectory.path + "/qubes-btrfs-test-\(UUID().uuidString)"
        path = folder + "/mnt"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for name in ["a", "b"] {
            try Command.check("truncate", "-s", "512M", "\(folder)/\(name)")
            let device = try Command.check("losetup", "--find", "--show", "\(folder)/\(name)")
            devices.append(device.output.trimmingCharacters(in: .newlines))
        }
        try Command.check(
            "mkfs.btrfs", "-q", "-d", "raid1", "-m", "raid1", devices[0], devices[1])
        try Command.check("btrfs", "device", "scan", devices[0], devices[1])
        try Command.check("mount", devices[0], path)
        for name in ["work", "copy"] {
            try Files.write(
                Content.text(mebibytes: 16, seed: 1), to: pool + "/appvms/\(name)/private.img")
        }
        try Command.check("btrfs", "filesystem", "sync", path)
    }

    deinit {
        _ = try? Command.run(["umount", path])
        for device in devices {
            // Or the kernel takes the next file system on this device for a part of this one.
            _ = try? Command.run(["btrfs", "device", "scan", "--forget", device])
        }
        // The second is detached already, and its number may be another's by now.
        for device in isDetached ? devices.prefix(1) : devices[...] {
            _ = try? Command.run(["losetup", "--detach", device])
        }
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Mounts it without its second device, which the kernel may still know by its path, as after
    /// a disk was unplugged.
    func degrade(isKnown: Bool = false) throws {
        try Command.check("umount", path)
        if isKnown {
            // It stays attached, and is empty: the kernel opens the path at the mount, and what it
            // opens must not be the device of another test by then, whose mount would find it busy.
            try Command.check(
                "dd", "if=/dev/zero", "of=\(devices[1])", "bs=1M", "count=1", "conv=fsync",
                "status=none")
        } else {
            for device in devices {
                try Command.check("btrfs", "device", "scan", "--forget", device)
            }
            try Command.check("losetup", "--detach", devices[1])
            isDetached = true
        }
        try Command.check("mount", "-o", "degraded", devices[0], path)
    }

    func order(_ work: WorkerOrder.Work) -> WorkerOrder {
        WorkerOrder(
            work: work, pools: [.init(name: "pool", directory: pool)],
            volumes: [WorkerRun.volume("work"), WorkerRun.volume("copy")], wholeMachine: true)
    }

    /// The profiles that data is in, as btrfs(8) prints them.
    func profiles() throws -> [String] {
        try Command.check("btrfs", "filesystem", "df", path).output.split(separator: "\n")
            .filter { $0.hasPrefix("Data") }.map { String($0.prefix { $0 != ":" }) }
    }
}

@Suite(
    "A degraded file system, of real devices",
    .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct DegradedTests {
    private func devices(_ fileSystem: DegradedFileSystem) throws -> CheckReport.Finding {
        let last = try WorkerRun.messages(fileSystem.order(.check)).last
        guard case .check(let check)? = last else {
            throw WorkerRun.UnexpectedEnd(message: "\(String(describing: last))")
        }
        return try #require(check.findings.first { $0.topic == "devices" })
    }

    @Test("A missing device is a problem, with what mends it", arguments: [false, true])
    func check(isKnown: Bool) throws {
        let fileSystem = try DegradedFileSystem()
        #expect(try devices(fileSystem).level == .good)
        try fileSystem.degrade(isKnown: isKnown)
        let found = try devices(fileSystem)
        #expect(found.level == .problem)
        #expect(found.message.contains("missing"))
        #expect(found.command == "btrfs replace start -B 2 /dev/NEW \(fileSystem.path)")
    }

    @Test(
        "No job works on it, and nothing loses its second copy",
        arguments: [
            WorkerRun.compress, WorkerRun.dedupe, WorkerRun.optimize, WorkerRun.defragment,
            WorkerRun.sparsify,
        ])
    func jobs(work: WorkerOrder.Work) throws {
        let fileSystem = try DegradedFileSystem()
        try fileSystem.degrade()
        let last = try WorkerRun.messages(fileSystem.order(work)).last
        guard case .failure(let kind, let message, _)? = last else {
            Issue.record("\(String(describing: last))")
            return
        }
        #expect(kind == ServiceException.Kind.unsuitablePool.rawValue)
        #expect(message.hasPrefix("pool pool: a device is missing"), "\(message)")
        #expect(message.contains("btrfs replace start -B 2"), "\(message)")
        try Command.check("btrfs", "filesystem", "sync", fileSystem.path)
        #expect(try fileSystem.profiles() == ["Data, RAID1"])
    }

    @Test("Whoever asks for a report gets it, and other file systems are worked on")
    func others() throws {
        let fileSystem = try DegradedFileSystem()
        try fileSystem.degrade()
        guard case .report(let report)? = try WorkerRun.messages(fileSystem.order(.report)).last
        else {
            Issue.record("no report")
            return
        }
        #expect(report.total.dataBytes == 32 << 20)
        let whole = try LoopFileSystem(mebibytes: 256)
        try Files.write(
            Content.text(mebibytes: 4, seed: 2), to: whole.image("appvms/third/private.img"))
        var order = fileSystem.order(WorkerRun.compress)
        order.pools.append(.init(name: "whole", directory: whole.pool))
        order.volumes.append(WorkerRun.volume("third"))
        order.volumes[2].pool = "whole"
        guard case .result(let result)? = try WorkerRun.messages(order).last else {
            Issue.record("no result")
            return
        }
        #expect(result.problems.map(\.subject) == ["pool pool"])
        #expect(try whole.compsizeBytes(whole.image("appvms/third/private.img")) < 2 << 20)
    }
}
