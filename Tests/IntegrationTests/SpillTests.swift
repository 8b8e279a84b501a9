// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

@testable import Worker

/// What does not fit into memory goes to a file without a name, and nothing else changes.
@Suite(
    "What spills, on a real Btrfs",
    .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct SpillTests {
    private let volumes = [
        WorkerRun.volume("one"), WorkerRun.volume("two"), WorkerRun.volume("three"),
    ]
    /// Nothing that can spill stays in memory, but for the block in work.
    private static let little = ["--held-bytes", "0"]

    /// Plain and packed images that have much in common, at several shifts: 26,000 sectors, which
    /// make six blocks of checksums.
    private func populated() throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 1024)
        let noise = Content.random(mebibytes: 24, seed: 31)
        let text = Content.text(mebibytes: 12, seed: 32)
        try Files.write(noise + text, to: fileSystem.image("appvms/one/private.img"))
        try Files.write(
            Content.random(mebibytes: 1, seed: 33).prefix(5 * 4096) + noise + text,
            to: fileSystem.image("appvms/two/private.img"))
        try Command.check("mount", "-o", "remount,compress-force=zstd", fileSystem.path)
        try Files.write(
            text + noise.prefix(16 << 20), to: fileSystem.image("appvms/three/private.img"))
        try fileSystem.synchronize()
        return fileSystem
    }

    @Test("De-duplication with next to no memory does what it does with plenty")
    func sameResult() throws {
        let (held, spilled) = (try populated(), try populated())
        let cache = spilled.folder + "/cache"
        try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
        let inventory = try spilled.inventory()
        let expected = try WorkerRun.job(WorkerRun.dedupe, volumes, on: held)
        let result = try WorkerRun.job(
            WorkerRun.dedupe, volumes, on: spilled, cache: cache, options: Self.little)
        #expect(try spilled.inventory() == inventory)
        #expect(result.extentsReplaced == expected.extentsReplaced)
        #expect(result.extentsReplaced > 0)
        #expect(result.referencesMoved == expected.referencesMoved)
        #expect(result.predictedBytes == expected.predictedBytes)
        #expect(result.pieces == expected.pieces)
        #expect(try spilled.dataUsedBytes() == (try held.dataUsedBytes()))
        #expect(result.savedBytes > 40 << 20)
    }

    /// A small file system for the cache, mounted until the test is over.
    private func withCache(
        _ size: String, on fileSystem: LoopFileSystem, _ body: (String) throws -> Void
    ) throws {
        let cache = fileSystem.folder + "/cache"
        try FileManager.default.createDirectory(
            atPath: cache, withIntermediateDirectories: true)
        try Command.check("mount", "-t", "tmpfs", "-o", "size=\(size)", "tmpfs", cache)
        defer { _ = try? Command.run(["umount", cache]) }
        try body(cache)
    }

    @Test("Where the cache directory is too small what spills lies in the pool, and comes back")
    func smallCache() throws {
        let (held, spilled) = (try populated(), try populated())
        let inventory = try spilled.inventory()
        let expected = try WorkerRun.job(WorkerRun.dedupe, volumes, on: held)
        try withCache("32k", on: spilled) { cache in
            let result = try WorkerRun.job(
                WorkerRun.dedupe, volumes, on: spilled, cache: cache, options: Self.little)
            #expect(result.extentsReplaced == expected.extentsReplaced)
            #expect(result.predictedBytes == expected.predictedBytes)
        }
        #expect(try spilled.inventory() == inventory)
        #expect(try spilled.dataUsedBytes() == (try held.dataUsedBytes()))
    }

    /// Runs a job whose cache directory is full once it has begun, but for two of its blocks of
    /// checksums, of which it has six.
    private func last(
        of work: WorkerOrder.Work, on fileSystem: LoopFileSystem, fillPool: Bool = false
    ) throws -> WorkerMessage? {
        var last: WorkerMessage?
        try withCache("64m", on: fileSystem) { cache in
            let session = try WorkerSession(
                WorkerRun.order(work, volumes, on: fileSystem),
                options: ["--cache-directory", cache] + Self.little)
            session.say(.pause)
            _ = try #require(try session.progress { $0.pacing?.reason == .pause })
            _ = try Command.run(["dd", "if=/dev/zero", "of=\(cache)/full", "status=none"])
            try Command.check("truncate", "--size", "-32K", "\(cache)/full")
            if fillPool {
                let full = "\(fileSystem.path)/full"
                _ = try Command.run(["dd", "if=/dev/zero", "of=\(full)", "bs=1M", "status=none"])
            }
            session.say(.resume)
            last = try session.last()
        }
        return last
    }

    @Test("Where the cache directory fills up, what has spilled goes on in the pool")
    func cacheFillsUp() throws {
        for work in [WorkerRun.dedupe, WorkerRun.optimize] {
            let (held, spilled) = (try populated(), try populated())
            let inventory = try spilled.inventory()
            let expected = try WorkerRun.job(work, volumes, on: held)
            guard case .result(let result)? = try last(of: work, on: spilled) else {
                Issue.record("it did not come to its end")
                return
            }
            #expect(result.extentsReplaced == expected.extentsReplaced)
            #expect(result.predictedBytes == expected.predictedBytes)
            #expect(try spilled.inventory() == inventory)
            #expect(try spilled.dataUsedBytes() == (try held.dataUsedBytes()))
        }
    }

    @Test("Where nothing has room any more an estimate ends, says why, and changes nothing")
    func allIsFull() throws {
        let fileSystem = try populated()
        let inventory = try fileSystem.inventory()
        let message = try last(of: .estimate(running: false), on: fileSystem, fillPool: true)
        guard case .failure(let kind, let text, let detail)? = message else {
            Issue.record("\(String(describing: message))")
            return
        }
        #expect(kind == ServiceException.Kind.failed.rawValue)
        #expect(text.contains("nor the pool has space left"), "\(text)")
        #expect(detail.contains("spill file"), "\(detail)")
        try FileManager.default.removeItem(atPath: "\(fileSystem.path)/full")
        #expect(try fileSystem.inventory() == inventory)
    }

    @Test("What was spilled is given back before references are moved, but for the survey")
    func spaceComesBack() throws {
        let fileSystem = try populated()
        let cache = fileSystem.folder + "/cache"
        try FileManager.default.createDirectory(
            atPath: cache, withIntermediateDirectories: true)
        let order = WorkerRun.order(WorkerRun.dedupe, volumes, on: fileSystem)
        let session = try WorkerSession(
            order, options: ["--cache-directory", cache] + Self.little)
        try #require(try session.progress { $0.stage == .execute } != nil)
        Foundation.kill(session.identifier, SIGSTOP)
        let folder = "/proc/\(session.identifier)/fd"
        let spills = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
            let target = try? FileManager.default.destinationOfSymbolicLink(
                atPath: folder + "/" + $0)
            return target?.hasPrefix(cache + "/#") == true
        }
        #expect(spills.count == SpillPool.jobFiles)
        let sizes = try spills.map { spill in
            try Command.check("stat", "-L", "-c", "%s", folder + "/" + spill).output
        }
        // Its extents and its references: what is read ahead is looked up there.
        #expect(sizes.count { $0 != "0\n" } == 2, "\(sizes)")
        Foundation.kill(session.identifier, SIGCONT)
        guard case .result? = try session.last() else {
            Issue.record("it did not come to its end")
            return
        }
    }
}
