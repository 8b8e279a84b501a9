// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

@Suite("Compression on a real Btrfs", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct CompressionTests {
    /// An image with a precache, a revision and a clone that has changed a little.
    private func family() throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 1024)
        let image = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.text(mebibytes: 48, seed: 1), to: image)
        try Files.clone(image, to: fileSystem.image("appvms/work/private-precache.img"))
        try Files.clone(
            image, to: fileSystem.image("appvms/work/private.img.1@2026-01-02T03:04:05Z"))
        let clone = fileSystem.image("appvms/clone/private.img")
        try Files.clone(image, to: clone)
        try Files.overwrite(clone, atOffset: 4 << 20, with: Content.random(mebibytes: 1, seed: 2))
        return fileSystem
    }

    private let volumes = [WorkerRun.volume("work"), WorkerRun.volume("clone")]

    @Test("What was shared stays shared and takes less, where defragment un-shares and grows")
    func sharingStays() throws {
        let ours = try family()
        let before = try ours.dataUsedBytes()
        let inventory = try ours.inventory()
        let result = try WorkerRun.job(WorkerRun.compress, volumes, on: ours)
        let after = try ours.dataUsedBytes()
        #expect(try ours.inventory() == inventory)
        #expect(after < before / 2)
        #expect(result.measuredDataBytes == Int64(before) - Int64(after))

        let report = try WorkerRun.report(volumes, on: ours)
        let work = try #require(report.qubes.first { $0.name == "work" })
        // Three files, each extent once: data is three times what is unpacked from disk.
        #expect(work.figures.dataBytes == 3 * 48 << 20)
        #expect(work.figures.compressedDataBytes == 48 << 20)
        #expect(report.total.diskBytes == after)
        let clone = try #require(report.qubes.first { $0.name == "clone" })
        #expect(clone.figures.exclusiveBytes <= 2 << 20, "only what it changed is its own")

        let theirs = try family()
        try Command.check("btrfs", "filesystem", "defragment", "-r", "-czstd", theirs.pool)
        let defragmented = try theirs.dataUsedBytes()
        #expect(defragmented > 2 * after, "defragment keeps a copy for each of the four")
    }

    @Test("A read-only snapshot and a file outside of every pool follow")
    func othersFollow() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let image = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.text(mebibytes: 16, seed: 3), to: image)
        try Files.clone(image, to: fileSystem.path + "/home/kept.img")
        try Command.check(
            "btrfs", "subvolume", "snapshot", "-r", fileSystem.path, fileSystem.path + "/snapshot")
        let before = try fileSystem.dataUsedBytes()
        let inventory = try fileSystem.inventory()
        let result = try WorkerRun.job(
            WorkerRun.compress, [WorkerRun.volume("work")], on: fileSystem)
        #expect(try fileSystem.inventory() == inventory)
        #expect(try fileSystem.dataUsedBytes() < before / 2)
        #expect(result.extentsReplaced > 0)
    }

    @Test("A subvolume that is mounted nowhere follows")
    func unmountedSubvolumesFollow() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let inner = fileSystem.path + "/root"
        try Command.check("btrfs", "subvolume", "create", inner)
        try Files.write(
            Content.text(mebibytes: 16, seed: 4), to: inner + "/qubes/appvms/work/private.img")
        try Command.check("btrfs", "subvolume", "snapshot", inner, fileSystem.path + "/other")
        let before = try fileSystem.dataUsedBytes()
        let view = fileSystem.folder + "/view"
        try FileManager.default.createDirectory(atPath: view, withIntermediateDirectories: true)
        let device = try Command.check("findmnt", "-no", "SOURCE", fileSystem.path).output
            .prefix { $0 != "\n" && $0 != "[" }
        try Command.check("umount", fileSystem.path)
        try Command.check(
            "mount", "-o", "loop,subvol=root", fileSystem.backing, fileSystem.path)
        let order = WorkerOrder(
            work: WorkerRun.compress,
            pools: [.init(name: "pool", directory: fileSystem.path + "/qubes")],
            volumes: [WorkerRun.volume("work")], wholeMachine: true)
        let last = try WorkerRun.messages(order).last
        guard case .result(let result)? = last else {
            Issue.record("\(String(describing: last)) on \(device)")
            return
        }
        #expect(result.extentsReplaced > 0)
        #expect(result.leftAlone.isEmpty)
        try fileSystem.remount()
        #expect(try fileSystem.dataUsedBytes() < before / 2)
    }

    @Test("What does not shrink is not written anew")
    func incompressibleStays() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        try Files.write(
            Content.random(mebibytes: 24, seed: 5),
            to: fileSystem.image("appvms/work/private.img"))
        let before = try fileSystem.dataUsedBytes()
        let result = try WorkerRun.job(
            WorkerRun.compress, [WorkerRun.volume("work")], on: fileSystem)
        #expect(try fileSystem.dataUsedBytes() == before)
        #expect(result.extentsReplaced == 0)
        #expect(result.leftAlone.contains { $0.reason == "does not shrink" })
    }

    @Test("What no file shows of an extent that does not shrink is given back")
    func unusedIsGivenBack() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let image = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.random(mebibytes: 16, seed: 12), to: image)
        try fileSystem.synchronize()
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: image))
        let other = Content.random(mebibytes: 8, seed: 13)
        for step in 0..<(other.count >> 12) {
            try file.seek(toOffset: UInt64(step) << 13)
            try file.write(contentsOf: other[step << 12..<(step + 1) << 12])
        }
        try file.close()
        let before = try fileSystem.dataUsedBytes()
        #expect(before >= 24 << 20)
        let inventory = try fileSystem.inventory()
        try WorkerRun.job(WorkerRun.compress, [WorkerRun.volume("work")], on: fileSystem)
        #expect(try fileSystem.inventory() == inventory)
        #expect(try fileSystem.dataUsedBytes() <= 17 << 20)
    }

    @Test("An extent that an immutable file uses is left to all of its users")
    func immutableStays() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let image = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.text(mebibytes: 8, seed: 6), to: image)
        let copy = fileSystem.image("appvms/work/private-precache.img")
        try Files.clone(image, to: copy)
        try Command.check("chattr", "+i", copy)
        defer { _ = try? Command.run(["chattr", "-i", copy]) }
        let before = try fileSystem.dataUsedBytes()
        let result = try WorkerRun.job(
            WorkerRun.compress, [WorkerRun.volume("work")], on: fileSystem)
        #expect(try fileSystem.dataUsedBytes() == before, "no second copy")
        #expect(result.extentsReplaced == 0)
        #expect(result.leftAlone.contains { $0.reason.contains("immutable") })
    }

    @Test("A NOCOW image is named and left, the others are worked on")
    func nocowIsNamed() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let folder = fileSystem.image("appvms/nocow")
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        try Command.check("chattr", "+C", folder)
        try Files.write(Content.text(mebibytes: 4, seed: 7), to: folder + "/private.img")
        try Files.write(
            Content.text(mebibytes: 4, seed: 8),
            to: fileSystem.image("appvms/work/private.img"))
        let inventory = try fileSystem.inventory()
        let result = try WorkerRun.job(
            WorkerRun.compress, [WorkerRun.volume("nocow"), WorkerRun.volume("work")],
            on: fileSystem)
        #expect(try fileSystem.inventory() == inventory)
        #expect(result.problems.contains { $0.subject.contains("nocow") })
        #expect(result.problems.contains { $0.message.contains("NOCOW") })
        #expect(result.extentsReplaced > 0)
    }

    @Test("A scratch file made below a NOCOW pool directory can share all the same")
    func nocowPoolDirectory() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        try Files.write(
            Content.text(mebibytes: 4, seed: 9),
            to: fileSystem.image("appvms/work/private.img"))
        try Command.check("chattr", "+C", fileSystem.pool)
        let result = try WorkerRun.job(
            WorkerRun.compress, [WorkerRun.volume("work")], on: fileSystem)
        #expect(result.extentsReplaced > 0)
    }

    @Test("The end of an image that ends within a sector is compressed with the rest")
    func unalignedEnd() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let image = fileSystem.image("appvms/work/private.img")
        try Files.write(
            Content.text(mebibytes: 4, seed: 10).dropLast(1000), to: image)
        try Files.clone(image, to: fileSystem.image("appvms/work/private-precache.img"))
        let before = try fileSystem.dataUsedBytes()
        let inventory = try fileSystem.inventory()
        let result = try WorkerRun.job(
            WorkerRun.compress, [WorkerRun.volume("work")], on: fileSystem)
        #expect(try fileSystem.inventory() == inventory)
        #expect(result.leftAlone.isEmpty)
        #expect(try fileSystem.dataUsedBytes() < before / 2)
    }

    @Test("A second run finds nothing to do")
    func secondRun() throws {
        let fileSystem = try family()
        try WorkerRun.job(WorkerRun.compress, volumes, on: fileSystem)
        let second = try WorkerRun.job(WorkerRun.compress, volumes, on: fileSystem)
        #expect(second.extentsReplaced == 0)
        #expect(second.measuredDataBytes == 0)
    }

    @Test("A qube that is to be skipped keeps every extent it uses")
    func skippedStays() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let image = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.text(mebibytes: 8, seed: 11), to: image)
        try Files.clone(image, to: fileSystem.image("appvms/left/private.img"))
        let before = try fileSystem.dataUsedBytes()
        let result = try WorkerRun.job(
            WorkerRun.compress,
            [WorkerRun.volume("work"), WorkerRun.volume("left", skipped: true)], on: fileSystem)
        #expect(try fileSystem.dataUsedBytes() == before)
        #expect(result.leftAlone.contains { $0.reason.contains("btrfs.skip") })
    }
}
