// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

@Suite("Estimates on a real Btrfs", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct EstimateTests {
    private let volumes = [WorkerRun.volume("work"), WorkerRun.volume("other")]

    /// Text, noise, text again in another qube, a clone, and an image with a bit of each.
    private func mixed() throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 1024)
        let work = fileSystem.image("appvms/work/private.img")
        try Files.write(
            Content.text(mebibytes: 24, seed: 1) + Content.random(mebibytes: 16, seed: 2), to: work)
        try Files.clone(work, to: fileSystem.image("appvms/work/private-precache.img"))
        let other = fileSystem.image("appvms/other/private.img")
        try Files.write(
            Content.text(mebibytes: 24, seed: 1) + Content.random(mebibytes: 8, seed: 3)
                + Content.text(mebibytes: 8, seed: 4), to: other)
        try fileSystem.synchronize()
        return fileSystem
    }

    private func estimate(on fileSystem: LoopFileSystem) throws -> Estimate {
        try #require(
            try WorkerRun.job(.estimate(running: false), volumes, on: fileSystem).estimate)
    }

    /// What a job saves is what was said, within the bounds (doubled, as chance has it that one
    /// estimate of 20 is outside of them) and a little for what ends within a frame.
    private func isRight(_ saving: Estimate.Saving, _ savedBytes: Int64) -> Bool {
        let difference = Double(savedBytes) - Double(saving.savedBytes)
        return difference.magnitude
            <= Double(savedBytes) * 0.03 + 2 * Double(saving.errorBytes)
    }

    @Test("Compression saves what was estimated, at each level", arguments: [1, 3, 9])
    func compression(level: Int) throws {
        let fileSystem = try mixed()
        let said = try #require(try estimate(on: fileSystem).total.level(level)?.compress)
        let result = try WorkerRun.job(
            .compress(level: level, running: false), volumes, on: fileSystem)
        #expect(result.savedBytes > 20 << 20)
        #expect(isRight(said, result.savedBytes), "\(said), then \(result.savedBytes)")
        #expect(said.errorBytes < UInt64(result.savedBytes) / 5, "the bounds say something")
    }

    @Test("Dedupe saves what was estimated")
    func dedupe() throws {
        let fileSystem = try mixed()
        let said = try estimate(on: fileSystem).total.dedupe
        let result = try WorkerRun.job(WorkerRun.dedupe, volumes, on: fileSystem)
        #expect(result.savedBytes > 20 << 20)
        #expect(said.savedBytes.distance(to: UInt64(result.savedBytes)).magnitude <= 64 << 10)
    }

    @Test("Both together save what was estimated")
    func both() throws {
        let fileSystem = try mixed()
        let said = try #require(try estimate(on: fileSystem).total.level(3)?.optimize)
        let result = try WorkerRun.job(
            .optimize(level: 3, running: false), volumes, on: fileSystem)
        #expect(isRight(said, result.savedBytes), "\(said), then \(result.savedBytes)")
    }

    @Test("Of what does not shrink, nothing is promised and nothing comes")
    func incompressible() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        for (index, name) in ["work", "other"].enumerated() {
            try Files.write(
                Content.random(mebibytes: 40, seed: UInt64(20 + index)),
                to: fileSystem.image("appvms/\(name)/private.img"))
        }
        let said = try estimate(on: fileSystem)
        #expect(said.total.diskBytes == 80 << 20)
        let savings =
            [said.total.dedupe] + said.total.levels.flatMap { [$0.compress, $0.optimize] }
        #expect(savings.allSatisfy { $0.savedBytes == 0 })
        let result = try WorkerRun.job(WorkerRun.compress, volumes, on: fileSystem)
        #expect(result.measuredDataBytes == 0)
    }

    @Test("An estimate changes nothing, and leaves no scratch file")
    func changesNothing() throws {
        let fileSystem = try mixed()
        let before = try fileSystem.dataUsedBytes()
        let inventory = try fileSystem.inventory()
        let result = try WorkerRun.job(.estimate(running: false), volumes, on: fileSystem)
        #expect(try fileSystem.inventory() == inventory)
        #expect(try fileSystem.dataUsedBytes() == before)
        #expect(result.before == result.after)
        #expect(result.extentsReplaced == 0)
    }

    @Test("Rows are by qube and volume, and what is skipped or off promises nothing")
    func rows() throws {
        let fileSystem = try mixed()
        let order = [
            WorkerRun.volume("work", level: 0), WorkerRun.volume("other", skipped: true),
        ]
        let estimate = try #require(
            try WorkerRun.job(.estimate(running: false), order, on: fileSystem).estimate)
        #expect(Set(estimate.qubes.map(\.name)) == ["work", "other"])
        #expect(estimate.qubes.allSatisfy { $0.volumes.map(\.name) == ["private"] })
        #expect(estimate.qubes.allSatisfy { $0.figures.diskBytes == 40 << 20 })
        #expect(estimate.total.levels.allSatisfy { $0.compress.savedBytes == 0 })
        #expect(estimate.total.dedupe.savedBytes == 0)
    }

    @Test("After a job, what was estimated stands beside what it saved")
    func sideBySide() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        try Files.write(
            Content.text(mebibytes: 8, seed: 9), to: fileSystem.image("appvms/work/private.img"))
        try fileSystem.synchronize()
        let daemon = try DaemonRun(on: fileSystem)
        let estimate = try daemon.client("estimate", "work")
        #expect(estimate.status == 0)
        #expect(estimate.output.contains("ZSTD 15"))
        #expect(estimate.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
        let job = try daemon.client("compress", "work")
        #expect(job.output.contains("Saved: "))
        #expect(job.output.contains("Estimated before: "))
        let again = try daemon.client("compress", "work")
        #expect(!again.output.contains("Estimated before"), "it was said of another job")
    }
}
