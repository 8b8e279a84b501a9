// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// `btrfs send`, whose reader takes nothing: it holds its snapshot until it is ended.
private final class HeldSend {
    private let sender = Process()
    private let pipe = Pipe()

    /// - Parameter program: `btrfs`, or a copy of it of another name.
    init(_ snapshot: String, by program: String = "btrfs") throws {
        sender.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        sender.arguments = [program, "send", "-q", snapshot]
        sender.standardOutput = pipe
        sender.standardError = FileHandle.nullDevice
        try sender.run()
        // The first of the stream comes when the kernel has taken hold of the snapshot.
        _ = try pipe.fileHandleForReading.read(upToCount: 1)
    }

    deinit { end() }

    func end() {
        try? pipe.fileHandleForReading.close()
        kill(sender.processIdentifier, SIGKILL)
        sender.waitUntilExit()
    }
}

@Suite("Beside btrfs send", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct SendTests {
    /// For how long a send is held; longer: `HELD_SECONDS`.
    private static var heldSeconds: Double {
        ProcessInfo.processInfo.environment["HELD_SECONDS"].flatMap(Double.init) ?? 4
    }
    private static let mebibytes = 320
    private static let extentBytes = 4 << 20

    /// An image in extents of 4 MiB, half of which shrinks, and a snapshot of all.
    private func world() throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 1024)
        let text = Content.text(mebibytes: 2, seed: 1)
        let random = Content.random(mebibytes: 2, seed: 2)
        let extent = (0..<32).reduce(into: Data()) { extent, block in
            let range = block << 16..<(block + 1) << 16
            extent += text[range] + random[range]
        }
        let image = fileSystem.image("appvms/work/private.img")
        try Files.write(Data(), to: image)
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: image))
        for _ in 0..<(Self.mebibytes << 20) / extent.count {
            try file.write(contentsOf: extent)
            try file.synchronize()
        }
        try file.close()
        try Command.check(
            "btrfs", "subvolume", "snapshot", "-r", fileSystem.path, fileSystem.path + "/sent")
        try fileSystem.synchronize()
        return fileSystem
    }

    /// What the file system's device has been given to write.
    private func writtenBytes(_ fileSystem: LoopFileSystem) throws -> UInt64 {
        let device = try Command.check("findmnt", "-no", "SOURCE", fileSystem.path).output
            .prefix { $0 != "\n" && $0 != "[" }
        let name = device.split(separator: "/").last ?? ""
        let fields = try String(contentsOfFile: "/sys/block/\(name)/stat", encoding: .utf8)
            .split(separator: " ", omittingEmptySubsequences: true)
        return try #require(UInt64(fields[6])) * 512
    }

    @Test("A job waits for a send, and writes nothing meanwhile")
    func sendIsWaitedFor() throws {
        let fileSystem = try world()
        let inventory = try fileSystem.inventory()
        let send = try HeldSend(fileSystem.path + "/sent")
        let before = try writtenBytes(fileSystem)
        let session = try WorkerSession(
            WorkerRun.order(WorkerRun.compress, [WorkerRun.volume("work")], on: fileSystem))
        let held = try session.progress { $0.pacing?.advice == "btrfs send" }
        #expect(held?.pacing?.state == .held)
        Thread.sleep(forTimeInterval: Self.heldSeconds)
        let written = try writtenBytes(fileSystem) - before
        #expect(written < 16 << 20, "\(written >> 20) MiB were written")
        send.end()
        guard case .result(let result)? = try session.last() else {
            Issue.record("\(String(describing: session.messages.last))")
            return
        }
        #expect(result.leftAlone.isEmpty)
        #expect(try fileSystem.dataUsedBytes() < UInt64(Self.mebibytes) << 20 * 3 / 4)
        #expect(try fileSystem.inventory() == inventory)
    }

    /// Who sends by a program of another name is not seen before the kernel has refused.
    @Test("A job loses a batch for each lane at most, says what it was, and does it afterwards")
    func sendIsLearnt() throws {
        let fileSystem = try world()
        let inventory = try fileSystem.inventory()
        let program = fileSystem.path + ".mover"
        try Command.check("sh", "-c", "cp \"$(command -v btrfs)\" \"$0\"", program)
        defer { try? FileManager.default.removeItem(atPath: program) }
        let send = try HeldSend(fileSystem.path + "/sent", by: program)
        let before = try writtenBytes(fileSystem)
        let refused = try WorkerRun.job(
            WorkerRun.compress, [WorkerRun.volume("work")], on: fileSystem)
        let written = try writtenBytes(fileSystem) - before
        #expect(refused.extentsReplaced == 0)
        #expect(refused.leftAlone.map(\.reason) == ["its snapshot is being sent (btrfs send)"])
        #expect(refused.leftAlone.map(\.diskBytes) == [UInt64(Self.mebibytes) << 20])
        // The 5 lanes' batches of 16 MiB, packed, where all of the image takes 200 MiB.
        #expect(written < 80 << 20, "\(written >> 20) MiB were written")
        #expect(try fileSystem.inventory() == inventory)
        send.end()
        let done = try WorkerRun.job(
            WorkerRun.compress, [WorkerRun.volume("work")], on: fileSystem)
        #expect(done.leftAlone.isEmpty)
        #expect(try fileSystem.dataUsedBytes() < UInt64(Self.mebibytes) << 20 * 3 / 4)
        #expect(try fileSystem.inventory() == inventory)
    }
}
