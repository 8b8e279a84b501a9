// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// The real daemon and its worker when the machine is shut down, and starts again.
@Suite("What a shutdown interrupts", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct ContinuationTests {
    private func jobs(_ daemon: DaemonRun) throws -> [JobRecord] {
        try DaemonRun.reply(
            daemon.call("btrfs.job.List", from: "dom0", to: .name("dom0")), as: JobList.self
        ).jobs
    }

    /// A job that is at work for a while.
    private func submit(_ daemon: DaemonRun) throws -> String {
        let job = try DaemonRun.reply(
            daemon.call(
                "btrfs.Compress", from: "mgmt", to: .name("work"),
                payload: #"{"version":1,"level":19}"#),
            as: JobAccepted.self
        ).job
        while daemon.workers.isEmpty { usleep(1000) }
        return job
    }

    private func end(of job: String, _ daemon: DaemonRun) throws -> JobRecord {
        try DaemonRun.reply(
            daemon.call("btrfs.job.Watch", argument: job, from: "dom0", to: .name("dom0")),
            as: JobRecord.self)
    }

    @Test("It goes on by itself at the next start, once, and no image changes")
    func shutdown() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let image = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.text(mebibytes: 32, seed: 1), to: image)
        let content = try Data(contentsOf: URL(fileURLWithPath: image))
        let daemon = try DaemonRun(on: fileSystem)
        let job = try submit(daemon)
        daemon.stop()
        let file = fileSystem.folder + "/state/continue.json"
        try #require(FileManager.default.fileExists(atPath: file))
        try daemon.start()
        // It answers once it has asked for what goes on.
        let again = try #require(try jobs(daemon).first { $0.continues == job })
        #expect(!FileManager.default.fileExists(atPath: file))
        #expect(again.caller == "mgmt" && again.target == "work" && again.operation == .compress)
        let ended = try end(of: again.job, daemon)
        #expect(ended.state == .done)
        let old = try end(of: job, daemon)
        #expect(old.state == .interrupted)
        // What both have saved is what a text shrinks by, whoever was at it when.
        #expect(try #require(ended.result?.after.first).dataUsedBytes < 16 << 20)
        #expect(try Data(contentsOf: URL(fileURLWithPath: image)) == content)
        let log = try String(contentsOfFile: daemon.log, encoding: .utf8)
        #expect(log.contains("goes on after shutdown, by dom0"))
        // Done is done.
        daemon.stop()
        try daemon.start()
        #expect(try jobs(daemon).count == 2)
    }

    @Test("What a death has ended does not go on")
    func death() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        try Files.write(
            Content.text(mebibytes: 32, seed: 1), to: fileSystem.image("appvms/work/private.img"))
        let daemon = try DaemonRun(on: fileSystem)
        let job = try submit(daemon)
        daemon.killNow()
        try daemon.start()
        #expect(try jobs(daemon).map(\.job) == [job])
        #expect(try jobs(daemon).map(\.state) == [.interrupted])
    }
}
