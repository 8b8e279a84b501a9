// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// The real daemon's queue when a qube asks for more than its share.
@Suite("The queue of the real daemon", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct QueueTests {
    private func submit(_ daemon: DaemonRun, from caller: String) throws -> String {
        try DaemonRun.reply(
            daemon.call(
                "btrfs.Compress", from: caller, to: .name("work"),
                payload: #"{"version":1,"level":19}"#),
            as: JobAccepted.self
        ).job
    }

    private func change(_ daemon: DaemonRun, _ word: WorkerControl, _ job: String) throws {
        _ = try DaemonRun.reply(
            daemon.call(word.service.rawValue, argument: job, from: "dom0", to: .name("dom0")),
            as: JobRecord.self)
    }

    @Test("A qube that fills its part of the queue neither shuts dom0 out nor goes before it")
    func flood() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        try Files.write(
            Content.text(mebibytes: 64, seed: 1), to: fileSystem.image("appvms/work/private.img"))
        let daemon = try DaemonRun(on: fileSystem)
        let first = try submit(daemon, from: "mgmt")
        try change(daemon, .pause, first)
        while daemon.workers.isEmpty { usleep(10_000) }
        // What is paused holds up nobody: a second takes the other place that qubes have.
        let second = try submit(daemon, from: "mgmt")
        while daemon.workers.count < 2 { usleep(1000) }
        try change(daemon, .pause, second)
        let waiting = try (0..<Limits.queuedJobsPerCaller).map { _ in
            try submit(daemon, from: "mgmt")
        }
        do {
            _ = try submit(daemon, from: "mgmt")
            Issue.record("a job more than the limit was taken")
        } catch let refusal as ServiceException {
            #expect(refusal.kind == .busy)
            #expect(refusal.message.contains("\(Limits.queuedJobsPerCaller) jobs of this qube"))
            #expect(refusal.message.contains("qvm-btrfs cancel"))
        }
        let own = try submit(daemon, from: "dom0")
        let record = try DaemonRun.reply(
            daemon.call("btrfs.job.Watch", argument: own, from: "dom0", to: .name("dom0")),
            as: JobRecord.self)
        #expect(record.state == .done)
        let starts = try String(contentsOfFile: daemon.log, encoding: .utf8)
            .split(separator: "\n").filter { $0.contains("event=job-start") }
        #expect(starts.first?.contains("job=\(first)") == true)
        #expect(starts.dropFirst(2).first?.contains("job=\(own)") == true)
        for job in [first, second] + waiting { try? change(daemon, .cancel, job) }
    }
}
