// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// What goes wrong on a real disk must leave every file as it was.
@Suite("Faults on a real Btrfs", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct FaultTests {
    private let volumes = [WorkerRun.volume("work"), WorkerRun.volume("copy")]
    /// What was half moved when a worker was killed stands twice until the next run: no more than
    /// the batches in work had written.
    private static let batchBytes: UInt64 = 16 << 20

    private func populated(mebibytes: Int, in parent: String? = nil) throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: mebibytes, in: parent)
        let image = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.text(mebibytes: 32, seed: 1), to: image)
        try Files.clone(image, to: fileSystem.image("appvms/work/private-precache.img"))
        try Files.copy(image, to: fileSystem.image("appvms/copy/private.img"))
        try fileSystem.synchronize()
        return fileSystem
    }

    /// Starts a worker, and kills it after so many of its messages.
    private func killWorker(
        after count: Int, _ work: WorkerOrder.Work, on fileSystem: LoopFileSystem
    ) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Command.program("qubes-btrfs-worker"))
        let input = Pipe()
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        let order = WorkerRun.order(work, volumes, on: fileSystem)
        try input.fileHandleForWriting.write(contentsOf: try JSONEncoder().encode(order))
        try input.fileHandleForWriting.close()
        var lines = 0
        while lines < count {
            let data = output.fileHandleForReading.availableData
            if data.isEmpty { break }
            lines += data.count { $0 == 0x0a }
        }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    @Test(
        "Killed at any message, it leaves no file, no change, and the next run ends the work",
        arguments: 1...6)
    func killed(after count: Int) throws {
        let fileSystem = try populated(mebibytes: 1024)
        let before = try fileSystem.dataUsedBytes()
        let inventory = try fileSystem.inventory()
        try killWorker(after: count, WorkerRun.compress, on: fileSystem)
        #expect(try fileSystem.inventory() == inventory)
        #expect(try fileSystem.dataUsedBytes() <= before + Self.batchBytes)
        try killWorker(after: count, WorkerRun.dedupe, on: fileSystem)
        #expect(try fileSystem.inventory() == inventory)
        #expect(try fileSystem.dataUsedBytes() <= before + Self.batchBytes)
        try WorkerRun.job(WorkerRun.compress, volumes, on: fileSystem)
        try WorkerRun.job(WorkerRun.dedupe, volumes, on: fileSystem)
        #expect(try fileSystem.inventory() == inventory)
        #expect(try fileSystem.dataUsedBytes() < before / 3)
    }

    @Test("A power cut at any moment leaves every file whole")
    func powerCut() throws {
        // The file system lies in a file on another Btrfs: a clone of that file is the disk as it
        // was at the moment of the cut.
        let outer = try LoopFileSystem(mebibytes: 3072)
        let inner = try populated(mebibytes: 1024, in: outer.path)
        let inventory = try inner.inventory()
        let names = Set(inventory.keys)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Command.program("qubes-btrfs-worker"))
        let input = Pipe()
        let output = Pipe()
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        let order = WorkerRun.order(WorkerRun.compress, volumes, on: inner)
        try input.fileHandleForWriting.write(contentsOf: try JSONEncoder().encode(order))
        try input.fileHandleForWriting.close()
        var cuts: [String] = []
        while !output.fileHandleForReading.availableData.isEmpty {
            let cut = outer.path + "/cut-\(cuts.count)"
            try Files.clone(inner.backing, to: cut)
            cuts.append(cut)
        }
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        #expect(cuts.count >= 3)
        // A mounted Btrfs is known by its UUID: the original must be gone before a cut is mounted.
        try Command.check("umount", inner.path)
        for cut in cuts {
            let after = try LoopFileSystem(existing: cut)
            let found = try after.inventory()
            #expect(Set(found.keys) == names)
            #expect(found == inventory)
        }
    }

    @Test("On a full disk what needs no scratch space is done, the rest is left with the reason")
    func fullDisk() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let content = Content.random(mebibytes: 12, seed: 2)
        try Files.write(content, to: fileSystem.image("appvms/work/private.img"))
        try Files.write(content, to: fileSystem.image("appvms/copy/private.img"))
        // Fill what is left, to the last block.
        for _ in 0..<2 {
            _ = try Command.run([
                "sh", "-c", "cat /dev/urandom >> \"$0/filler\"; sync --file-system \"$0\"",
                fileSystem.path,
            ])
        }
        let before = try fileSystem.dataUsedBytes()
        let inventory = try fileSystem.inventory()
        let result = try WorkerRun.job(WorkerRun.dedupe, volumes, on: fileSystem)
        #expect(try fileSystem.inventory() == inventory)
        #expect(try fileSystem.dataUsedBytes() < before - 10 << 20)
        #expect(result.savedBytes > 10 << 20)
    }

    @Test("A worker whose daemon dies goes with it")
    func orphanedWorker() throws {
        let fileSystem = try populated(mebibytes: 1024)
        let inventory = try fileSystem.inventory()
        let order = WorkerRun.order(.compress(level: 19, running: false), volumes, on: fileSystem)
        let file = fileSystem.folder + "/order"
        try JSONEncoder().encode(order).write(to: URL(fileURLWithPath: file))
        // A shell that starts it, waits for its first message, and is killed.
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = [
            "-c", "'\(Command.program("qubes-btrfs-worker"))' < '\(file)' & wait",
        ]
        let output = Pipe()
        shell.standardOutput = output
        try shell.run()
        var text = ""
        while !text.contains("{") {
            let data = output.fileHandleForReading.availableData
            if data.isEmpty { break }
            text += String(decoding: data, as: UTF8.self)
        }
        kill(shell.processIdentifier, SIGKILL)
        shell.waitUntilExit()
        // Its end of the pipe closes when it ends: without the tie, only after the whole job.
        var rest = Data()
        while case let data = output.fileHandleForReading.availableData, !data.isEmpty {
            rest += data
        }
        #expect(!String(decoding: rest, as: UTF8.self).contains(#""result""#))
        #expect(try fileSystem.inventory() == inventory)
    }

    @Test("Qubes whose pool cannot be worked on fail, though others could be")
    func selectedPoolIsUnfit() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        var order = WorkerRun.order(
            WorkerRun.compress, [WorkerRun.volume("work", selected: false)], on: fileSystem)
        order.pools.append(.init(name: "other", directory: "/proc"))
        var volume = WorkerRun.volume("far")
        volume.pool = "other"
        order.volumes.append(volume)
        guard case .failure(let kind, let message, _)? = try WorkerRun.messages(order).last else {
            Issue.record("no failure")
            return
        }
        #expect(kind == ServiceException.Kind.unsuitablePool.rawValue)
        #expect(message.contains("pool other"))
    }

    @Test("An extent that cannot be read is left, and the others are worked on")
    func readError() throws {
        let fileSystem = try populated(mebibytes: 1024)
        let order = WorkerRun.order(WorkerRun.compress, volumes, on: fileSystem)
        // Flip bytes of the content where it stands in the backing file, under the file system.
        let needle = Content.text(mebibytes: 32, seed: 1).dropFirst(20 << 20).prefix(64)
        try Command.check("umount", fileSystem.path)
        let disk = try FileHandle(forUpdating: URL(fileURLWithPath: fileSystem.backing))
        var spoiled = 0
        var offset: UInt64 = 0
        while let piece = try disk.read(upToCount: 8 << 20), !piece.isEmpty {
            if let range = piece.range(of: needle), spoiled == 0 {
                try disk.seek(toOffset: offset + UInt64(range.lowerBound - piece.startIndex))
                try disk.write(contentsOf: Data("spoiled".utf8))
                spoiled += 1
            }
            offset += UInt64(piece.count)
            try disk.seek(toOffset: offset)
        }
        try disk.close()
        try #require(spoiled == 1)
        try Command.check("mount", "-o", "loop", fileSystem.backing, fileSystem.path)
        let last = try WorkerRun.messages(order).last
        guard case .result(let result)? = last else {
            Issue.record("\(String(describing: last))")
            return
        }
        #expect(result.leftAlone.contains { $0.reason == "cannot be read" })
        #expect(result.extentsReplaced > 0)
    }

    @Test("A pool that is not Btrfs is refused with its name and the reason")
    func notBtrfs() throws {
        let folder = FileManager.default.temporaryDirectory.path + "/plain-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let order = WorkerOrder(
            work: WorkerRun.compress, pools: [.init(name: "plain", directory: folder)],
            volumes: [], wholeMachine: true)
        guard case .failure(let kind, let message, _)? = try WorkerRun.messages(order).last else {
            Issue.record("no failure")
            return
        }
        #expect(kind == ServiceException.Kind.unsuitablePool.rawValue)
        #expect(message.contains("plain") && message.contains("not on Btrfs"))
    }

    @Test(
        "A link on the way to a volume is not followed",
        arguments: ["/appvms/work", "/appvms"])
    func linksAreNotFollowed(link: String) throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let elsewhere = fileSystem.path + "/elsewhere"
        let rest = "/appvms/work".dropFirst(link.count)
        try Files.write(
            Content.text(mebibytes: 4, seed: 3), to: elsewhere + rest + "/private.img")
        try? FileManager.default.removeItem(atPath: fileSystem.pool + link)
        try FileManager.default.createSymbolicLink(
            atPath: fileSystem.pool + link, withDestinationPath: elsewhere)
        let before = try fileSystem.dataUsedBytes()
        let result = try WorkerRun.job(WorkerRun.compress, volumes, on: fileSystem)
        #expect(result.extentsSeen == 0)
        let named = result.problems.filter { $0.subject == "work" }
        #expect(named.contains { $0.message.contains("directory cannot be read") })
        #expect(try fileSystem.dataUsedBytes() == before)
    }

    @Test("A link in the place of an image is no image")
    func aLinkIsNoImage() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let elsewhere = fileSystem.path + "/elsewhere.img"
        try Files.write(Content.text(mebibytes: 4, seed: 3), to: elsewhere)
        let image = fileSystem.image("appvms/work/private.img")
        try Files.write(Data(), to: image)
        try FileManager.default.removeItem(atPath: image)
        try FileManager.default.createSymbolicLink(
            atPath: image, withDestinationPath: elsewhere)
        try fileSystem.synchronize()
        let before = try fileSystem.dataUsedBytes()
        let result = try WorkerRun.job(WorkerRun.compress, volumes, on: fileSystem)
        #expect(result.extentsSeen == 0)
        #expect(try fileSystem.dataUsedBytes() == before)
        #expect(try WorkerRun.report(volumes, on: fileSystem).total.dataBytes == 0)
    }
}
