// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import SystemPackage
import Testing

/// What shells ask the client for at a Tab, answered by the daemon. The shells themselves are in
/// `ClientTests`.
@Suite("Completion by the daemon", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct CompletionTests {
    private let daemon: DaemonRun
    private let fileSystem: LoopFileSystem

    init() throws {
        fileSystem = try LoopFileSystem(mebibytes: 256)
        try Files.write(
            Content.random(mebibytes: 2, seed: 1), to: fileSystem.image("appvms/work/private.img"))
        try fileSystem.synchronize()
        daemon = try DaemonRun(on: fileSystem)
    }

    /// What is offered for a word behind a command.
    private func offered(_ command: String, _ word: String) throws -> [String] {
        let socket = daemon.socket.string
        let ending = try Command.run([
            Command.program("qvm-btrfs"), "---completion", command, "--", "positional@0", "2", "0",
            "qvm-btrfs", command, word, "--socket", socket,
        ])
        #expect(ending.status == 0 && ending.errors.isEmpty, "\(ending.errors)")
        return ending.output.split(separator: "\n").map(String.init)
    }

    @Test("Each name that is offered is one that the daemon takes")
    func names() throws {
        let qubes = try offered("report", "")
        #expect(qubes.contains("dom0") && qubes.contains("work"))
        let volumes = try offered("report", "work:")
        #expect(volumes.contains("work:private"))
        let parts = try offered("report", "dom0:")
        #expect(parts.first == "dom0:system" && parts.count > 1)
        // dom0's own folders are on another file system here: `SystemFilesTests` has them.
        for name in qubes + volumes + parts where name != "dom0:system" {
            let ending = try daemon.client("report", name, "--json")
            #expect(ending.status == 0, "\(name): \(ending.errors)")
        }
    }

    @Test("A job is offered to watch, and to cancel no more once it is over")
    func jobs() throws {
        #expect(try offered("watch", "").isEmpty)
        let ending = try daemon.client("compress", "work", "--no-wait")
        let job = ending.output.trimmingCharacters(in: .whitespacesAndNewlines)
        #expect(try daemon.client("watch", job).status == 0)
        #expect(try offered("watch", job.prefix(2).description) == [job])
        #expect(try offered("cancel", "").isEmpty)
    }
}
