// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// The same through the real daemon. `FREEZE_SECONDS` makes the freeze longer than the daemon waits
/// for a worker that was cancelled, which is two minutes.
@Suite(
    "A frozen file system and the service",
    .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct StandstillServiceTests {
    private static let seconds =
        ProcessInfo.processInfo.environment["FREEZE_SECONDS"].flatMap(Double.init) ?? 3

    private func record(_ daemon: DaemonRun) throws -> JobRecord {
        let list = try DaemonRun.reply(
            daemon.call("btrfs.job.List", from: "dom0", to: .name("dom0")), as: JobList.self)
        return try #require(list.jobs.first)
    }

    private func wait(_ daemon: DaemonRun, until fits: (JobRecord) -> Bool) throws {
        let end = ContinuousClock.now + .seconds(60)
        while !fits(try record(daemon)) {
            try #require(ContinuousClock.now < end)
            usleep(50_000)
        }
    }

    @Test("A job that is cancelled is shown so until the thaw, and is not killed then")
    func cancelled() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 1024)
        for number in 0..<24 {
            try Files.write(
                Content.text(mebibytes: 4, seed: UInt64(1 + number)),
                to: fileSystem.image("appvms/work/private.img.\(number)@2026-01-02T03:04:05Z"))
        }
        try fileSystem.synchronize()
        let daemon = try DaemonRun(on: fileSystem)
        let job = try DaemonRun.reply(
            daemon.call(
                "btrfs.Compress", from: "dom0", to: .name("work"),
                payload: #"{"version":1,"level":9}"#),
            as: JobAccepted.self
        ).job
        try wait(daemon) { $0.progress?.isHalfWay == true }
        let freeze = try Freeze(fileSystem)
        try wait(daemon) { $0.progress?.pacing?.reason == .standstill }
        let still = try daemon.client("jobs").output
        #expect(still.contains("standstill"), "\(still)")
        #expect(still.contains("frozen"), "\(still)")
        _ = try daemon.call(
            "btrfs.job.Cancel", argument: job, from: "dom0", to: .name("dom0"))
        let cancelling = try daemon.client("jobs").output
        #expect(cancelling.contains("cancelling"), "\(cancelling)")
        #expect(try record(daemon).cancelling == true)
        Thread.sleep(forTimeInterval: Self.seconds)
        #expect(try !record(daemon).isOver)
        // What only asks is answered meanwhile.
        let check = try daemon.client("check").output
        #expect(check.contains("it stands still: its file system is frozen"), "\(check)")
        try freeze.thaw()
        let end = try DaemonRun.reply(
            daemon.call("btrfs.job.Watch", argument: job, from: "dom0", to: .name("dom0")),
            as: JobRecord.self)
        #expect(end.state == .cancelled && end.result != nil && end.cancelling == nil)
        let log = try String(contentsOfFile: daemon.log, encoding: .utf8)
        #expect(log.contains("outcome=cancelled") && !log.contains("killed"), "\(log)")
    }
}
