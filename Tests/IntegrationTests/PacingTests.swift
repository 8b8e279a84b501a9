// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// A job gives way to who works in the foreground.
///
/// These take the time, which other tests at work beside them change: `make bench-pacing` runs them
/// alone, and `scripts/test` passes them over.
@Suite(
    "Pacing on a slow disk", .serialized, .enabled(if: SlowDisk.isAvailable, SlowDisk.reason),
    .enabled(
        if: ProcessInfo.processInfo.environment["QUBES_BTRFS_TIMED"] != nil,
        "takes the time: make bench-pacing runs it"))
struct PacingTests {
    private static let volumes = [WorkerRun.volume("work")]
    private static let mebibytesPerSecond = 24
    private static let foregroundMebibytes = 192

    private func populated() throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 2048)
        for number in 0..<6 {
            try Files.write(
                Content.text(mebibytes: 64, seed: UInt64(1 + number)),
                to: fileSystem.image("appvms/work/private.img.\(number)@2026-01-02T03:04:05Z"))
        }
        try Files.write(
            Content.random(mebibytes: Self.foregroundMebibytes, seed: 99),
            to: fileSystem.path + "/foreground")
        try fileSystem.remount()
        return fileSystem
    }

    /// How long the foreground takes to read its file, in seconds.
    private func read(_ fileSystem: LoopFileSystem, _ disk: SlowDisk) throws -> Double {
        let start = ContinuousClock.now
        try Command.check(
            "sh", "-c",
            disk.prelude("reader") + "; exec cat '\(fileSystem.path)/foreground' > /dev/null")
        let elapsed = ContinuousClock.now - start
        return Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
    }

    /// The foreground's speed beside a job, as a share of its speed alone; and the job's pacing.
    private func share(options: (SlowDisk) -> [String]) throws -> (Double, [Pacing]) {
        let fileSystem = try populated()
        let disk = try SlowDisk(
            fileSystem.path, bytesPerSecond: Self.mebibytesPerSecond << 20)
        let alone = try read(fileSystem, disk)
        try fileSystem.remount()
        let session = try WorkerSession(
            WorkerRun.order(.compress(level: 1, running: false), Self.volumes, on: fileSystem),
            options: options(disk), prelude: disk.prelude("job"))
        try #require(try session.progress(until: { $0.stage == .survey }) != nil)
        let beside = try read(fileSystem, disk)
        try session.say(.cancel)
        guard case .cancelled(let result)? = try session.last() else {
            Issue.record("the job was over before the foreground was")
            return (0, [])
        }
        #expect(result.problems.isEmpty)
        let pacing = session.messages.compactMap { message -> Pacing? in
            guard case .progress(let progress) = message else { return nil }
            return progress.pacing
        }
        return (alone / beside, pacing)
    }

    @Test(
        "A reader in the foreground keeps four fifths of its speed, and the job says why it waits")
    func foregroundGoesFirst() throws {
        let (share, pacing) = try share { ["--control-groups", $0.unified] }
        #expect(share >= 0.8, "share \(share)")
        let last = try #require(pacing.last { $0.state == .held })
        #expect(last.reason == .disk)
        #expect(last.heldShare > 0.5)
        #expect((last.othersWaitShare ?? 0) > 0.5)
    }

    @Test("It is the governor that does it: where it sees nobody, the reader loses more")
    func withoutGovernor() throws {
        let (share, _) = try share { _ in ["--control-groups", "/nonexistent"] }
        #expect(share < 0.8, "share \(share)")
    }

    @Test("A job that is alone on a slow disk is never slowed")
    func alone() throws {
        let fileSystem = try populated()
        let disk = try SlowDisk(fileSystem.path, bytesPerSecond: 2 * Self.mebibytesPerSecond << 20)
        let session = try WorkerSession(
            WorkerRun.order(.compress(level: 1, running: false), Self.volumes, on: fileSystem),
            options: ["--control-groups", disk.unified], prelude: disk.prelude("job"))
        guard case .result? = try session.last() else {
            Issue.record("\(String(describing: session.messages.last))")
            return
        }
        for case .progress(let progress) in session.messages {
            #expect(progress.pacing?.state ?? .full == .full)
            #expect(progress.pacing?.heldShare ?? 0 == 0)
        }
    }
}
