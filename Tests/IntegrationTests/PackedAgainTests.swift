// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

@Suite(
    "What is packed worse than is wanted, on a real Btrfs",
    .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct PackedAgainTests {
    private let volumes = [WorkerRun.volume("work")]

    private func compress(_ level: Int?) -> WorkerOrder.Work {
        .compress(level: level, running: false)
    }

    /// Text, what shrinks little and what does not, in an image with a precache and a revision.
    private func family(mount: [String] = []) throws -> (LoopFileSystem, cache: String) {
        let fileSystem = try LoopFileSystem(mebibytes: 512, mount: mount)
        let image = fileSystem.image("appvms/work/private.img")
        let noise = Content.random(mebibytes: 2, seed: 2)
        let text = Content.text(mebibytes: 14, seed: 1)
        var mixed = Data()
        for start in stride(from: 0, to: noise.count, by: 4096) {
            mixed += noise[start..<(start + 4096)] + text[start..<(start + 2048)]
        }
        try Files.write(text + mixed + noise, to: image)
        try fileSystem.synchronize()
        try Files.clone(image, to: fileSystem.image("appvms/work/private-precache.img"))
        try Files.clone(
            image, to: fileSystem.image("appvms/work/private.img.1@2026-01-02T03:04:05Z"))
        let cache = fileSystem.folder + "/cache"
        try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
        return (fileSystem, cache)
    }

    private func left(_ result: JobResult) -> Set<String> { Set(result.leftAlone.map(\.reason)) }

    @Test(
        "At level 15 it comes to take what it would if it had been plain, and a second run rests",
        arguments: ["compress=zstd:1", "compress=lzo", "compress=zlib:1"])
    func asIfPlain(option: String) throws {
        let (plain, plainCache) = try family()
        try WorkerRun.job(compress(15), volumes, on: plain, cache: plainCache)
        let best = try plain.dataUsedBytes()

        let (packed, cache) = try family(mount: [option])
        let before = try packed.dataUsedBytes()
        let inventory = try packed.inventory()
        let result = try WorkerRun.job(compress(15), volumes, on: packed, cache: cache)
        let after = try packed.dataUsedBytes()
        #expect(try packed.inventory() == inventory)
        #expect(after < before)
        #expect(Double(after) <= Double(best) * 1.02, "\(before), \(after), plain \(best)")
        #expect(result.extentsReplaced > 0)
        #expect(left(result).isSubset(of: ["already compressed", "does not shrink"]))

        // With nothing changed the digest says it, and with one block the verdicts do.
        let second = try WorkerRun.job(compress(15), volumes, on: packed, cache: cache)
        #expect(second.extentsReplaced == 0)
        #expect(second.measuredDataBytes == 0)
        try Files.overwrite(
            packed.image("appvms/work/private.img"), atOffset: 20 << 20,
            with: Content.random(mebibytes: 1, seed: 9).prefix(4096))
        let changed = try packed.dataUsedBytes()
        let third = try WorkerRun.job(compress(15), volumes, on: packed, cache: cache)
        #expect(third.extentsReplaced <= 2, "of what the block has cut, and no more")
        #expect(try packed.dataUsedBytes() <= changed)
        let fourth = try WorkerRun.job(compress(9), volumes, on: packed, cache: cache)
        #expect(fourth.extentsReplaced == 0)
    }

    @Test("Without a level zstd extents stay, zlib ones do not")
    func withoutLevel() throws {
        let (zstd, zstdCache) = try family(mount: ["compress=zstd:1"])
        let before = try zstd.dataUsedBytes()
        let result = try WorkerRun.job(compress(nil), volumes, on: zstd, cache: zstdCache)
        #expect(left(result).contains("already compressed"))
        #expect(try zstd.dataUsedBytes() <= before)
        #expect(try zstd.compressedKinds() == ["zstd"])
        let (zlib, cache) = try family(mount: ["compress=lzo"])
        #expect(try zlib.compressedKinds() == ["lzo"])
        try WorkerRun.job(compress(nil), volumes, on: zlib, cache: cache)
        #expect(try zlib.compressedKinds() == ["zstd"])
    }

    @Test("What the mount's option packs as well as is wanted is not touched")
    func mountLevel() throws {
        let (fileSystem, cache) = try family(mount: ["compress=zstd:9"])
        let before = try fileSystem.inventory()
        let result = try WorkerRun.job(compress(9), volumes, on: fileSystem, cache: cache)
        let packed = result.leftAlone.first { $0.reason == "already compressed" }
        #expect((packed?.count ?? 0) > 100)
        #expect(try fileSystem.inventory() == before)
    }
}

extension LoopFileSystem {
    /// The kinds of compression below the pool, by compsize(8).
    fileprivate func compressedKinds() throws -> Set<String> {
        try synchronize()
        let text = try Command.check("compsize", "-b", pool).output
        let kinds = text.split(separator: "\n").map { $0.prefix { $0 != " " } }
        return Set(kinds.map(String.init)).intersection(["zstd", "lzo", "zlib"])
    }
}
