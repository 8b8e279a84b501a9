// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// What an upgrade does to a daemon that has work, with the one file that dom0 has.
@Suite("An upgrade under a running daemon", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct UpgradeTests {
    private func world() throws -> (daemon: DaemonRun, program: String) {
        let fileSystem = try LoopFileSystem(mebibytes: 384)
        try Files.write(
            Content.text(mebibytes: 48, seed: 1), to: fileSystem.image("appvms/work/private.img"))
        let program = fileSystem.folder + "/qubes-btrfsd"
        try FileManager.default.copyItem(
            atPath: Command.program("qubes-btrfsd"), toPath: program)
        return (try DaemonRun(on: fileSystem, program: program), program)
    }

    /// Another file under the same name, which is no program of ours.
    private func replace(_ program: String) throws {
        try FileManager.default.removeItem(atPath: program)
        try Data("#!/bin/false\n".utf8).write(to: URL(fileURLWithPath: program))
    }

    private func start(_ daemon: DaemonRun, level: Int) throws -> String {
        let started = try daemon.client(
            "compress", "work", "--level", String(level), "--no-wait")
        return started.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    @Test("The daemon has the worker that it was built with, whatever is installed meanwhile")
    func ownWorker() throws {
        let (daemon, program) = try world()
        try replace(program)
        let job = try start(daemon, level: 1)
        #expect(try daemon.client("watch", job).status == 0)
    }

    @Test("After SIGHUP it ends when its jobs have, and none of them is lost")
    func restart() throws {
        let (daemon, program) = try world()
        let jobs = [try start(daemon, level: 19), try start(daemon, level: 1)]
        while daemon.workers.isEmpty { usleep(1000) }
        try replace(program)
        kill(daemon.identifier, SIGHUP)
        // It goes on, answers, and does what was asked for.
        for job in jobs { #expect(try daemon.client("watch", job).status == 0) }
        #expect(daemon.hasEnded(withinSeconds: 20))
        let log = try String(contentsOfFile: daemon.log, encoding: .utf8)
        let ends = log.split(separator: "\n").filter { $0.contains("event=job-end") }
        #expect(ends.count == 2)
        for end in ends { #expect(end.contains("outcome=done")) }
    }

    @Test("After SIGHUP with nothing to do it ends at once")
    func idle() throws {
        let (daemon, _) = try world()
        kill(daemon.identifier, SIGHUP)
        #expect(daemon.hasEnded(withinSeconds: 20))
    }
}
