// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

@Suite(
    "What was found out on a real Btrfs is not asked again",
    .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct VerdictTests {
    /// A job, and what its worker has asked the kernel to read for it: all of `read(2)`, from
    /// memory or from the disk, so that it is the same on every run.
    private func job(
        _ work: WorkerOrder.Work, on fileSystem: LoopFileSystem, cache: String
    ) throws -> (result: JobResult, readBytes: Int) {
        let order = WorkerRun.order(work, [WorkerRun.volume("work")], on: fileSystem)
        // What a shell has waited for counts as its own.
        let ending = try Command.run(
            [
                "sh", "-c", "\"$0\" \"$@\"; cat /proc/$$/io",
                Command.program("qubes-btrfs-worker"), "--cache-directory", cache,
            ], input: try JSONEncoder().encode(order))
        let lines = ending.output.split(separator: "\n")
        let messages = try lines.filter { $0.hasPrefix("{") }.map {
            try JSONDecoder().decode(WorkerMessage.self, from: Data($0.utf8))
        }
        guard case .result(let result)? = messages.last,
            let line = lines.first(where: { $0.hasPrefix("rchar: ") }),
            let readBytes = Int(line.dropFirst("rchar: ".count))
        else { throw WorkerRun.UnexpectedEnd(message: ending.output) }
        return (result, readBytes)
    }

    /// Writes piece by piece, so that each is an extent.
    private func write(_ data: Data, to path: String, pieceBytes: Int) throws {
        try Files.write(Data(), to: path)
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        for start in stride(from: 0, to: data.count, by: pieceBytes) {
            try handle.write(contentsOf: data[start..<min(start + pieceBytes, data.count)])
            try handle.synchronize()
        }
        try handle.close()
    }

    private func leftBytes(_ reason: String, _ result: JobResult) -> UInt64 {
        result.leftAlone.first { $0.reason == reason }?.diskBytes ?? 0
    }

    @Test(
        "One block has changed: 64 MiB that do not shrink are not read again",
        arguments: [WorkerRun.compress, WorkerRun.optimize])
    func changedBlock(work: WorkerOrder.Work) throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let cache = fileSystem.folder + "/cache"
        try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
        let photos = fileSystem.image("appvms/work/private.img")
        try write(Content.random(mebibytes: 64, seed: 1), to: photos, pieceBytes: 256 << 10)
        let text = fileSystem.image("appvms/work/private.img.1@2026-01-02T03:04:05Z")
        try Files.write(Content.text(mebibytes: 4, seed: 2), to: text)
        let first = try job(work, on: fileSystem, cache: cache)
        #expect(first.result.extentsReplaced > 0)
        #expect(
            leftBytes("does not shrink", first.result) == 64 << 20, "\(first.result.leftAlone)")
        #expect(first.readBytes > 64 << 20)

        try Files.overwrite(
            photos, atOffset: 4 << 20, with: Content.random(mebibytes: 1, seed: 3).prefix(4096))
        let inventory = try fileSystem.inventory()
        let second = try job(work, on: fileSystem, cache: cache)
        #expect(second.readBytes < 8 << 20, "\(second.readBytes) bytes were read")
        #expect(leftBytes("does not shrink", second.result) >= 64 << 20)
        #expect(try fileSystem.inventory() == inventory)

        // Whoever deletes the cache has it asked again, and nothing worse.
        try FileManager.default.removeItem(atPath: cache)
        try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
        let third = try job(work, on: fileSystem, cache: cache)
        #expect(third.readBytes > 64 << 20)
        #expect(try fileSystem.inventory() == inventory)
    }

    @Test("What a job had found out when it was cancelled is kept")
    func cancelled() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let cache = fileSystem.folder + "/cache"
        try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
        // A batch of noise, and text for many seconds behind it.
        let image = fileSystem.image("appvms/work/private.img")
        try write(Content.random(mebibytes: 16, seed: 4), to: image, pieceBytes: 256 << 10)
        let text = Content.text(mebibytes: 20, seed: 5)
        try Files.write(
            (0..<12).reduce(into: Data()) { data, _ in data += text },
            to: image + ".1@2026-01-02T03:04:05Z")
        let session = try WorkerSession(
            WorkerRun.order(
                .compress(level: 19, running: false), [WorkerRun.volume("work")],
                on: fileSystem), options: ["--cache-directory", cache])
        try session.progress { $0.isHalfWay }
        session.say(.cancel)
        guard case .cancelled? = try session.last() else {
            Issue.record("\(session.messages.suffix(1))")
            return
        }
        let file = try #require(
            try FileManager.default.contentsOfDirectory(atPath: cache)
                .first { $0.hasPrefix("verdicts-") })
        let kept = try Data(contentsOf: URL(fileURLWithPath: cache + "/" + file))
        #expect(kept.count >= 8 + 16 + 16 + 4)
    }
}
