// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// SIGKILL at random moments of a job, from its call to behind its end.
@Suite("Kills at random moments", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct KillTests {
    /// Of each kind; together a hundred.
    static let moments = 50
    /// Contents to choose from, so that each job has something to do.
    static let variants = 4

    /// Where a test keeps what it copies its images from.
    private final class Stage {
        let fileSystem: LoopFileSystem
        let daemon: DaemonRun
        private var round = 0
        private var random: Content

        init(seed: UInt64) throws {
            random = Content(seed: seed)
            fileSystem = try LoopFileSystem(mebibytes: 512)
            for variant in 0..<KillTests.variants {
                try Files.write(
                    Content.text(mebibytes: 2, seed: UInt64(variant + 1)),
                    to: fileSystem.folder + "/content-\(variant)")
            }
            daemon = try DaemonRun(on: fileSystem)
        }

        /// New images, with a clone and a copy of each other.
        func refill() throws -> [String: String] {
            let variants = KillTests.variants
            let one = fileSystem.folder + "/content-\(round % variants)"
            let other = fileSystem.folder + "/content-\((round / variants + round) % variants)"
            round += 1
            let work = fileSystem.image("appvms/work/private.img")
            for name in ["appvms/work", "appvms/vault", "vm-templates/deb"] {
                try? FileManager.default.removeItem(atPath: fileSystem.image(name))
            }
            try Files.copy(one, to: work)
            try Files.clone(work, to: fileSystem.image("appvms/work/private-precache.img"))
            try Files.copy(other, to: fileSystem.image("appvms/vault/private.img"))
            try Files.copy(one, to: fileSystem.image("vm-templates/deb/private.img"))
            return try fileSystem.inventory()
        }

        func submit() throws -> String {
            let service = round % 2 == 0 ? "btrfs.Compress" : "btrfs.Dedupe"
            return try DaemonRun.reply(
                daemon.call(service, from: "dom0", to: .name("dom0")), as: JobAccepted.self
            ).job
        }

        /// Lets a moment of up to half a second go by.
        func wait() { usleep(UInt32(random.next() >> 33) % 500_000) }

        func record(_ job: String) throws -> JobRecord? {
            let list = try DaemonRun.reply(
                daemon.call("btrfs.job.List", from: "dom0", to: .name("dom0")), as: JobList.self)
            return list.jobs.first { $0.job == job }
        }

        func end(_ job: String) throws -> JobRecord {
            try DaemonRun.reply(
                daemon.call("btrfs.job.Watch", argument: job, from: "dom0", to: .name("dom0")),
                as: JobRecord.self)
        }
    }

    /// A record is true when what it says fits together.
    private func isTrue(_ record: JobRecord) -> Bool {
        switch record.state {
        case .done: record.result != nil && record.error == nil && record.endedAt != nil
        case .interrupted: record.result == nil && record.error != nil && record.endedAt != nil
        default: false
        }
    }

    @Test("A worker killed at 50 random moments: files as before, and the next job does the work")
    func worker() throws {
        let stage = try Stage(seed: 1)
        var killed = 0
        for _ in 0..<Self.moments {
            let before = try stage.refill()
            let job = try stage.submit()
            stage.wait()
            let workers = stage.daemon.workers
            for worker in workers { kill(worker, SIGKILL) }
            let record = try stage.end(job)
            #expect(isTrue(record), "\(record)")
            if record.state == .interrupted { killed += 1 }
            // Without a worker to kill nothing was interrupted.
            #expect(!workers.isEmpty || record.state == .done)
            #expect(try stage.fileSystem.inventory() == before)
            #expect(try stage.end(try stage.submit()).state == .done)
        }
        #expect(killed >= Self.moments / 10, "\(killed)")
        #expect(stage.daemon.isRunning)
    }

    @Test("A daemon killed at 50 random moments: files as before, and the next one knows its jobs")
    func daemon() throws {
        let stage = try Stage(seed: 2)
        var interrupted = 0
        for _ in 0..<Self.moments {
            let before = try stage.refill()
            let job = try stage.submit()
            stage.wait()
            let last = try stage.record(job)
            stage.daemon.killNow()
            #expect(try stage.fileSystem.inventory() == before)
            try stage.daemon.start()
            let record = try #require(try stage.record(job))
            #expect(isTrue(record), "\(record)")
            if record.state == .interrupted { interrupted += 1 }
            // What was over stays what it was.
            if let last, last.isOver { #expect(record == last) }
            #expect(try stage.end(try stage.submit()).state == .done)
        }
        #expect(interrupted >= Self.moments / 10, "\(interrupted)")
        // No half-written record is left, and no scratch file.
        let state = stage.fileSystem.folder + "/state/jobs"
        let names = try FileManager.default.contentsOfDirectory(atPath: state)
        #expect(names.allSatisfy { $0.hasSuffix(".json") })
    }
}
