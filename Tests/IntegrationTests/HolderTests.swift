// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// What snapshots and other subvolumes hold, and what deleting them really brings.
@Suite("Who holds it", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct HolderTests {
    private let volumes = [WorkerRun.volume("work")]

    /// A pool in a subvolume of its own, with snapshots of three moments as snapper makes them: the
    /// image was written anew in part before each. And a subvolume with a file of its own and a
    /// clone of the image.
    private func populated() throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 1024)
        let top = fileSystem.path
        try FileManager.default.removeItem(atPath: "\(top)/var")
        for name in ["var", "other"] {
            try Command.check("btrfs", "--quiet", "subvolume", "create", "\(top)/\(name)")
        }
        for folder in ["\(fileSystem.pool)/appvms", "\(top)/.snapshots"] {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
        }
        let image = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.random(mebibytes: 24, seed: 1), to: image)
        for number in 1...3 {
            try Files.overwrite(
                image, atOffset: UInt64(number - 1) * 4 << 20,
                with: Content.random(mebibytes: 4 * number, seed: UInt64(10 + number)))
            try fileSystem.synchronize()
            try FileManager.default.createDirectory(
                atPath: "\(top)/.snapshots/\(number)", withIntermediateDirectories: true)
            try Command.check(
                "btrfs", "--quiet", "subvolume", "snapshot", "-r", "\(top)/var",
                "\(top)/.snapshots/\(number)/snapshot")
        }
        try Files.overwrite(
            image, atOffset: 0, with: Content.random(mebibytes: 20, seed: 20))
        try Files.clone(image, to: "\(top)/other/clone")
        try Files.write(Content.random(mebibytes: 5, seed: 21), to: "\(top)/other/own")
        try fileSystem.synchronize()
        return fileSystem
    }

    private func machine(_ fileSystem: LoopFileSystem) throws -> MachineFigures {
        try #require(WorkerRun.report(volumes, on: fileSystem).machine)
    }

    /// Deletes it and waits until the kernel is through.
    private func delete(_ holder: SpaceHolder, _ fileSystem: LoopFileSystem) throws -> UInt64 {
        let before = try fileSystem.dataUsedBytes()
        let path = try #require(holder.path)
        try Command.check("btrfs", "--quiet", "subvolume", "delete", "\(fileSystem.path)/\(path)")
        try Command.check("btrfs", "subvolume", "sync", fileSystem.path)
        return before - (try fileSystem.dataUsedBytes())
    }

    @Test("Each figure is, to the byte of data, what deleting it frees, one after the other")
    func exact() throws {
        let fileSystem = try populated()
        let first = try machine(fileSystem)
        let holders = try #require(first.holders)
        #expect(
            Set(holders.compactMap(\.path)) == [
                ".snapshots/1/snapshot", ".snapshots/2/snapshot", ".snapshots/3/snapshot", "other",
            ], "the pool's own is in use")
        #expect(holders.filter(\.isSnapshot).count == 3)
        #expect(holders.map(\.exclusiveBytes) == holders.map(\.exclusiveBytes).sorted(by: >))
        #expect((holders.first?.exclusiveBytes ?? 0) >= 5 << 20)
        let start = try fileSystem.dataUsedBytes()
        for path in [
            ".snapshots/2/snapshot", "other", ".snapshots/1/snapshot", ".snapshots/3/snapshot",
        ] {
            let now = try machine(fileSystem)
            let holder = try #require(now.holders?.first { $0.path == path })
            #expect(try delete(holder, fileSystem) == holder.exclusiveBytes, "\(path)")
        }
        #expect(start - (try fileSystem.dataUsedBytes()) == first.holdersBytes)
        let last = try machine(fileSystem)
        #expect(last.holders == nil && last.holdersBytes == nil && last.heldOfQubes == nil)
    }

    @Test("Of a qube it is what does not come back with it, and does once they are gone")
    func ofQube() throws {
        let fileSystem = try populated()
        let report = try WorkerRun.report(volumes, on: fileSystem)
        let held = try #require(report.machine?.heldOfQubes?.first)
        #expect(held.qube == "work" && report.machine?.heldOfQubes?.count == 1)
        #expect(held.bytes > 0)
        for holder in try #require(report.machine?.holders) { _ = try delete(holder, fileSystem) }
        let after = try WorkerRun.report(volumes, on: fileSystem)
        let before = try #require(report.qubes.first?.figures)
        #expect(after.qubes.first?.figures.exclusiveBytes == before.exclusiveBytes + held.bytes)
    }

    @Test("A report that is not of the machine names none of it")
    func notOfMachine() throws {
        let fileSystem = try populated()
        var order = WorkerRun.order(.report, volumes, on: fileSystem)
        order.wholeMachine = false
        guard case .report(let report)? = try WorkerRun.messages(order).last else {
            Issue.record("no report")
            return
        }
        #expect(report.machine == nil)
    }

    @Test("Beyond 256 the rest counts as one")
    func many() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let image = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.random(mebibytes: 4, seed: 1), to: image)
        try fileSystem.synchronize()
        try Command.check(
            "sh", "-c",
            "for i in $(seq 259); do btrfs -q subvolume create \"$1/s$i\"; done", "sh",
            fileSystem.path)
        try Files.write(
            Content.random(mebibytes: 3, seed: 2), to: "\(fileSystem.path)/s259/own")
        try fileSystem.synchronize()
        let holders = try #require(try machine(fileSystem).holders)
        #expect(holders.count == 257)
        let rest = try #require(holders.first { $0.path == nil })
        #expect(rest.count == 3 && rest.exclusiveBytes == 3 << 20)
    }

    @Test("A report does not wait for the device of a file system that it is not about")
    func elsewhere() throws {
        let fileSystem = try populated()
        for name in ["cache", "state"] {
            try FileManager.default.createDirectory(
                atPath: "\(fileSystem.folder)/\(name)", withIntermediateDirectories: true)
        }
        let device = try FaultDevice(mebibytes: 256)
        let other = try LoopFileSystem(on: [device])
        // So many names that what is to be read of them is not read by the mount.
        let name = String(repeating: "x", count: 200)
        for number in 0..<1000 {
            try Data().write(to: URL(fileURLWithPath: "\(other.path)/\(name)\(number)"))
        }
        try other.remount()
        device.set { $0.hangs = true }
        let worker = try TortureWorker(
            WorkerRun.order(.report, volumes, on: fileSystem), in: fileSystem.folder)
        let end = ContinuousClock.now + .seconds(30)
        while worker.isRunning, ContinuousClock.now < end { usleep(10_000) }
        let isOver = !worker.isRunning
        device.mend()
        #expect(isOver)
        // It has not ended for some other reason.
        #expect(worker.hasReported)
    }
}
