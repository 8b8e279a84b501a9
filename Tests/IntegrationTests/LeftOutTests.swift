// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// A qubes.xml of which one thing cannot be read, from the file to the disk.
@Suite(
    "What of qubes.xml cannot be read", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct LeftOutTests {
    /// What is put where something else stood, and the image of `vault` can still be known.
    static let faults = [
        [
            #"name="private" pool="varlibqubes" vid="appvms/vault/"#,
            #"name="private" pool="gone" vid="x/"#,
        ],
        [">vault</property>", ">vault</property><property name=\"uuid\">not-a-uuid</property>"],
        [#"vid="appvms/vault/private""#, #"vid="../x""#],
        ["<domains>", "<domains><odd/>"],
        ["<pools>", "<pools><pool name=\"odd\" driver=\"file-reflink\"/>"],
    ]

    /// `work` and `vault` share 8 MiB of text, and have 8 MiB each of their own.
    private func populated() throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let shared = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.text(mebibytes: 8, seed: 1), to: shared)
        try Files.clone(shared, to: fileSystem.image("appvms/vault/private.img"))
        for (index, qube) in ["work", "vault"].enumerated() {
            try Files.write(
                Content.text(mebibytes: 8, seed: UInt64(2 + index)),
                to: fileSystem.image("appvms/\(qube)/private.img.1@2026-01-01T00:00:00Z"))
        }
        try fileSystem.synchronize()
        return fileSystem
    }

    @Test("Every command works for all others, and dom0 is told in each reply", arguments: faults)
    func others(fault: [String]) throws {
        let fileSystem = try populated()
        let inventory = try fileSystem.inventory()
        let daemon = try DaemonRun(on: fileSystem) { $0.replacing(fault[0], with: fault[1]) }
        for words in [
            ["report"], ["estimate", "work"], ["compress", "work"], ["optimize", "dom0"],
        ] {
            let ending = try daemon.client(words)
            #expect(ending.status == 0, "\(words): \(ending.errors)")
            #expect((ending.output + ending.errors).contains("left out"), "\(words)")
        }
        let check = try daemon.client("check")
        #expect(check.output.contains("qubes.xml,"))
        #expect(try fileSystem.inventory() == inventory)
    }

    @Test("The images of a qube that cannot be read keep every extent, and others are worked on")
    func protected() throws {
        let fileSystem = try populated()
        let vault = fileSystem.pool + "/appvms/vault"
        let before = try fileSystem.dataUsedBytes()
        let extents = try Command.check("compsize", "-b", vault).output
        let daemon = try DaemonRun(on: fileSystem) {
            $0.replacing(Self.faults[1][0], with: Self.faults[1][1])
        }
        #expect(try daemon.client("compress", "dom0").status == 0)
        #expect(try Command.check("compsize", "-b", vault).output == extents)
        // Of 24 MiB the 8 that only `work` holds have shrunk.
        let saved = before - (try fileSystem.dataUsedBytes())
        #expect(saved > 2 << 20 && saved < 8 << 20)
        let missing = try daemon.client("report", "vault")
        let never = try daemon.client("report", "never")
        #expect(missing.status == never.status && missing.status != 0)
    }
}
