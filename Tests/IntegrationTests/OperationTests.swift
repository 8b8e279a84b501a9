// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// A job beside what Btrfs itself does with a file system.
@Suite("Beside a balance", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct OperationTests {
    /// As a check says it.
    private static func name(_ word: String) -> String { "somebody is at work on it: \(word)" }

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
        var named: Set<String?> = []
        // A balance may be over before the job has begun: the next one then.
        for round in 0..<20 where held == nil || !named.contains(Self.name("balance")) {
            let balance = try ProgramBeside(
                ["btrfs", "balance", "start", "-d", fileSystem.path])
            let work: WorkerOrder.Work = .compress(level: round + 1, running: false)
            let session = try WorkerSession(WorkerRun.order(work, volumes, on: fileSystem))
            held = try session.progress { $0.pacing?.reason == .operation } ?? held
            named.insert(try fileSystem.checkedOperation())
            guard case .result? = try session.last() else {
                Issue.record("\(String(describing: session.messages.last))")
                return
            }
            #expect(balance.wait() == 0)
        }
        #expect(named.contains(Self.name("balance")), "\(named)")
        let pacing = try #require(held?.pacing)
        #expect(pacing.state == .held && pacing.advice == "balance" && pacing.heldAt != nil)
        #expect(try fileSystem.inventory() == inventory)
    }

    /// What others do, as a line of shell that does it for some seconds: `$1` is where the file
    /// system is mounted, `$2` a snapshot of it, `$3` a lock's file.
    private static let others: [(word: String, shell: String)] = [
        (
            "scrub",
            "id=$(btrfs filesystem show \"$1\" | sed -n 's/.*uuid: //p');"
                + " for d in /sys/fs/btrfs/$id/devinfo/*;"
                + " do echo 16M >$d/scrub_speed_max; done; exec btrfs scrub start -B \"$1\""
        ),
        ("btrfs send", "btrfs -q send \"$2\" | { sleep 4; cat; }"),
        ("btrfs receive", "{ btrfs -q send \"$2\"; sleep 4; } | btrfs -q receive \"$1/received\""),
        ("lock of flock", "exec flock --shared \"$3\" sleep 4"),
    ]

    @Test("A job waits for a scrub, a send, a receive and whoever has the lock", arguments: 0..<4)
    func others(number: Int) throws {
        let other = Self.others[number]
        let fileSystem = try LoopFileSystem(mebibytes: 2048)
        let image = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.text(mebibytes: 24, seed: 1), to: image)
        let received = "\(fileSystem.path)/received"
        try FileManager.default.createDirectory(
            atPath: received, withIntermediateDirectories: false)
        let snapshot = "\(fileSystem.path)/snapshot"
        try Command.check("btrfs", "subvolume", "snapshot", "-r", fileSystem.path, snapshot)
        let lock = "\(fileSystem.path).lock"
        // What takes the scrub its time.
        try Files.write(Content.random(mebibytes: 64, seed: 2), to: "\(fileSystem.path)/other")
        try fileSystem.synchronize()
        var held: JobProgress?
        var named: Set<String?> = []
        let name = Self.name(other.word)
        // The lock of a test is not the one that a check of the machine looks at.
        let isNamed = !other.word.hasPrefix("lock")
        // A small job may be over before the other has begun: a later one then.
        for round in 0..<20 where held == nil || (isNamed && !named.contains(name)) {
            let beside = try ProgramBeside(
                ["sh", "-c", other.shell, "sh", fileSystem.path, snapshot, lock])
            Thread.sleep(forTimeInterval: 0.5 * Double(round + 1))
            let order = try WorkerRun.order(
                .compress(level: round + 1, running: false), [WorkerRun.volume("work")],
                on: fileSystem)
            let session = try WorkerSession(order, options: ["--lock-file", lock])
            held = try session.progress { $0.pacing?.reason == .operation } ?? held
            named.insert(try fileSystem.checkedOperation())
            guard case .result? = try session.last() else {
                Issue.record("\(String(describing: session.messages.last))")
                return
            }
            #expect(beside.wait() == 0)
            // A received snapshot is received once.
            _ = try? Command.run(["btrfs", "subvolume", "delete", received + "/snapshot"])
        }
        #expect(held?.pacing?.state == .held && held?.pacing?.advice == other.word)
        #expect(held?.pacing?.heldAt != nil)
        #expect(!isNamed || named.contains(name), "\(named)")
    }
}
