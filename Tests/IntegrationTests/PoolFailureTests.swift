// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// Two pools, each on a Btrfs of its own, of which the first cannot be worked on.
@Suite(
    "One pool that fails does not take the other's work",
    .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct PoolFailureTests {
    private let content = Content.text(mebibytes: 24, seed: 4)
    private let good: LoopFileSystem

    init() throws {
        good = try LoopFileSystem(mebibytes: 512)
        try Files.write(content, to: good.image("appvms/copy/private.img"))
        try good.synchronize()
    }

    private func order(
        with bad: LoopFileSystem, and good: LoopFileSystem? = nil
    ) -> WorkerOrder {
        var other = WorkerRun.volume("copy")
        other.pool = "good"
        var order = WorkerRun.order(
            WorkerRun.compress, [WorkerRun.volume("work"), other], on: bad)
        order.pools.append(.init(name: "good", directory: (good ?? self.good).pool))
        return order
    }

    @Test("One that is mounted read-only is named, and the job succeeds")
    func readOnly() throws {
        let bad = try LoopFileSystem(mebibytes: 512)
        try Files.write(content, to: bad.image("appvms/work/private.img"))
        try bad.synchronize()
        try Command.check("mount", "-o", "remount,ro", bad.path)
        let before = try good.dataUsedBytes()
        let last = try WorkerRun.messages(order(with: bad)).last
        guard case .result(let result)? = last else {
            Issue.record("\(String(describing: last))")
            return
        }
        #expect(result.extentsReplaced > 0)
        let problem = try #require(result.problems.first { $0.subject == "pool pool" })
        #expect(problem.message.contains("read-only"), "\(problem.message)")
        try good.synchronize()
        #expect(try good.dataUsedBytes() < before)
    }

    @Test("One whose disk refuses writes ends the job as failed, and the other is done")
    func refusedWrites() throws {
        let world = try FaultWorld()
        try world.write(content, to: "appvms/work/private.img")
        try world.fileSystem.synchronize()
        world.device.set { $0.refusals = [.init(ranges: [0..<(512 << 20)])] }
        let before = try good.dataUsedBytes()
        let last = try WorkerRun.messages(order(with: world.fileSystem)).last
        guard case .failure(_, let message, _)? = last else {
            Issue.record("\(String(describing: last))")
            return
        }
        #expect(message.hasSuffix("on the other file systems was done."), "\(message)")
        try good.synchronize()
        #expect(try good.dataUsedBytes() < before)
    }

    @Test("Where both fail nothing is said to be done")
    func bothRefuse() throws {
        let worlds = [try FaultWorld(), try FaultWorld()]
        for (world, qube) in zip(worlds, ["work", "copy"]) {
            try world.write(content, to: "appvms/\(qube)/private.img")
            try world.fileSystem.synchronize()
            world.device.set { $0.refusals = [.init(ranges: [0..<(512 << 20)])] }
        }
        let last = try WorkerRun.messages(
            order(with: worlds[0].fileSystem, and: worlds[1].fileSystem)
        ).last
        guard case .failure(_, let message, _)? = last else {
            Issue.record("\(String(describing: last))")
            return
        }
        #expect(!message.contains("other file systems"), "\(message)")
    }
}
