// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

@Suite("Dedupe and compression in one plan", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct OptimizeTests {
    private let volumes = [WorkerRun.volume("work"), WorkerRun.volume("copy")]

    /// Text and noise; a copy that shares nothing, shifted by one sector; a revision of it.
    private func copied() throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 1024)
        let content = Content.text(mebibytes: 24, seed: 31) + Content.random(mebibytes: 8, seed: 32)
        try Files.write(content, to: fileSystem.image("appvms/work/private.img"))
        let copy = fileSystem.image("appvms/copy/private.img")
        try Files.write(Content.random(mebibytes: 1, seed: 33).prefix(4096) + content, to: copy)
        try Files.clone(
            copy, to: fileSystem.image("appvms/copy/private.img.1@2026-01-02T03:04:05Z"))
        return fileSystem
    }

    private func used(after work: WorkerOrder.Work) throws -> UInt64 {
        let fileSystem = try copied()
        let inventory = try fileSystem.inventory()
        try WorkerRun.job(work, volumes, on: fileSystem)
        #expect(try fileSystem.inventory() == inventory)
        return try fileSystem.dataUsedBytes()
    }

    @Test("What is equal is shared, the rest is packed, and no file changes")
    func both() throws {
        let fileSystem = try copied()
        let before = try fileSystem.dataUsedBytes()
        let inventory = try fileSystem.inventory()
        let result = try WorkerRun.job(WorkerRun.optimize, volumes, on: fileSystem)
        let after = try fileSystem.dataUsedBytes()
        #expect(try fileSystem.inventory() == inventory)
        #expect(result.measuredDataBytes == Int64(before) - Int64(after))
        let shared = try used(after: WorkerRun.dedupe)
        let packed = try used(after: WorkerRun.compress)
        #expect(shared < before * 6 / 10)
        #expect(packed < before * 6 / 10)
        // One copy is left, and three quarters of it are text.
        #expect(after < shared * 6 / 10)
        #expect(after < packed * 6 / 10)
    }

    @Test("Groups hold: equal data of two groups is packed twice and shared never")
    func groups() throws {
        let fileSystem = try copied()
        let apart = [
            WorkerRun.volume("work", group: "one"), WorkerRun.volume("copy", group: "two"),
        ]
        try WorkerRun.job(WorkerRun.optimize, apart, on: fileSystem)
        let report = try WorkerRun.report(apart, on: fileSystem)
        for qube in report.qubes { #expect(qube.figures.sharedBytes == 0, "\(qube.name)") }
        #expect(try fileSystem.dataUsedBytes() > (16 + 8) << 20)
    }

    @Test(
        "A second run changes nothing, and looks again once something has changed",
        arguments: [
            WorkerRun.optimize, WorkerRun.dedupe, WorkerRun.compress, WorkerRun.defragment,
        ])
    func again(work: WorkerOrder.Work) throws {
        let fileSystem = try copied()
        let cache = fileSystem.folder + "/cache"
        try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
        try WorkerRun.job(work, volumes, on: fileSystem, cache: cache)
        let used = try fileSystem.dataUsedBytes()
        let second = try WorkerRun.job(work, volumes, on: fileSystem, cache: cache)
        #expect(second.extentsReplaced == 0)
        #expect(second.referencesMoved == 0)
        #expect(try fileSystem.dataUsedBytes() == used)
        // New text that stands in the other qube as well: all but defragment find work.
        let new = Content.text(mebibytes: 4, seed: 34)
        try Files.write(new, to: fileSystem.image("appvms/work/private-precache.img"))
        try Files.overwrite(
            fileSystem.image("appvms/copy/private.img"), atOffset: 8 << 20, with: new)
        let grown = try fileSystem.dataUsedBytes()
        let third = try WorkerRun.job(work, volumes, on: fileSystem, cache: cache)
        #expect(third.extentsReplaced > 0 || work == WorkerRun.defragment)
        #expect(try fileSystem.dataUsedBytes() < grown || work == WorkerRun.defragment)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: cache)
                .contains { $0.hasPrefix("settled-") })
    }

    @Test("A broken note of what is settled is no note")
    func brokenNote() throws {
        let fileSystem = try copied()
        let cache = fileSystem.folder + "/cache"
        try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
        try WorkerRun.job(WorkerRun.defragment, volumes, on: fileSystem, cache: cache)
        let name = try #require(
            try FileManager.default.contentsOfDirectory(atPath: cache)
                .first { $0.hasPrefix("settled-") })
        try Data("[{".utf8).write(to: URL(fileURLWithPath: cache + "/" + name))
        let result = try WorkerRun.job(WorkerRun.dedupe, volumes, on: fileSystem, cache: cache)
        #expect(result.extentsReplaced > 0)
    }
}
