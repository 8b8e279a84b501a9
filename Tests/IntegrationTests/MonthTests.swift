// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import TestSupport
import Testing

/// A month of a machine that nobody looks after, in the order in which things happen.
@Suite("A month by itself", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct MonthTests {
    @Test("Each week and each update is worked on once, whatever comes between")
    func month() throws {
        let month = try Month()
        try month.aSendIsUnderWay()
        try month.aTemplateIsUpdated()
        try month.aQubeIsRestored()
        try month.aRunIsMissed()
        try month.aTemplateIsUpdatedInSteps()
        try month.itRunsOnBattery()
        try month.aBackupIsUnderWay()
        try month.aRunFails()
        try month.itIsShutDownInMidJob()
        try month.itIsShutDownTwice()
        try month.nothingIsLeft()
    }
}

// MARK: What happens

extension Month {
    /// The first week's run finds a `btrfs send` under way: neither fails, and the job waits.
    func aSendIsUnderWay() throws {
        let disk = machine.fileSystem
        let snapshot = disk.path + "/snapshot"
        let pipe = disk.folder + "/sent"
        try Command.check("btrfs", "subvolume", "snapshot", "-r", disk.path, snapshot)
        try Command.check("mkfifo", pipe)
        let before = try used
        let sender = try ProgramBeside(["btrfs", "-q", "send", "-f", pipe, snapshot])
        let stream = try #require(FileHandle(forReadingAtPath: pipe))
        // The kernel sends, and waits for who reads.
        let head = try #require(try stream.read(upToCount: 12))
        try machine.go(to: "2026-03-02 08:00:00")
        let held = try machine.job(0) { $0.progress?.pacing?.reason == .operation }
        #expect(held.target == "dom0" && held.progress?.pacing?.advice == "btrfs send")
        #expect(try held.submittedAt == Moments.seconds("2026-03-02 00:18:00"))
        let rest = try #require(try stream.readToEnd())
        #expect(sender.wait() == 0)
        #expect(String(decoding: head, as: UTF8.self) == "btrfs-stream")
        #expect(rest.count > 16 << 20)
        let record = try expectEnd(of: "dom0", usedBefore: before)
        #expect(try #require(record.result).savedBytes > 8 << 20)
        try expectRun(1)
        try Command.check("btrfs", "subvolume", "delete", snapshot)
    }

    /// A template is updated, and its shutdown told twice: one job, ten minutes after the last.
    func aTemplateIsUpdated() throws {
        try machine.go(to: "2026-03-04 10:00:00")
        try update(seed: 11)
        try machine.tell("domain-shutdown", "deb")
        let before = try used
        // Others, of which nothing follows.
        try machine.tell("domain-shutdown", "work")
        try machine.tell("domain-shutdown", "disp1")
        try machine.go(minutes: 9)
        try expectJobs()
        try machine.go(minutes: 1)
        try expectEnd(of: "deb", usedBefore: before)
        try machine.go(minutes: 600)
        try expectJobs()
    }

    private func update(seed: UInt64) throws {
        try machine.tell("domain-pre-start", "deb")
        try machine.tell("domain-start", "deb")
        try images.change(
            MonthImages.root("deb"), atOffset: 1 << 20,
            with: Content.text(mebibytes: 4, seed: seed), at: Moments.text(machine.clock.now))
        try machine.tell("domain-shutdown", "deb")
    }

    /// A qube is restored from a backup that shares nothing: what it has in common is shared.
    func aQubeIsRestored() throws {
        try machine.go(to: "2026-03-05 20:00:00")
        try machine.tell("domain-add", fields: [("vm", "vault")])
        qubes.append(.init(name: "vault"))
        qubesd.change { $0.qubes["vault"] = "class=AppVM state=Halted" }
        try writeInventory()
        try images.make(MonthImages.own("vault"), Content.text(mebibytes: 8, seed: 2))
        try machine.tell(
            "domain-volume-import-end", "vault",
            fields: [("volume", "private"), ("success", "True")])
        let before = try used
        try machine.go(minutes: 11)
        try expectEnd(of: "vault", usedBefore: before)
    }

    /// The machine is off when the timer elapses, and makes up for it once.
    func aRunIsMissed() throws {
        try machine.go(to: "2026-03-08 20:00:00")
        try machine.shutDown()
        try machine.go(to: "2026-03-10 08:00:00")
        try images.change(
            MonthImages.own("work"), atOffset: 0, with: Content.text(mebibytes: 2, seed: 21),
            at: "2026-03-10 07:00:00")
        let before = try used
        try machine.boot()
        // What was done before the shutdown is over, so that nobody has to call.
        #expect(!machine.daemonHasStarted)
        try machine.go(to: "2026-03-10 12:00:00")
        let record = try expectEnd(of: "dom0", usedBefore: before)
        #expect(try record.submittedAt == Moments.seconds("2026-03-10 08:00:00"))
        try expectRun(2)
    }

    /// An update that takes three starts, the last of them ten minutes before its job.
    func aTemplateIsUpdatedInSteps() throws {
        try machine.go(to: "2026-03-11 10:00:00")
        for seed in 31..<34 as Range<UInt64> {
            try machine.go(minutes: 6)
            try update(seed: seed)
        }
        let before = try used
        try machine.go(minutes: 9)
        try expectJobs()
        try machine.go(minutes: 2)
        try expectEnd(of: "deb", usedBefore: before)
    }

    /// A week on battery: the job waits, says why, and goes on; what else was asked waits as well,
    /// and a qube that is removed meanwhile is not looked for.
    func itRunsOnBattery() throws {
        try machine.go(to: "2026-03-15 23:00:00")
        try machine.setBattery(true)
        try images.change(
            MonthImages.own("work"), atOffset: 2 << 20, with: Content.text(mebibytes: 2, seed: 41),
            at: "2026-03-15 23:00:00")
        let weekly = expected.count
        try machine.go(to: "2026-03-16 06:00:00")
        let held = try machine.job(weekly) { $0.progress?.pacing?.reason == .battery }
        #expect(held.progress?.pacing?.state == .held && held.progress?.pacing?.heldAt != nil)
        #expect(try held.submittedAt == Moments.seconds("2026-03-16 00:00:00"))
        #expect(try machine.client("jobs").output.contains("held"))
        let asked = try machine.client("optimize", "old", "--no-wait", "--quiet")
        #expect(asked.status == 0)
        // Restored, and removed before its quiet time was over.
        try machine.tell(
            "domain-volume-import-end", "old",
            fields: [("volume", "private"), ("success", "True")])
        try machine.go(minutes: 5)
        qubes.removeAll { $0.name == "old" }
        qubesd.change { $0.qubes["old"] = nil }
        try writeInventory()
        try images.remove(qube: "old")
        try machine.tell("domain-delete", fields: [("vm", "old")])
        let before = try used
        try machine.go(to: "2026-03-21 18:00:00")
        #expect(try machine.jobs().dropFirst(weekly).map(\.state) == [.running, .queued])
        #expect(machine.run?.isActive == true)
        try machine.setBattery(false)
        _ = try machine.job(weekly + 1) { $0.isOver }
        expected.append(("dom0", .done))
        let gone = try expectEnd(of: "old", .failed, usedBefore: before)
        #expect(try gone.startedAt == Moments.seconds("2026-03-21 18:00:00"))
        #expect(gone.error?.contains("no such qube") == true, "\(gone)")
        try expectRun(3)
    }

    /// A backup holds the lock when the run begins, and qubesd tells how far another is.
    func aBackupIsUnderWay() throws {
        try machine.go(to: "2026-03-22 22:00:00")
        let backup = try ProgramBeside(
            ["flock", "--no-fork", "--shared", machine.lock, "sleep", "infinity"])
        var isOver = false
        defer { if !isOver { backup.signal(SIGKILL) } }
        _ = try machine.wait("the lock is held") {
            try Command.run(["flock", "--nonblock", machine.lock, "true"]).status == 1 ? true : nil
        }
        try images.change(
            MonthImages.own("work"), atOffset: 4 << 20, with: Content.text(mebibytes: 2, seed: 51),
            at: "2026-03-22 22:00:00")
        let before = try used
        let weekly = expected.count
        for percent in ["10.00", "55.50", "100.00"] {
            try machine.tell(
                "backup-progress", fields: [("backup_profile", "all"), ("progress", percent)])
            try machine.go(minutes: 120)
        }
        let held = try machine.job(weekly) { $0.progress?.pacing?.reason == .operation }
        #expect(held.progress?.pacing?.advice == "lock of sleep")
        try machine.go(to: "2026-03-23 09:00:00")
        #expect(try machine.jobs().last?.state == .running)
        backup.signal(SIGKILL)
        _ = backup.wait()
        isOver = true
        try expectEnd(of: "dom0", usedBefore: before)
        try expectRun(4)
    }

    /// The file system has become read-only: the job fails, and so does its unit.
    func aRunFails() throws {
        try machine.go(to: "2026-03-29 22:00:00")
        // Enough for the next run to be met at work: the same again and again, but in no block.
        let text = Content.text(mebibytes: 16, seed: 61)
        try images.make(
            MonthImages.own("work"),
            (0..<6).map { 1001 * $0 }.reduce(into: Data()) {
                $0 += text.dropFirst($1) + text.prefix($1)
            })
        try writeInventory(level: 9)
        let before = try used
        let path = machine.fileSystem.path
        try Command.check("mount", "-o", "remount,ro", path)
        try machine.go(to: "2026-03-30 08:00:00")
        let record = try machine.job(expected.count) { $0.isOver }
        #expect(record.error?.contains("read-only") == true, "\(record)")
        try expectRun(5, failed: true)
        try Command.check("mount", "-o", "remount,rw", path)
        try expectEnd(of: "dom0", .failed, usedBefore: before)
    }

    /// It is started again by hand, and the machine switched off in the middle: it goes on at the
    /// next start, and at the one after that nothing does.
    func itIsShutDownInMidJob() throws {
        let before = try used
        let index = expected.count
        try machine.startWeekly()
        _ = try machine.job(index) { $0.progress?.isHalfWay == true }
        try machine.shutDown()
        #expect(try images.changed() == [])
        try machine.go(to: "2026-03-30 18:00:00")
        try machine.boot()
        #expect(machine.daemonHasStarted)
        expected.append(("dom0", .interrupted))
        let again = try expectEnd(of: "dom0", usedBefore: before)
        #expect(try again.continues == machine.jobs()[index].job)
        #expect(again.submittedAt == machine.clock.now)
        for hours in [2, 3] as [Int64] {
            try machine.shutDown()
            try machine.go(minutes: hours * 60)
            try machine.boot()
            try machine.go(minutes: 60)
            try expectJobs()
        }
    }

    /// One that is interrupted again after it has gone on does not come back once more.
    func itIsShutDownTwice() throws {
        try machine.setBattery(true)
        let asked = try machine.client("optimize", "work", "--no-wait", "--quiet")
        #expect(asked.status == 0)
        for _ in 0..<2 {
            _ = try machine.job(expected.count) { $0.progress?.pacing?.reason == .battery }
            expected.append(("work", .interrupted))
            try machine.shutDown()
            try machine.go(minutes: 60)
            try machine.boot()
        }
        try machine.setBattery(false)
        try machine.go(minutes: 60)
        try expectJobs()
    }
}
