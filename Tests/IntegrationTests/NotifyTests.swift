// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import SystemPackage
import Testing

/// `watch --notify`, with the real client and daemon; what stands for the desktop is a program that
/// notes what it was told.
@Suite("A word when it is done", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct NotifyTests {
    @Test("Where there is a session the desktop is told once, elsewhere a warning says why not")
    func notify() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        try Files.write(
            Content.text(mebibytes: 8, seed: 1), to: fileSystem.image("appvms/work/private.img"))
        let daemon = try DaemonRun(on: fileSystem)
        let job = try daemon.client("compress", "work", "--no-wait").output
            .trimmingCharacters(in: .whitespacesAndNewlines)
        let told = "\(fileSystem.folder)/told"
        let folder = "\(fileSystem.folder)/programs"
        func watch(_ environment: String...) throws -> Command.Ending {
            try Command.run(
                ["env", "-i"] + environment + [
                    Command.program("qvm-btrfs"), "watch", job, "--notify", "--socket",
                    daemon.socket.string,
                ])
        }
        let alone = try watch("PATH=\(folder)")
        #expect(alone.status == 0 && alone.errors.contains("No notification: there is no session"))
        let bus = "DBUS_SESSION_BUS_ADDRESS=unix:path=/nowhere"
        let without = try watch("PATH=\(folder)", bus)
        #expect(without.status == 0 && without.errors.contains("neither 'notify-send' nor"))
        for program in ["gdbus", "notify-send"] {
            try Files.write(
                Data("#!/bin/sh\nprintf '%s\\n' \(program) \"$@\" >> \(told)\n".utf8),
                to: "\(folder)/\(program)")
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755], ofItemAtPath: "\(folder)/\(program)")
            #expect(try watch("PATH=\(folder)", bus).errors.contains("No notification") == false)
            let lines = try String(contentsOfFile: told, encoding: .utf8)
                .split(separator: "\n").map(String.init)
            #expect(lines.first == program)
            #expect(lines.contains { $0.contains("compress work is done") })
            #expect(lines.contains { $0.contains("came back.") })
            try FileManager.default.removeItem(atPath: told)
        }
    }
}
