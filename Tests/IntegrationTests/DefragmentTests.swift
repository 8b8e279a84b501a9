// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

@Suite("Defragmentation on a real Btrfs", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct DefragmentTests {
    private let volumes = [WorkerRun.volume("work")]

    /// An image written in pieces of 16 KiB, every second one first, each on the device before the
    /// next; then a revision of it, and perhaps a read-only snapshot of everything.
    private func scattered(
        mount: [String] = [], hasSnapshot: Bool = false
    ) throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 512, mount: mount)
        let image = fileSystem.image("appvms/work/private.img")
        let content = Content.text(mebibytes: 4, seed: 41)
        try Files.write(Data(), to: image)
        try Command.check("truncate", "-s", "4M", image)
        let piece = 16 << 10
        for start in [0, piece] {
            for offset in stride(from: start, to: content.count, by: 2 * piece) {
                try Files.overwrite(
                    image, atOffset: UInt64(offset),
                    with: Data(content.dropFirst(offset).prefix(piece)))
                try Command.check("sync", "-d", image)
            }
        }
        try Files.clone(
            image, to: fileSystem.image("appvms/work/private.img.1@2026-01-02T03:04:05Z"))
        guard hasSnapshot else { return fileSystem }
        try Command.check(
            "btrfs", "subvolume", "snapshot", "-r", fileSystem.path, fileSystem.path + "/snapshot")
        return fileSystem
    }

    @Test(
        "Few pieces are left, what was shared is shared, and no file changes",
        arguments: [[], ["compress-force=zstd"]])
    func joined(mount: [String]) throws {
        let fileSystem = try scattered(mount: mount)
        let before = try fileSystem.dataUsedBytes()
        let inventory = try fileSystem.inventory()
        let result = try WorkerRun.job(WorkerRun.defragment, volumes, on: fileSystem)
        #expect(try fileSystem.inventory() == inventory)
        #expect(try fileSystem.dataUsedBytes() <= before)
        #expect(result.extentsReplaced == 256)
        #expect(result.referencesMoved == 2 * 256)
        let pieces = try #require(result.pieces)
        #expect(pieces.dataBytes == 2 * 4 << 20)
        #expect(pieces.before >= 2 * 200)
        // Compressed content lies in frames of 128 KiB; they may lie one behind the other.
        #expect(pieces.after <= (mount.isEmpty ? 2 * 4 : 2 * 34))
        let second = try WorkerRun.job(WorkerRun.defragment, volumes, on: fileSystem)
        #expect(second.extentsReplaced == 0)
        let report = try WorkerRun.report(volumes, on: fileSystem)
        #expect(report.total.dataBytes == 2 * 4 << 20)
        #expect(report.total.diskBytes <= 4 << 20, "two files, one disk")
    }

    /// The leaves that it shares with the live files become its own: on a small file that is more
    /// than fewer items give back, and nothing else comes back here.
    @Test("What a snapshot shares is joined only where trees do not grow by it")
    func snapshotShares() throws {
        let fileSystem = try scattered(hasSnapshot: true)
        func devices() throws -> Int64 {
            let usage = try WorkerRun.report(volumes, on: fileSystem).fileSystems
            return Int64(usage.reduce(0) { $0 + $1.dataUsedBytes + 2 * $1.metadataUsedBytes })
        }
        let before = try devices()
        let inventory = try fileSystem.inventory()
        let result = try WorkerRun.job(WorkerRun.defragment, volumes, on: fileSystem)
        #expect(try fileSystem.inventory() == inventory)
        // A commit by itself moves a node or two.
        #expect(try devices() <= before + 4 * 2 * 16 << 10)
        let reasons = result.leftAlone.map(\.reason)
        #expect(result.extentsReplaced == 256 || reasons == ["in too many snapshots or clones"])
    }

    @Test("What lies in order is not touched")
    func inOrder() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let image = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.text(mebibytes: 16, seed: 42), to: image)
        let result = try WorkerRun.job(WorkerRun.defragment, volumes, on: fileSystem)
        #expect(result.extentsReplaced == 0)
        #expect(result.leftAlone.contains { $0.reason == "reads at one go as it is" })
    }

    @Test("Neighbours that are not shared alike stay apart: joining them would cost space")
    func differentSharing() throws {
        let fileSystem = try scattered()
        // The revision has every second piece for itself: no two neighbours have the same
        // references any more.
        let revision = fileSystem.image("appvms/work/private.img.1@2026-01-02T03:04:05Z")
        for offset in stride(from: 0, to: 4 << 20, by: 32 << 10) {
            try Files.overwrite(
                revision, atOffset: UInt64(offset),
                with: Content.random(mebibytes: 1, seed: UInt64(offset)).prefix(16 << 10))
            try Command.check("sync", "-d", revision)
        }
        let before = try fileSystem.dataUsedBytes()
        let inventory = try fileSystem.inventory()
        let result = try WorkerRun.job(WorkerRun.defragment, volumes, on: fileSystem)
        #expect(result.extentsReplaced == 0)
        #expect(try fileSystem.inventory() == inventory)
        #expect(try fileSystem.dataUsedBytes() == before)
    }
}
