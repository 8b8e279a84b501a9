// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Engine
import Foundation
import Protocol
import Testing

@testable import Worker

/// What SIGKILL costs: some extents had moved a part of their references, which hold what was
/// written anew, and the rest of them hold the old extent until a later run.
@Suite("Half moved by a kill", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct HalfMovedTests {
    private let volumes = [WorkerRun.volume("work"), WorkerRun.volume("vault")]
    private static let images = 40
    private static let imageMebibytes = 8
    private static let clones = 6

    /// A batch for each lane: no extent here is larger than a batch.
    private static let boundBytes =
        UInt64(JobWork.lanes) * ExecutionLimits().batchContent.rawValue

    /// Content that shrinks by a tenth: a second copy of what is half moved costs nearly all of it.
    private static func content(seed: UInt64) -> Data {
        var data = Content.random(mebibytes: imageMebibytes, seed: seed)
        let zeros = Data(count: 13 << 10)
        for start in stride(from: 0, to: data.count, by: 128 << 10) {
            data.replaceSubrange(start..<(start + zeros.count), with: zeros)
        }
        return data
    }

    private static func image(_ number: Int, _ fileSystem: LoopFileSystem) -> String {
        fileSystem.image("appvms/work/private.img.\(number)@2026-01-02T03:04:05Z")
    }

    private static func clone(
        _ number: Int, _ clone: Int, _ fileSystem: LoopFileSystem
    ) -> String {
        let name = number * clones + clone
        return fileSystem.image("appvms/vault/private.img.\(name)@2026-01-02T03:04:05Z")
    }

    /// Images with many clones each: most of the time some of their references have moved, and
    /// some have not.
    private func populated() throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 1536)
        for number in 0..<Self.images {
            let image = Self.image(number, fileSystem)
            try Files.write(Self.content(seed: UInt64(1 + number)), to: image)
            for clone in 0..<Self.clones {
                try Files.clone(image, to: Self.clone(number, clone, fileSystem))
            }
        }
        try fileSystem.synchronize()
        return fileSystem
    }

    @Test("A kill leaves no more than a batch a lane twice, and the next run gives that back")
    func killed() throws {
        let fileSystem = try populated()
        let before = try fileSystem.dataUsedBytes()
        let inventory = try fileSystem.inventory()
        #expect(before > 3 * Self.boundBytes, "without the bound far more could stand twice")
        for _ in 0..<3 {
            let used = try fileSystem.dataUsedBytes()
            let session = try WorkerSession(
                WorkerRun.order(WorkerRun.compress, volumes, on: fileSystem))
            try #require(try session.progress(until: \.isHalfWay) != nil)
            session.kill()
            #expect(try fileSystem.dataUsedBytes() <= used + Self.boundBytes)
        }
        #expect(try fileSystem.inventory() == inventory)
        try WorkerRun.job(WorkerRun.optimize, volumes, on: fileSystem)
        #expect(try fileSystem.dataUsedBytes() < before)
        #expect(try fileSystem.inventory() == inventory)
    }

    @Test("What a kill leaves between volumes of different groups the next job takes back")
    func takenBack() throws {
        let fileSystem = try populated()
        let groups = [
            WorkerRun.volume("work", group: "one"), WorkerRun.volume("vault", group: "other"),
        ]
        let state = fileSystem.folder + "/state"
        try FileManager.default.createDirectory(
            atPath: state, withIntermediateDirectories: true)
        let options = ["--state-directory", state]
        let before = try fileSystem.dataUsedBytes()
        let inventory = try fileSystem.inventory()
        var torn: [Int] = []
        var kills = 0
        while torn.isEmpty, kills < 20 {
            kills += 1
            let session = try WorkerSession(
                WorkerRun.order(WorkerRun.compress, groups, on: fileSystem), options: options)
            try #require(try session.progress(until: \.isHalfWay) != nil)
            session.kill()
            torn = try tornApart(fileSystem)
        }
        try #require(!torn.isEmpty, "\(kills) kills met nothing that had moved in part")
        let twice = try fileSystem.dataUsedBytes()
        // Whatever it is asked for: this one has nothing to do itself.
        let result = try WorkerRun.job(
            WorkerRun.sparsify, groups, on: fileSystem, options: options)
        #expect(try tornApart(fileSystem) == [])
        #expect(try fileSystem.dataUsedBytes() < twice)
        #expect(try fileSystem.dataUsedBytes() <= before)
        #expect(try fileSystem.inventory() == inventory)
        // What has gone back is none of its own figures.
        #expect(result.own == JobCount())
        #expect(result.before.map(\.dataUsedBytes) == result.after.map(\.dataUsedBytes))
    }

    @Test("A daemon that is stopped leaves nothing half moved, however often")
    func stopped() throws {
        let fileSystem = try populated()
        let before = try fileSystem.dataUsedBytes()
        let inventory = try fileSystem.inventory()
        let daemon = try DaemonRun(on: fileSystem)
        var job: String?
        for _ in 0..<3 {
            // What was interrupted goes on by itself, once; then it is asked for anew.
            let running = try job.flatMap { try continuation(of: $0, daemon) } ?? ask(daemon)
            while try !isHalfWay(daemon, running) { usleep(1000) }
            daemon.stop()
            #expect(try tornApart(fileSystem) == [], "what moved has gone, or gone back")
            try daemon.start()
            job = running
        }
        #expect(try fileSystem.dataUsedBytes() < before)
        #expect(try fileSystem.inventory() == inventory)
    }

    private func ask(_ daemon: DaemonRun) throws -> String {
        try DaemonRun.reply(
            daemon.call("btrfs.Compress", from: "dom0", to: .name("dom0")), as: JobAccepted.self
        ).job
    }

    private func jobs(_ daemon: DaemonRun) throws -> [JobRecord] {
        try DaemonRun.reply(
            daemon.call("btrfs.job.List", from: "dom0", to: .name("dom0")), as: JobList.self
        ).jobs
    }

    private func continuation(of job: String, _ daemon: DaemonRun) throws -> String? {
        try jobs(daemon).first { $0.continues == job }?.job
    }

    /// The images that do not lie where all of their clones do.
    private func tornApart(_ fileSystem: LoopFileSystem) throws -> [Int] {
        try fileSystem.synchronize()
        return try (0..<Self.images).filter { number in
            let clones = (0..<Self.clones).map { Self.clone(number, $0, fileSystem) }
            let layouts = try ([Self.image(number, fileSystem)] + clones).map { path in
                try Command.check("filefrag", "-v", path).output.split(separator: "\n")
                    .filter { $0.contains("..") }.map { $0.split(separator: ":").prefix(4) }
            }
            return Set(layouts).count > 1
        }
    }

    private func isHalfWay(_ daemon: DaemonRun, _ job: String) throws -> Bool {
        let record = try #require(try jobs(daemon).first { $0.job == job })
        try #require(!record.isOver, "\(record)")
        return record.progress?.isHalfWay == true
    }
}
