// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

@Suite(
    "Compressed images become plain again, on a real Btrfs",
    .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct UnpackTests {
    private static let mebibytes = 24

    private func family(mebibytes: Int, option: String) throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: mebibytes, mount: [option])
        let image = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.text(mebibytes: Self.mebibytes, seed: 1), to: image)
        try fileSystem.synchronize()
        try Files.clone(
            image, to: fileSystem.image("appvms/work/private.img.1@2026-01-02T03:04:05Z"))
        try fileSystem.synchronize()
        return fileSystem
    }

    private let plain = WorkerOrder.Work.compress(level: CompressRequest.plainLevel, running: false)
    private let volumes = [WorkerRun.volume("work")]

    @Test(
        "All of it, shared as it was, with contents, inodes and times as they were",
        arguments: ["compress=zstd:3", "compress=lzo"])
    func unpacked(option: String) throws {
        let fileSystem = try family(mebibytes: 512, option: option)
        let before = try fileSystem.dataUsedBytes()
        let inventory = try fileSystem.inventory()
        let result = try WorkerRun.job(plain, volumes, on: fileSystem)
        #expect(try fileSystem.inventory() == inventory)
        let after = try fileSystem.dataUsedBytes()
        // Two images that share all of it take what one does.
        let whole = UInt64(Self.mebibytes) << 20
        #expect(after >= whole && after <= whole + 1 << 20, "\(before), \(after)")
        #expect(result.extentsReplaced > 0)
        let again = try WorkerRun.job(plain, volumes, on: fileSystem)
        #expect(again.extentsReplaced == 0)
        #expect(again.leftAlone.map(\.reason) == ["not compressed"])
        // The feature off keeps it so.
        let off = [WorkerRun.volume("work", level: 0)]
        let optimized = try WorkerRun.job(
            .optimize(level: nil, running: false), off, on: fileSystem)
        #expect(optimized.extentsReplaced == 0)
    }

    @Test("Where there is no room for it nothing is begun, and it is said")
    func noRoom() throws {
        let fileSystem = try family(mebibytes: 128, option: "compress=zstd:3")
        let filler = fileSystem.image("appvms/work/filler")
        let free = try Command.check("stat", "-f", "-c", "%a %S", fileSystem.path).output
            .split(whereSeparator: \.isWhitespace).compactMap { Int($0) }.reduce(1, *)
        try Files.write(
            Content.random(mebibytes: (free >> 20) - Self.mebibytes / 2, seed: 2), to: filler)
        try fileSystem.synchronize()
        let inventory = try fileSystem.inventory()
        let used = try fileSystem.dataUsedBytes()
        let result = try WorkerRun.job(plain, volumes, on: fileSystem)
        #expect(result.extentsReplaced == 0)
        #expect(result.problems.map(\.message).contains { $0.contains("it stays compressed") })
        #expect(try fileSystem.dataUsedBytes() == used)
        #expect(try fileSystem.inventory() == inventory)
    }
}
