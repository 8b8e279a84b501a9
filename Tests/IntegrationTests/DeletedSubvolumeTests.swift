// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// What snapshots hold that somebody has deleted a moment ago, while the kernel goes through them.
@Suite(
    "Subvolumes that are being deleted", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct DeletedSubvolumeTests {
    private let volumes = [WorkerRun.volume("work")]

    /// A qube, and two subvolumes: `old` holds 16 MiB alone, and 8 MiB that the qube has as well.
    private func populated() throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let image = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.random(mebibytes: 8, seed: 1), to: image)
        for name in ["old", "kept"] {
            try Command.check(
                "btrfs", "--quiet", "subvolume", "create", "\(fileSystem.path)/\(name)")
        }
        try Files.clone(image, to: "\(fileSystem.path)/old/shared")
        for (index, name) in ["old", "kept"].enumerated() {
            try Files.write(
                Content.random(mebibytes: 16, seed: UInt64(2 + index)),
                to: "\(fileSystem.path)/\(name)/alone")
        }
        try fileSystem.synchronize()
        return fileSystem
    }

    @Test("What only they hold is a row of its own, to the byte")
    func row() throws {
        let fileSystem = try populated()
        let before = try #require(WorkerRun.report(volumes, on: fileSystem).machine)
        let used = try fileSystem.dataUsedBytes()
        #expect(before.deletedSubvolumes == nil && before.deletedSubvolumesBytes == nil)
        // As long as somebody has a file of it open the kernel does not go through it.
        let open = try #require(FileHandle(forReadingAtPath: "\(fileSystem.path)/old/alone"))
        try Command.check(
            "btrfs", "--quiet", "subvolume", "delete", "\(fileSystem.path)/old")
        let machine = try #require(WorkerRun.report(volumes, on: fileSystem).machine)
        #expect(machine.deletedSubvolumes == 1)
        #expect(machine.deletedSubvolumesBytes == 16 << 20)
        // It is in no other row.
        #expect(before.others.diskBytes - machine.others.diskBytes == 24 << 20)
        try open.close()
        try Command.check("btrfs", "subvolume", "sync", fileSystem.path)
        let after = try #require(WorkerRun.report(volumes, on: fileSystem).machine)
        #expect(after.deletedSubvolumes == nil)
        #expect(used == (try fileSystem.dataUsedBytes()) + (16 << 20))
    }
}
