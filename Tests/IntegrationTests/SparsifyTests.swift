// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

@Suite("Holes on a real Btrfs", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct SparsifyTests {
    static let formats = [["-O", "no-holes"], ["-O", "^no-holes"], ["-n", "65536"]]
    private static let volumes = [WorkerRun.volume("work")]
    private static let image = "appvms/work/private.img"

    /// Runs of zeroes of many kinds, with a clone and a read-only snapshot of all: in extents of
    /// their own, in 4,096 items of a sector each, at the head and the tail of others, what was
    /// allocated and never written, and what was, in random order with syncs between.
    private static func world(_ options: [String]) throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 512, options: options)
        let path = fileSystem.image(image)
        let zeroes = Data(count: 8 << 20)
        try Files.write(Content.random(mebibytes: 8, seed: 7), to: path)
        try Files.overwrite(path, atOffset: 8 << 20, with: zeroes)
        try fileSystem.synchronize()
        try writeSectors(path, from: 16 << 20, count: 4096)
        try Files.overwrite(
            path, atOffset: 32 << 20,
            with: Content.random(mebibytes: 1, seed: 8) + zeroes
                + Content.random(mebibytes: 1, seed: 9))
        try fileSystem.synchronize()
        try Command.check("fallocate", "-o", "\(48 << 20)", "-l", "\(16 << 20)", path)
        try Command.check("fallocate", "-o", "\(64 << 20)", "-l", "\(32 << 20)", path)
        for (index, piece) in [17, 3, 28, 11, 6].enumerated() {
            try Files.overwrite(
                path, atOffset: UInt64(64 + piece) << 20,
                with: Content.text(mebibytes: 1, seed: UInt64(index)))
            try fileSystem.synchronize()
        }
        try Files.clone(
            path, to: fileSystem.image("appvms/work/private.img.1@2026-01-02T03:04:05Z"))
        // A leaf of 64 KiB that a snapshot shares is worth more than some of these zeroes.
        guard !options.contains("65536") else { return fileSystem }
        try Command.check(
            "btrfs", "subvolume", "snapshot", "-r", fileSystem.path, fileSystem.path + "/snapshot")
        return fileSystem
    }

    /// An item each: every second sector first, on the device before the others.
    private static func writeSectors(_ path: String, from start: UInt64, count: UInt64) throws {
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        defer { try? file.close() }
        for odd in UInt64(0)...1 {
            for index in stride(from: odd, to: count, by: 2) {
                try file.seek(toOffset: start + index * 4096)
                try file.write(contentsOf: Data(count: 4096))
            }
            try file.synchronize()
        }
    }

    private static func blocks512(_ path: String) throws -> UInt64 {
        var status = stat()
        #expect(unsafe stat(path, &status) == 0)
        return UInt64(status.st_blocks)
    }

    @Test(
        "Zeroes and what was never written give their room back, and no file changes",
        arguments: formats)
    func sparsify(options: [String]) throws {
        let fileSystem = try Self.world(options)
        let path = fileSystem.image(Self.image)
        let before = try (fileSystem.dataUsedBytes(), fileSystem.inventory())
        let result = try WorkerRun.job(WorkerRun.sparsify, Self.volumes, on: fileSystem)
        #expect(try fileSystem.inventory() == before.1)
        #expect(result.problems.isEmpty, "\(result.problems)")
        #expect(result.leftAlone.isEmpty, "\(result.leftAlone)")
        // 8 MiB, 16 in sectors, 8 among others, 16 never written, and 27 of 32.
        let freed = try before.0 - fileSystem.dataUsedBytes()
        #expect(freed >= 74 << 20, "\(freed)")
        // What qubesd calls the volume's usage.
        #expect(try Self.blocks512(path) * 512 <= 16 << 20)
        let report = try WorkerRun.report(Self.volumes, on: fileSystem)
        #expect(report.total.diskBytes <= 15 << 20)
        let second = try WorkerRun.job(WorkerRun.sparsify, Self.volumes, on: fileSystem)
        #expect(second.extentsReplaced == 0)
        try fileSystem.remount()
        #expect(try fileSystem.inventory() == before.1)
    }

    @Test("A job does it as well, each in its way, and settles", arguments: ["optimize", "dedupe"])
    func partOfOthers(verb: String) throws {
        let work = verb == "optimize" ? WorkerRun.optimize : WorkerRun.dedupe
        let fileSystem = try Self.world([])
        let before = try (fileSystem.dataUsedBytes(), fileSystem.inventory())
        try WorkerRun.job(work, Self.volumes, on: fileSystem)
        #expect(try fileSystem.inventory() == before.1)
        let freed = try before.0 - fileSystem.dataUsedBytes()
        #expect(freed >= 74 << 20, "\(freed)")
        for work in [work, WorkerRun.sparsify, WorkerRun.dedupe] {
            let next = try WorkerRun.job(work, Self.volumes, on: fileSystem)
            #expect(next.extentsReplaced == 0, "\(work)")
        }
        if verb == "optimize" {
            let next = try WorkerRun.job(WorkerRun.compress, Self.volumes, on: fileSystem)
            #expect(next.extentsReplaced == 0)
        }
    }

    @Test("Compress packs what was written of a fallocated image, and gives the rest back")
    func fallocated() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let path = fileSystem.image(Self.image)
        try Files.write(Data(), to: path)
        try Command.check("fallocate", "-l", "256M", path)
        for piece in [40, 3, 90, 17, 200, 66, 128] {
            try Files.overwrite(
                path, atOffset: UInt64(piece) << 20,
                with: Content.text(mebibytes: 3, seed: UInt64(piece)))
            try fileSystem.synchronize()
        }
        let inventory = try fileSystem.inventory()
        let result = try WorkerRun.job(WorkerRun.compress, Self.volumes, on: fileSystem)
        #expect(try fileSystem.inventory() == inventory)
        #expect(try fileSystem.dataUsedBytes() < 21 << 20)
        #expect(!result.leftAlone.contains { $0.reason == "changed meanwhile" })
        // An extent of which nothing was written is not compress' business.
        let second = try WorkerRun.job(WorkerRun.compress, Self.volumes, on: fileSystem)
        #expect(second.extentsReplaced == 0)
    }

    @Test("An estimate counts holes as dedupe makes them")
    func estimated() throws {
        let fileSystem = try Self.world([])
        let estimate = try #require(
            try WorkerRun.job(.estimate(running: false), Self.volumes, on: fileSystem).estimate)
        let before = try fileSystem.dataUsedBytes()
        let result = try WorkerRun.job(WorkerRun.dedupe, Self.volumes, on: fileSystem)
        let freed = try Int64(before) - Int64(fileSystem.dataUsedBytes())
        // Both have taken off what trees may grow by at most.
        let off = Int64(estimate.total.dedupe.savedBytes) - freed
        #expect(abs(off) < freed / 50, "\(off) of \(freed)")
        #expect(result.predictedBytes == estimate.total.dedupe.savedBytes)
    }
}
