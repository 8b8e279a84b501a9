// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import SystemCalls
import Testing

/// The worker sees that images stay what they are, but for where they lie.
@Suite(
    "What a job looks at while it works",
    .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct StampWatchTests {
    private let volumes = [WorkerRun.volume("work"), WorkerRun.volume("vault")]

    private static let content = Content.text(mebibytes: 24, seed: 9)

    /// Compresses an image and its clone, while somebody sets the image's time all the time.
    private func compress(
        whileTouching image: String, on fileSystem: LoopFileSystem
    ) throws -> WorkerMessage? {
        let path = fileSystem.image(image)
        try Files.write(Self.content, to: path)
        try Files.clone(path, to: fileSystem.image("appvms/vault/private.img"))
        // Many extents, each of which is a request: somebody else has every second sector.
        let other = fileSystem.image("appvms/vault/private.img.1@2026-01-02T03:04:05Z")
        try Files.clone(path, to: other)
        for offset in stride(from: 0, to: Self.content.count, by: 64 << 10) {
            try Files.overwrite(path, atOffset: UInt64(offset), with: Data([UInt8(1)]))
        }
        try fileSystem.synchronize()
        let isOver = Monitor(false)
        let ended = Monitor(false)
        try WorkThread.start {
            // Another one each time: the clock does not tick between two of them.
            var times = [timeval(), timeval()]
            while !isOver.withLock({ $0 }) {
                times[1].tv_sec += 1
                _ = unsafe utimes(path, times)
            }
            ended.withLock { $0 = true }
        }
        defer {
            isOver.withLock { $0 = true }
            _ = ended.wait(timeoutSeconds: 60) { $0 ? true : nil }
        }
        return try WorkerSession(
            WorkerRun.order(WorkerRun.compress, volumes, on: fileSystem)
        ).last()
    }

    @Test("An image of a halted qube that changes under a request ends the job, and says so")
    func changedAtRest() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let image = "appvms/work/private.img"
        let last = try compress(whileTouching: image, on: fileSystem)
        guard case .failure(_, let message, let detail)? = last else {
            Issue.record("no failure: \(String(describing: last))")
            return
        }
        #expect(message.contains("time of modification"))
        #expect(message.contains("backup or a revision"))
        #expect(detail.contains("file ") && detail.contains("subvolume "))
        let found = try Data(contentsOf: URL(fileURLWithPath: fileSystem.image(image)))
        #expect(found.count == Self.content.count && found.last == Self.content.last)
    }

    @Test("One that a qube runs on may change as it likes")
    func changedWhileRunning() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let last = try compress(
            whileTouching: "appvms/work/private-dirty.img", on: fileSystem)
        guard case .result(let result)? = last else {
            Issue.record("no result: \(String(describing: last))")
            return
        }
        #expect(result.extentsReplaced > 0)
    }
}
