// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// What a check says of how a real Btrfs is laid out, as its own tools have made it.
@Suite("Checks of how a Btrfs is laid out", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct CheckLayoutTests {
    private func finding(
        _ topic: String, on fileSystem: LoopFileSystem
    ) throws -> CheckReport.Finding? {
        try WorkerRun.check(fileSystem).findings.first { $0.topic == topic }
    }

    @Test("A conversion that was broken off is named with its end, and gone when that is done")
    func profiles() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 2048, options: ["-d", "single"])
        // Several chunks, of which one is converted.
        try Files.write(
            Content.random(mebibytes: 400, seed: 1),
            to: fileSystem.image("appvms/work/private.img"))
        try fileSystem.synchronize()
        #expect(try finding("profile.mixed", on: fileSystem) == nil)
        try Command.check(
            "btrfs", "balance", "start", "-dconvert=dup,limit=1", fileSystem.path)
        let found = try #require(try finding("profile.mixed", on: fileSystem))
        #expect(found.level == .warning)
        #expect(found.message == "several profiles are mixed in its data (dup, single)")
        let command = try #require(found.command)
        #expect(command == "btrfs balance start -dconvert=dup,soft \(fileSystem.path)")
        try Command.check("sh", "-c", command)
        #expect(try finding("profile.mixed", on: fileSystem) == nil)
    }

    @Test("What a conversion from ext4 has left is named until it is deleted as it says")
    func conversion() throws {
        let disk = FileManager.default.temporaryDirectory.path + "/ext4-\(UUID().uuidString)"
        try Command.check("truncate", "-s", "512M", disk)
        try Command.check("mke2fs", "-q", "-t", "ext4", "-b", "4096", disk)
        try Command.check("btrfs-convert", "--no-progress", disk)
        let fileSystem = try LoopFileSystem(existing: disk)
        defer { try? FileManager.default.removeItem(atPath: disk) }
        try Files.write(
            Content.random(mebibytes: 1, seed: 1),
            to: fileSystem.image("appvms/work/private.img"))
        let found = try #require(try finding("convert.saved", on: fileSystem))
        #expect(found.level == .note)
        try Command.check("sh", "-c", try #require(found.command))
        #expect(try finding("convert.saved", on: fileSystem) == nil)
    }
}
