// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import SystemCalls
import SystemPackage
import Testing

@testable import Worker

@Suite("The mount option of compression")
struct CompressionRulesTests {
    typealias Standing = MountCompression.Standing

    @Test(
        "It is set where there is none, and nothing else is in the way",
        arguments: [
            ("rw,discard=async,subvol=/", Standing.plain),
            ("rw,compress=zstd:3,ssd", .compressed("compress=zstd:3")),
            ("rw,compress-force=lzo", .compressed("compress-force=lzo")),
            ("ro,discard=async", .hindered(by: "ro")),
            ("rw,nodatasum", .hindered(by: "nodatasum")),
            ("rw,nodatasum,nodatacow", .hindered(by: "nodatacow")),
            ("ro,compress=zstd:1", .hindered(by: "ro")),
            ("rw,subvol=/compress=lzo", .plain), ("", .plain),
        ])
    func standing(options: String, expected: Standing) {
        let options = options.split(separator: ",").map(String.init)
        #expect(MountCompression.standing(options) == expected)
    }

    @Test("What the kernel would forget is said again, and nothing is left unsaid")
    func settings() {
        let options = ["ro", "noacl", "compress=zstd:1", "ssd"]
        #expect(
            MountCompression.settings(for: nil, among: options) == ["ro", "noacl", "compress=no"])
        #expect(
            MountCompression.settings(for: "compress=zstd:2", among: ["rw"]) == ["compress=zstd:2"])
    }

    @Test("A line for /etc/fstab has what is mounted now, but for what the kernel chooses itself")
    func fstab() throws {
        let mount = try #require(
            Mount(
                line: "45 27 0:39 /root /mnt\\040a rw,noatime shared:1 - btrfs /dev/loop0 "
                    + "rw,compress=lzo,ssd,discard=async,space_cache=v2,subvolid=256,subvol=/root"))
        #expect(
            MountOptions.fstabLine(mount, "u-u") == "UUID=u-u /mnt\\040a btrfs "
                + "noatime,discard=async,subvol=/root,compress=zstd:1 0 0")
    }

    @Test("The record keeps each option that was set, and says which were ours")
    func record() {
        var record = CompressionRecord()
        record.add("compress=zstd:1", on: "a")
        record.add("compress=zstd:3", on: "a")
        record.add("compress=zstd:1", on: "b")
        record.add("compress=zstd:1", on: "a")
        #expect(
            record.entries.map(\.options) == [
                ["compress=zstd:3", "compress=zstd:1"], ["compress=zstd:1"],
            ])
        #expect(record.has("compress=zstd:3", on: "a"))
        #expect(!record.has("compress=zstd:3", on: "b") && !record.has("compress=lzo", on: "a"))
    }

    @Test("It is read as it was written, an empty one is no file, and a stranger's is refused")
    func file() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/record-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let path = FilePath(folder + "/compress.json")
        var record = CompressionRecord()
        try record.write(path)
        #expect(try CompressionRecord.read(path) == record)
        record.add("compress=zstd:1", on: "a")
        try record.write(path)
        #expect(try CompressionRecord.read(path) == record)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["compress.json"])
        try CompressionRecord().write(path)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
        for text in ["", "{}", "[1]", String(repeating: " ", count: 64 * 1024 + 1)] {
            try Data(text.utf8).write(to: URL(fileURLWithPath: path.string))
            #expect(throws: CompressionRecord.Failure.self) { try CompressionRecord.read(path) }
        }
    }

    @Test(
        "Wrong usage is refused",
        arguments: [
            [], ["up"], ["on", "--level"], ["on", "--level", "0"], ["on", "--level", "16"],
            ["on", "--level", "zstd:3"], ["off", "--qubes-xml", "qubes.xml"],
            ["off", "--state-file", ""], ["on", "--pool", "/x"],
        ])
    func usage(arguments: [String]) {
        #expect(CompressionProgram.run(arguments: arguments, .system) == 2)
    }
}
