// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

@Suite("De-duplication on a real Btrfs", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct DedupeTests {
    private let volumes = [WorkerRun.volume("one"), WorkerRun.volume("two")]

    /// Two images with the same content that share nothing.
    private func twins(shiftedBySectors shift: Int = 0) throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 1024)
        let content = Content.random(mebibytes: 24, seed: 1)
        try Files.write(content, to: fileSystem.image("appvms/one/private.img"))
        let front = Content.random(mebibytes: 1, seed: 2).prefix(shift * 4096)
        try Files.write(front + content, to: fileSystem.image("appvms/two/private.img"))
        return fileSystem
    }

    @Test("Of two copies one is left, and the saving is what the file system counts")
    func copiesShare() throws {
        let fileSystem = try twins()
        let before = try fileSystem.dataUsedBytes()
        let inventory = try fileSystem.inventory()
        let result = try WorkerRun.job(WorkerRun.dedupe, volumes, on: fileSystem)
        let after = try fileSystem.dataUsedBytes()
        #expect(try fileSystem.inventory() == inventory)
        #expect(after == before / 2)
        #expect(result.measuredDataBytes == Int64(before - after))
        // Less what the trees were thought to grow by: a few references.
        let predicted = try #require(result.predictedBytes)
        #expect((before - after - 4096)...(before - after) ~= predicted, "\(predicted)")
    }

    @Test("Copies at another offset share, and what is unique is kept", arguments: [1, 3, 17, 100])
    func shiftedCopiesShare(shift: Int) throws {
        let fileSystem = try twins(shiftedBySectors: shift)
        let before = try fileSystem.dataUsedBytes()
        let inventory = try fileSystem.inventory()
        try WorkerRun.job(WorkerRun.dedupe, volumes, on: fileSystem)
        let after = try fileSystem.dataUsedBytes()
        #expect(try fileSystem.inventory() == inventory)
        #expect(after <= 24 << 20 + UInt64(shift) * 4096 + 1 << 20, "\(before) to \(after)")
    }

    /// Half, and what is left over where a `sync` of another test has cut the extents of the two
    /// otherwise: their frames then lie across each other.
    private static func halfOrSo(_ bytes: UInt64) -> UInt64 { bytes * 60 / 100 }

    @Test("Compressed copies share with each other")
    func compressedCopiesShare() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 1024)
        let content = Content.text(mebibytes: 16, seed: 3)
        try Files.write(content, to: fileSystem.image("appvms/one/private.img"))
        try Files.write(content, to: fileSystem.image("appvms/two/private.img"))
        try WorkerRun.job(WorkerRun.compress, volumes, on: fileSystem)
        let before = try fileSystem.dataUsedBytes()
        let inventory = try fileSystem.inventory()
        try WorkerRun.job(WorkerRun.dedupe, volumes, on: fileSystem)
        #expect(try fileSystem.inventory() == inventory)
        #expect(try fileSystem.dataUsedBytes() <= Self.halfOrSo(before))
    }

    @Test("A compressed copy and a plain one share")
    func mixedCopiesShare() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 1024)
        let content = Content.text(mebibytes: 16, seed: 4)
        try Files.write(content, to: fileSystem.image("appvms/one/private.img"))
        try WorkerRun.job(WorkerRun.compress, volumes, on: fileSystem)
        try Files.write(content, to: fileSystem.image("appvms/two/private.img"))
        let before = try fileSystem.dataUsedBytes()
        let inventory = try fileSystem.inventory()
        try WorkerRun.job(WorkerRun.dedupe, volumes, on: fileSystem)
        #expect(try fileSystem.inventory() == inventory)
        #expect(try fileSystem.dataUsedBytes() < before)
    }

    @Test("Qubes of different groups share nothing, and joined they do")
    func groupsStayApart() throws {
        let fileSystem = try twins()
        let before = try fileSystem.dataUsedBytes()
        let apart = [WorkerRun.volume("one", group: "a"), WorkerRun.volume("two", group: "b")]
        let result = try WorkerRun.job(WorkerRun.dedupe, apart, on: fileSystem)
        #expect(result.extentsReplaced == 0)
        #expect(try fileSystem.dataUsedBytes() == before)
        try WorkerRun.job(WorkerRun.dedupe, volumes, on: fileSystem)
        #expect(try fileSystem.dataUsedBytes() == before / 2)
    }

    @Test("A clone's references follow, so that an extent is freed whole")
    func clonesFollow() throws {
        let fileSystem = try twins()
        try Files.clone(
            fileSystem.image("appvms/two/private.img"),
            to: fileSystem.image("appvms/two/private-precache.img"))
        try Files.clone(
            fileSystem.image("appvms/two/private.img"), to: fileSystem.path + "/outside.img")
        let before = try fileSystem.dataUsedBytes()
        try WorkerRun.job(WorkerRun.dedupe, volumes, on: fileSystem)
        #expect(try fileSystem.dataUsedBytes() == before / 2)
    }

    @Test("Zeroes that fill images share, and end in bounded work")
    func zeroesShare() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 1024)
        let zeroes = Data(count: 48 << 20)
        try Files.write(zeroes, to: fileSystem.image("appvms/one/private.img"))
        try Files.write(zeroes, to: fileSystem.image("appvms/two/private.img"))
        let before = try fileSystem.dataUsedBytes()
        try WorkerRun.job(WorkerRun.dedupe, volumes, on: fileSystem)
        #expect(try fileSystem.dataUsedBytes() <= before / 2)
    }

    @Test("Holes stay holes")
    func holesStay() throws {
        let fileSystem = try twins()
        let image = fileSystem.image("appvms/one/private.img")
        try Command.check("fallocate", "-p", "-o", "8M", "-l", "4M", image)
        let inventory = try fileSystem.inventory()
        let blocks = try Command.check("stat", "-c", "%b", image).output
        try WorkerRun.job(WorkerRun.dedupe, volumes, on: fileSystem)
        #expect(try fileSystem.inventory() == inventory)
        #expect(try Command.check("stat", "-c", "%b", image).output == blocks)
    }

    @Test("A live image's own extents are left until the request says running")
    func liveIsLeft() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let content = Content.random(mebibytes: 8, seed: 5)
        try Files.write(content, to: fileSystem.image("appvms/one/private.img"))
        try Files.write(content, to: fileSystem.image("appvms/two/private-dirty.img"))
        try Files.write(content, to: fileSystem.image("appvms/two/volatile-dirty.img"))
        let volumes = volumes + [WorkerRun.volume("two", "volatile", isVolatile: true)]
        let before = try fileSystem.dataUsedBytes()
        let result = try WorkerRun.job(WorkerRun.dedupe, volumes, on: fileSystem)
        #expect(try fileSystem.dataUsedBytes() == before)
        #expect(result.leftAlone.contains { $0.reason == "only running qubes use it" })
        try WorkerRun.job(.dedupe(running: true), volumes, on: fileSystem)
        #expect(try fileSystem.dataUsedBytes() == before / 3)
    }

    @Test(
        "Other checksums than crc32c serve as well", arguments: ["xxhash", "sha256", "blake2"])
    func otherChecksums(kind: String) throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512, options: ["--csum", kind])
        let content = Content.random(mebibytes: 8, seed: 6)
        try Files.write(content, to: fileSystem.image("appvms/one/private.img"))
        try Files.write(content, to: fileSystem.image("appvms/two/private.img"))
        let before = try fileSystem.dataUsedBytes()
        try WorkerRun.job(WorkerRun.dedupe, volumes, on: fileSystem)
        #expect(try fileSystem.dataUsedBytes() == before / 2)
    }

    // MARK: Packed copies

    /// How the file system packs what is written, as its mount options name it.
    enum Packing: String, CaseIterable {
        case no, zlib, lzo, zstd
    }

    private func write(
        _ content: Data, to path: String, packedBy packing: Packing, on fileSystem: LoopFileSystem
    ) throws {
        let option = packing == .no ? "compress=no" : "compress-force=\(packing.rawValue)"
        try Command.check("mount", "-o", "remount,\(option)", fileSystem.path)
        try Files.write(content, to: path)
        try fileSystem.synchronize()
    }

    /// Two copies become one: the larger is all that may be left.
    private func oneIsLeft(of first: Packing, and second: Packing, checksum: String) throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512, options: ["--csum", checksum])
        let content = Content.text(mebibytes: 8, seed: 7)
        let paths = ["appvms/one/private.img", "appvms/two/private.img"].map(fileSystem.image)
        try write(content, to: paths[0], packedBy: first, on: fileSystem)
        let one = try fileSystem.dataUsedBytes()
        try write(content, to: paths[1], packedBy: second, on: fileSystem)
        let both = try fileSystem.dataUsedBytes()
        try #require(one < content.count * 3 / 4, "the first is packed")
        try #require((both - one < content.count * 3 / 4) == (second != .no), "as the second is")
        let inventory = try fileSystem.inventory()
        let result = try WorkerRun.job(WorkerRun.dedupe, volumes, on: fileSystem)
        let after = try fileSystem.dataUsedBytes()
        #expect(try fileSystem.inventory() == inventory)
        // A fifth more than one, where extents were cut otherwise: see `halfOrSo`.
        let most = max(one, both - one) * 120 / 100
        #expect(after <= most, "\(one) and \(both - one) to \(after)")
        #expect(result.measuredDataBytes == Int64(both) - Int64(after))
    }

    @Test(
        "Packed copies share with packed and plain ones, whatever the checksums",
        arguments: ["crc32c", "xxhash", "sha256", "blake2"], [Packing.zstd, .no])
    func packedCopiesUnderAllChecksums(checksum: String, other: Packing) throws {
        try oneIsLeft(of: .zstd, and: other, checksum: checksum)
    }

    @Test(
        "Copies packed by zlib and by LZO share with all others",
        arguments: [Packing.zlib, .lzo], Packing.allCases)
    func otherPackings(packing: Packing, other: Packing) throws {
        try oneIsLeft(of: packing, and: other, checksum: "crc32c")
    }

    @Test("Copies packed by zlib share where checksums are long as well")
    func otherPackingAndChecksum() throws {
        try oneIsLeft(of: .zlib, and: .no, checksum: "blake2")
    }
}
