// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// A job beside what Btrfs itself does with a file system.
@Suite("Beside a balance", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct OperationTests {
    @Test("A job waits for it, says so, and goes on")
    func balance() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 2048)
        let image = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.text(mebibytes: 24, seed: 1), to: image)
        try Files.copy(image, to: fileSystem.image("appvms/copy/private.img"))
        // What the balance has to move.
        for number in 0..<12 {
            try Command.check(
                "dd", "if=/dev/urandom", "of=\(fileSystem.path)/other-\(number)", "bs=1M",
                "count=64", "status=none")
        }
        let inventory = try fileSystem.inventory()
        let volumes = [WorkerRun.volume("work"), WorkerRun.volume("copy")]
        var held: JobProgress?
        // A balance may be over before the job has begun: the next one then.
        for round in 0..<20 where held == nil {
            let balance = try ProgramBeside(
                ["btrfs", "balance", "start", "-d", fileSystem.path])
            let work: WorkerOrder.Work = .compress(level: round + 1, running: false)
            let session = try WorkerSession(WorkerRun.order(work, volumes, on: fileSystem))
            held = try session.progress { $0.pacing?.reason == .operation }
            guard case .result? = try session.last() else {
                Issue.record("\(String(describing: session.messages.last))")
                return
            }
            #expect(balance.wait() == 0)
        }
        let pacing = try #require(held?.pacing)
        #expect(pacing.state == .held && pacing.advice == "balance" && pacing.heldAt != nil)
        #expect(try fileSystem.inventory() == inventory)
    }
}
