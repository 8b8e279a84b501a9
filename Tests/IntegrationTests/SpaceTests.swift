// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// A nearly full file system is not worked on.
@Suite("Space on a real Btrfs", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct SpaceTests {
    private let volumes = [WorkerRun.volume("work"), WorkerRun.volume("copy")]

    private func populated() throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let content = Content.text(mebibytes: 24, seed: 1)
        try Files.write(content, to: fileSystem.image("appvms/work/private.img"))
        try Files.write(content, to: fileSystem.image("appvms/copy/private.img"))
        try fileSystem.synchronize()
        return fileSystem
    }

    /// Writes until nothing more is taken.
    private func fill(_ fileSystem: LoopFileSystem) throws {
        // Of this file system alone: a sync of all waits for those of others.
        let script = "cat /dev/urandom >> \"$0/filler\"; sync --file-system \"$0\""
        _ = try Command.run(["sh", "-c", script, fileSystem.path])
    }

    /// Long links stand in the trees themselves, and need no room for data: they take what metadata
    /// has.
    private func fillMetadata(_ fileSystem: LoopFileSystem) throws {
        let folder = fileSystem.path + "/links"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        let target = String(repeating: "x", count: 3500)
        for number in 0..<100_000 {
            let link = "\(folder)/\(number)"
            let made: ()? = try? FileManager.default.createSymbolicLink(
                atPath: link, withDestinationPath: target)
            if made == nil { break }
        }
        try fileSystem.synchronize()
    }

    @Test("A job that needs room for data is refused on a full disk, with what to do")
    func fullOfData() throws {
        let fileSystem = try populated()
        for _ in 0..<2 {
            try fill(fileSystem)
        }
        let inventory = try fileSystem.inventory()
        let order = WorkerRun.order(WorkerRun.compress, volumes, on: fileSystem)
        guard case .failure(let kind, let message, _)? = try WorkerRun.messages(order).last else {
            Issue.record("it was not refused")
            return
        }
        #expect(kind == ServiceException.Kind.unsuitablePool.rawValue)
        #expect(message.contains("pool pool") && message.contains("MiB of data"))
        #expect(message.contains("Delete"))
        // What the filler lost for want of space is the kernel's business.
        let after = try fileSystem.inventory()
        let changed = Set(inventory.keys).union(after.keys).filter { inventory[$0] != after[$0] }
        #expect(changed.filter { !$0.hasSuffix("filler") } == [])
        // With room it is done.
        try FileManager.default.removeItem(atPath: fileSystem.path + "/filler")
        try fileSystem.synchronize()
        // The kernel's cleaner takes empty block groups away and has them read-only meanwhile:
        // for a moment what was freed is neither free nor unallocated.
        var job = try WorkerRun.messages(order)
        for _ in 0..<100 {
            guard case .failure? = job.last else { break }
            usleep(100_000)
            job = try WorkerRun.messages(order)
        }
        guard case .result(let result)? = job.last else {
            Issue.record("it was not done")
            return
        }
        #expect(result.savedBytes > 0 && result.lacksRoom == nil)
    }

    @Test("Of two file systems the full one is left, and the job says that it lacked room")
    func fullOfDataBesideAnother() throws {
        let full = try populated()
        let other = try populated()
        for _ in 0..<2 {
            try fill(full)
        }
        var elsewhere = WorkerRun.volume("work")
        elsewhere.pool = "other"
        let order = WorkerOrder(
            work: WorkerRun.compress,
            pools: [
                .init(name: "pool", directory: full.pool),
                .init(name: "other", directory: other.pool),
            ], volumes: volumes + [elsewhere], wholeMachine: true)
        guard case .result(let result)? = try WorkerRun.messages(order).last else {
            Issue.record("it was not done")
            return
        }
        #expect(result.savedBytes > 0 && result.lacksRoom == true)
        #expect(result.problems.contains { $0.message.contains("too full") })
    }

    @Test("Where metadata can grow no more no job starts, not even one that needs no data")
    func fullOfMetadata() throws {
        let fileSystem = try populated()
        try fill(fileSystem)
        try fillMetadata(fileSystem)
        let order = WorkerRun.order(WorkerRun.dedupe, volumes, on: fileSystem)
        guard case .failure(_, let message, _)? = try WorkerRun.messages(order).last else {
            Issue.record("it was not refused")
            return
        }
        #expect(message.contains("MiB of metadata") && message.contains("btrfs balance"))
    }

    @Test("A job that runs is held while metadata runs out, and goes on when it has room again")
    func heldMeanwhile() throws {
        let fileSystem = try populated()
        // Data takes all that is not metadata's, so that metadata cannot grow.
        try fill(fileSystem)
        let session = try WorkerSession(
            WorkerRun.order(WorkerRun.dedupe, volumes, on: fileSystem))
        session.say(.pause)
        _ = try #require(try session.progress(until: { $0.pacing?.reason == .pause }))
        try fillMetadata(fileSystem)
        session.say(.resume)
        let held = try #require(try session.progress(until: { $0.pacing?.reason == .space }))
        #expect(held.pacing?.state == .held)
        #expect(held.pacing?.advice?.contains("MiB of metadata") == true)
        try FileManager.default.removeItem(atPath: fileSystem.path + "/links")
        try FileManager.default.removeItem(atPath: fileSystem.path + "/filler")
        try fileSystem.synchronize()
        guard case .result(let result)? = try session.last() else {
            Issue.record("\(String(describing: session.messages.last))")
            return
        }
        #expect(result.extentsReplaced > 0, "\(result.leftAlone)")
    }
}
