// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// A pool in a subvolume of which snapshots are made, as snapper makes them.
@Suite("Many snapshots of a pool", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct ManySnapshotsTests {
    private static let jobs = [
        WorkerRun.compress, WorkerRun.dedupe, WorkerRun.optimize, WorkerRun.defragment,
    ]
    /// `make test-snapshots` sets it: minutes each.
    private static let isLong = ProcessInfo.processInfo.environment["MANY_SNAPSHOTS"] != nil
    private static let counts = isLong ? [500, 1000, 2000] : [100]

    private func order(
        _ work: WorkerOrder.Work, _ pool: String, _ qubes: [String]
    ) -> WorkerOrder {
        WorkerOrder(
            work: work, pools: [.init(name: "pool", directory: pool)],
            volumes: qubes.map { WorkerRun.volume($0) }, wholeMachine: true)
    }

    /// A pool in a subvolume with an image of many extents, one of its content again, and
    /// snapshots between which a part of it changes.
    private func snapshots(_ count: Int, on fileSystem: LoopFileSystem) throws -> String {
        let pool = fileSystem.path + "/pool"
        try Command.check("btrfs", "subvolume", "create", pool)
        let image = pool + "/appvms/work/private.img"
        // Six bits in each byte: it shrinks by a quarter.
        let content = Content.random(mebibytes: 18, seed: 1).base64EncodedData()
        try Files.write(Data(), to: image)
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: image))
        // From the end to the start: extents that no write joins.
        for start in stride(from: 0, to: content.count, by: 96 << 10).reversed() {
            try file.seek(toOffset: UInt64(start))
            try file.write(contentsOf: content[start..<min(start + 96 << 10, content.count)])
            if start.isMultiple(of: 1 << 20) { try file.synchronize() }
        }
        try file.close()
        try Files.copy(image, to: pool + "/appvms/copy/private.img")
        try Command.check("mkdir", fileSystem.path + "/snapshots")
        for number in 0..<count {
            if number.isMultiple(of: count / 10) {
                let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: image))
                try handle.seek(toOffset: UInt64(number / (count / 10)) << 20)
                try handle.write(contentsOf: Content.text(mebibytes: 1, seed: UInt64(100 + number)))
                try handle.close()
            }
            try Command.check(
                "btrfs", "subvolume", "snapshot", "-r", pool,
                fileSystem.path + "/snapshots/\(number)")
        }
        try fileSystem.synchronize()
        return pool
    }

    @Test("With many snapshots no job makes the disk fuller", arguments: counts)
    func manySnapshots(count: Int) throws {
        let fileSystem = try LoopFileSystem(mebibytes: 4096)
        let pool = try snapshots(count, on: fileSystem)
        let inventory = try Self.checksums(fileSystem.path)
        for work in Self.jobs {
            let before = try fileSystem.deviceUsedBytes()
            let session = try WorkerSession(order(work, pool, ["work", "copy"]))
            var highest: Int64 = 0
            while let message = try session.next() {
                guard case .progress = message else { continue }
                highest = max(highest, try fileSystem.deviceUsedBytes(synchronized: false))
            }
            guard case .result(let result)? = session.messages.last else {
                Issue.record("\(String(describing: session.messages.last))")
                return
            }
            let after = try fileSystem.deviceUsedBytes()
            #expect(after <= before, "\(work): \((after - before) >> 10) KiB more")
            // What docs/engine.md names: 256 MiB until a commit, and a batch of each lane.
            #expect(highest <= before + 336 << 20)
            #expect(result.savedBytes >= 0)
            if case .compress = work {
                let left = result.leftAlone.first { $0.reason.contains("snapshots") }
                #expect(left?.references ?? 0 >= UInt64(count))
            }
        }
        #expect(try Self.checksums(fileSystem.path) == inventory)
        #expect(try Command.run(["touch", fileSystem.path + "/probe"]).status == 0)
    }

    @Test("With a few snapshots a job saves what it says, metadata counted")
    func fewSnapshots() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 2048)
        let pool = try snapshots(10, on: fileSystem)
        let before = try fileSystem.deviceUsedBytes()
        guard
            case .result(let result)? = try WorkerRun.messages(
                order(WorkerRun.optimize, pool, ["work", "copy"])
            ).last
        else {
            Issue.record("no result")
            return
        }
        let after = try fileSystem.deviceUsedBytes()
        #expect(result.savedBytes > 20 << 20)
        // When the worker ends its nameless files go, which may empty nodes, in two copies.
        let goneLater = before - after - result.savedBytes
        #expect((0...(8 * 2 * 16 << 10)).contains(goneLater), "\(goneLater)")
    }

    @Test("Snapshots that are deleted meanwhile stop nothing, and a cancel is heard")
    func deletedMeanwhile() throws {
        let count = Self.counts.last ?? 100
        let fileSystem = try LoopFileSystem(mebibytes: 4096)
        let pool = try snapshots(count, on: fileSystem)
        let inventory = try Self.checksums(fileSystem.path)
        let before = try fileSystem.deviceUsedBytes()
        // Each ends in the middle, and the next one goes on.
        for round in 0..<3 {
            let session = try WorkerSession(order(WorkerRun.optimize, pool, ["work", "copy"]))
            let deleted = (1..<count).filter { $0 % 4 == round + 1 && $0 != 99 }
            try #require(try session.progress(until: { $0.stage == .execute }) != nil)
            let deleter = try ProgramBeside(
                ["btrfs", "subvolume", "delete"]
                    + deleted.map { "\(fileSystem.path)/snapshots/\($0)" })
            var isHeld = false
            if round < 2 {
                // It is there for sure as long as it is held; with few snapshots it may be over
                // before it hears of that.
                session.say(.pause)
                isHeld = try session.progress { $0.pacing?.reason == .pause } != nil
                #expect(isHeld || !Self.isLong)
                if isHeld { session.say(.resume, .cancel) }
            }
            let start = ContinuousClock.now
            let last = try session.last()
            // The daemon's grace, after which it would be killed, is longer.
            if isHeld { #expect(ContinuousClock.now - start < .seconds(20)) }
            switch last {
            case .result, .cancelled: break
            default: Issue.record("\(String(describing: last))")
            }
            #expect(deleter.wait() == 0)
        }
        #expect(try Self.checksums(fileSystem.path) == inventory)
        #expect(try fileSystem.deviceUsedBytes() <= before)
        #expect(try Command.run(["touch", fileSystem.path + "/probe"]).status == 0)
    }

    private static func checksums(_ path: String) throws -> String {
        try Command.check(
            "sh", "-c",
            "cd \(path) && find pool snapshots/0 snapshots/99 -type f"
                + " -exec sha256sum {} + | sort"
        ).output
    }
}
