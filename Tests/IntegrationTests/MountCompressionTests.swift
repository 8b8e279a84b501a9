// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

/// The worker's own part of the service of compression, on a real Btrfs.
@Suite(
    "Compression by the mount option", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct MountCompressionTests {
    private let fileSystem: LoopFileSystem
    private var state: String { fileSystem.folder + "/compress.json" }

    init() throws {
        fileSystem = try LoopFileSystem(mebibytes: 256)
        try FileManager.default.createDirectory(
            atPath: fileSystem.image("appvms/work"), withIntermediateDirectories: true)
        try writeInventory()
    }

    private func writeInventory(_ text: String? = nil, features: String = "") throws {
        let text =
            text
            ?? QubesXML.text(pool: fileSystem.pool, [QubesXML.Qube(name: "work")]) {
                $0 == "dom0" ? features : ""
            }
        try text.write(
            toFile: fileSystem.folder + "/qubes.xml", atomically: true, encoding: .utf8)
    }

    private func worker(_ words: [String], behind prefix: [String] = []) throws -> Command.Ending {
        try Command.run(
            prefix + [Command.program("qubes-btrfs-worker"), "mount-compression"] + words + [
                "--state-file", state,
            ])
    }

    private func on(_ words: String..., behind prefix: [String] = []) throws -> Command.Ending {
        try worker(
            ["on", "--qubes-xml", fileSystem.folder + "/qubes.xml"] + words, behind: prefix)
    }

    private func off() throws -> Command.Ending { try worker(["off"]) }

    /// The one option in force.
    private func option() throws -> String? {
        MountTable.compression(try MountTable.lines(below: fileSystem.path)).first
    }

    private func mount(_ option: String) throws {
        try Command.check("mount", "-o", "remount,\(option)", fileSystem.path)
    }

    private var hasRecord: Bool { FileManager.default.fileExists(atPath: state) }

    /// What text takes that is written now, of 4 MiB.
    private func writtenBytes() throws -> UInt64 {
        let path = fileSystem.image("appvms/work/new.img")
        try Files.write(Content.text(mebibytes: 4, seed: 2), to: path)
        try fileSystem.synchronize()
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try fileSystem.compsizeBytes(path)
    }

    @Test("What is written is compressed from then on, until it is taken back")
    func effect() throws {
        #expect(try writtenBytes() == 4 << 20)
        #expect(try on().status == 0)
        #expect(try option() == "compress=zstd:1")
        #expect(try writtenBytes() < 2 << 20)
        #expect(try off().status == 0)
        #expect(try option() == nil && !hasRecord)
        #expect(try writtenBytes() == 4 << 20)
    }

    @Test("The level is that of dom0's feature, or of the command line before it")
    func level() throws {
        try writeInventory(features: #"<feature name="btrfs.new-data">zstd:4</feature>"#)
        #expect(try on().status == 0)
        #expect(try option() == "compress=zstd:4")
        // Once more, at another level: it was ours to change.
        #expect(try on("--level", "15").status == 0)
        #expect(try option() == "compress=zstd:15")
        #expect(try off().status == 0)
        #expect(try option() == nil)
        try writeInventory(features: #"<feature name="btrfs.new-data">zstd:99</feature>"#)
        let wrong = try on()
        #expect(wrong.status == 1 && wrong.errors.contains("qvm-features dom0 btrfs.new-data"))
        #expect(try option() == nil && !hasRecord)
    }

    @Test("An option of somebody else's stays, whether it was there before or came later")
    func others() throws {
        for option in ["compress=lzo", "compress-force=zstd:9", "compress=zstd:3"] {
            try mount(option)
            let ending = try on()
            #expect(ending.status == 0 && ending.errors.contains("left alone"))
            #expect(try self.option() == option)
            #expect(try off().status == 0)
            #expect(try self.option() == option)
            try mount("compress=no")
        }
        #expect(try on().status == 0)
        try mount("compress=zstd:7")
        #expect(try on().errors.contains("left alone"), "it is not ours any more")
        let ending = try off()
        #expect(ending.status == 0 && ending.errors.contains("left alone"))
        #expect(try option() == "compress=zstd:7" && !hasRecord)
    }

    @Test("A mount that somebody renews keeps the option, and it is taken back all the same")
    func renewed() throws {
        #expect(try on().status == 0)
        try mount("noatime,commit=20")
        let before = try MountTable.lines(below: fileSystem.path)
        #expect(try option() == "compress=zstd:1")
        #expect(try off().status == 0)
        let after = try MountTable.lines(below: fileSystem.path)
        #expect(after == MountTable.withoutCompression(before))
        #expect(after.first?.contains("commit=20") == true)
    }

    @Test("A death before or after the option was set leaves something that off takes back")
    func deaths() throws {
        // After: the next start finds what it has done.
        #expect(try on().status == 0)
        #expect(try on().errors.contains("what is written is compressed"))
        #expect(try off().status == 0)
        #expect(try option() == nil)
        // Before: the record has more than was done.
        #expect(try on().status == 0)
        try mount("compress=no")
        #expect(try off().status == 0)
        #expect(try option() == nil && !hasRecord)
        // Without a record nothing is set that could not be taken back.
        try FileManager.default.createDirectory(
            atPath: state + ".new", withIntermediateDirectories: false)
        let refused = try on()
        #expect(refused.status == 1 && refused.errors.contains("cannot be used"))
        #expect(try option() == nil)
    }

    @Test("The pool may be gone by then, and so may the file system")
    func gone() throws {
        #expect(try on().status == 0)
        try FileManager.default.removeItem(atPath: fileSystem.folder + "/qubes.xml")
        #expect(try off().status == 0)
        #expect(try option() == nil)
        try writeInventory()
        #expect(try on().status == 0)
        try fileSystem.remount()
        #expect(try option() == nil)
        #expect(try off().status == 0 && !hasRecord)
    }

    @Test("A read-only file system stays read-only, whether it was so before or became it later")
    func readOnly() throws {
        #expect(try on().status == 0)
        try mount("ro")
        #expect(try off().status == 0)
        #expect(try fileSystem.isReadOnly)
        #expect(try option() == nil && !hasRecord)
        try mount("rw")
        try mount("ro")
        let ending = try on()
        #expect(ending.status == 0 && ending.errors.contains("it is mounted with ro"))
        #expect(try fileSystem.isReadOnly)
        #expect(try option() == nil)
    }

    @Test("Where nothing can be set it says why, and that is no failure")
    func nothing() throws {
        try writeInventory(QubesXML.text(pool: "/nonexistent/pool", [QubesXML.Qube(name: "work")]))
        let missing = try on()
        #expect(missing.status == 0 && missing.errors.contains("cannot be opened"))
        try writeInventory(QubesXML.text(pool: "/proc", [QubesXML.Qube(name: "work")]))
        #expect(try on().status == 0)
        // A pool whose disk is not mounted: another file system is not set in its stead.
        try FileManager.default.removeItem(atPath: fileSystem.image("appvms/work"))
        try writeInventory()
        let unmounted = try on()
        #expect(unmounted.status == 0 && unmounted.errors.contains("not mounted"))
        #expect(try option() == nil && !hasRecord)
        try writeInventory("<qubes/>")
        #expect(try on().status == 1)
    }
}
