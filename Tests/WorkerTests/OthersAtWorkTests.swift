// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import SystemCalls
import SystemPackage
import Testing

@testable import Worker

@Suite struct OthersAtWorkTests {
    private func transfer(_ line: String) -> OthersAtWork.Transfer? {
        OthersAtWork.Transfer(words: line.split(separator: " ").map(String.init))
    }

    @Test func aSendAndAReceiveAreToldByTheirWords() {
        for line in [
            "btrfs send /a/b", "btrfs -q send -p /a/b /a/c", "/usr/bin/btrfs se x",
            "btrfs --format json send x", "btrfs -v -v sen x",
        ] {
            #expect(transfer(line)?.kind == .send, "\(line)")
        }
        for line in ["btrfs receive /a", "btrfs rec -f /x /a"] {
            #expect(transfer(line)?.kind == .receive, "\(line)")
        }
        // What begins as well otherwise is what `btrfs` refuses, or another command.
        for line in [
            "", "btrfs", "btrfs s x", "btrfs re x", "btrfs scrub start /send",
            "btrfs subvolume list send", "btrfs rescue x", "btrfs sendx y", "btrfs --format send",
        ] {
            #expect(transfer(line) == nil, "\(line)")
        }
        #expect(transfer("btrfs send -p /a/b c -f /d")?.absolutePaths == ["/a/b", "/d"])
    }

    @Test func whoHoldsALockIsInTheKernelsList() {
        let locks = """
            1: POSIX  ADVISORY  WRITE 10 00:13:5678 0 EOF
            2: FLOCK  ADVISORY  READ  20 08:11:77 0 EOF
            2: -> FLOCK  ADVISORY  WRITE 30 08:11:99 0 EOF
            3: OFDLCK ADVISORY  WRITE -1 08:11:78 0 EOF
            4: FLOCK
            """
        func holder(_ inode: UInt64, _ device: UInt64 = 0x811) -> Int? {
            JobLock.holder(ofInode: inode, onDevice: device, in: locks)
        }
        #expect(holder(77) == 20)
        #expect(holder(78) == -1)
        #expect(holder(5678, 0x13) == 10)
        // Who waits holds nothing.
        #expect(holder(99) == nil)
        #expect(holder(77, 0x812) == nil)
    }

    /// `qvm-backup` is one. It is none itself: jobs of other tests would hold for it.
    @Test("The kernel names a script by its file, and not by what runs it")
    func scripts() throws {
        // Of a name no more than 15 bytes are kept.
        let name = "script-\(UUID().uuidString.prefix(8))"
        let script = FileManager.default.temporaryDirectory.path + "/\(name)"
        defer { try? FileManager.default.removeItem(atPath: script) }
        try "#!/bin/sh\ncat /proc/$$/comm\n".write(
            toFile: script, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o755], ofItemAtPath: script)
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: script)
        process.standardOutput = output
        try process.run()
        process.waitUntilExit()
        let told = try output.fileHandleForReading.readToEnd() ?? Data()
        #expect(String(decoding: told, as: UTF8.self) == name + "\n")
    }

    @Test("A process is told by its name and words, once it has them")
    func deeds() throws {
        func deed(_ name: String?, _ words: [String]) -> OthersAtWork.Deed {
            OthersAtWork.Deed(
                name: name.map { $0 + "\n" }, commandLine: words.map { $0 + "\0" }.joined())
        }
        let send = try #require(transfer("btrfs send x"))
        #expect(deed("sh", ["sh", "-c", "btrfs send x"]) == .undecided)
        #expect(deed("btrfs", []) == .undecided)
        #expect(deed("btrfs", ["btrfs", "send", "x"]) == .transfers(send))
        #expect(deed("btrfs", ["btrfs", "filesystem", "usage", "/"]) == .other)
        #expect(deed("qvm-backup", ["/usr/bin/python3", "/usr/bin/qvm-backup"]) == .backsUp)
        #expect(deed("qvm-backup-rest", ["/usr/bin/python3"]) == .undecided)
        #expect(deed(nil, []) == .other)
        #expect(OthersAtWork.Deed(name: "btrfs\n", commandLine: nil) == .other)
    }
}
