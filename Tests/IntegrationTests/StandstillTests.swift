// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import SystemCalls
import SystemPackage
import Testing

/// Jobs and checks on a file system that lets nobody write, or whose device does not answer.
@Suite(
    "Where the file system stands still", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct StandstillTests {
    private let volumes = [WorkerRun.volume("work")]
    private static let revision = "@2026-01-02T03:04:05Z"
    /// Packed with all effort, it lasts long enough to be met.
    private let slow = WorkerOrder.Work.compress(level: 9, running: false)

    private func populate(_ fileSystem: LoopFileSystem) throws {
        for number in 0..<24 {
            try Files.write(
                Content.text(mebibytes: 4, seed: UInt64(1 + number)),
                to: fileSystem.image("appvms/work/private.img.\(number)\(Self.revision)"))
        }
        try fileSystem.synchronize()
    }

    private func populated() throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 1024)
        try populate(fileSystem)
        return fileSystem
    }

    private func session(_ fileSystem: LoopFileSystem) throws -> WorkerSession {
        try WorkerSession(WorkerRun.order(slow, volumes, on: fileSystem))
    }

    private func standsStill(_ progress: JobProgress) -> Bool {
        progress.pacing?.reason == .standstill
    }

    @Test("Frozen in mid-job it says so within seconds, and after the thaw does all of it")
    func thawed() throws {
        let fileSystem = try populated()
        let inventory = try fileSystem.inventory()
        let session = try session(fileSystem)
        try #require(try session.progress(until: \.isHalfWay) != nil)
        let freeze = try Freeze(fileSystem)
        let began = ContinuousClock.now
        let pacing = try #require(try session.progress(until: standsStill)?.pacing)
        #expect(ContinuousClock.now - began < .seconds(10))
        #expect(pacing.state == .held && pacing.heldAt != nil)
        #expect(pacing.advice == "its file system is frozen")
        try freeze.thaw()
        #expect(try session.progress { !standsStill($0) } != nil)
        guard case .result(let result)? = try session.last() else {
            Issue.record("\(String(describing: session.messages.last))")
            return
        }
        #expect(result.extentsReplaced == result.extentsSeen && result.savedBytes > 0)
        #expect(try fileSystem.inventory() == inventory)
    }

    @Test("Cancelled while it is frozen it ends in order with the thaw, nothing half moved")
    func cancelled() throws {
        let fileSystem = try populated()
        let inventory = try fileSystem.inventory()
        let before = try fileSystem.dataUsedBytes()
        let session = try session(fileSystem)
        try #require(try session.progress(until: \.isHalfWay) != nil)
        let freeze = try Freeze(fileSystem)
        _ = try #require(try session.progress(until: standsStill))
        session.say(.cancel)
        // It goes on saying why it does not end.
        _ = try #require(try session.progress(until: standsStill))
        try freeze.thaw()
        guard case .cancelled(let result)? = try session.last() else {
            Issue.record("\(String(describing: session.messages.last))")
            return
        }
        #expect(result.extentsReplaced > 0)
        let after = try fileSystem.dataUsedBytes()
        #expect(Int64(before) - Int64(after) == result.measuredDataBytes)
        #expect(try fileSystem.inventory() == inventory)
    }

    @Test("Frozen before it begins, a job waits, and may be cancelled at once")
    func frozenBefore() throws {
        let fileSystem = try populated()
        let freeze = try Freeze(fileSystem)
        let ended = try session(fileSystem)
        _ = try #require(try ended.progress(until: standsStill))
        ended.say(.cancel)
        guard case .cancelled(let result)? = try ended.last() else {
            Issue.record("\(String(describing: ended.messages.last))")
            return
        }
        #expect(result.extentsReplaced == 0)
        let waiting = try session(fileSystem)
        _ = try #require(try waiting.progress(until: standsStill))
        // What is said before it begins counts as well.
        waiting.say(.pause, .resume)
        try freeze.thaw()
        guard case .result(let result)? = try waiting.last() else {
            Issue.record("\(String(describing: waiting.messages.last))")
            return
        }
        #expect(result.extentsReplaced > 0)
    }

    private func standstill(_ fileSystem: LoopFileSystem) throws -> CheckReport.Finding? {
        let last = try WorkerRun.messages(WorkerRun.order(.check, volumes, on: fileSystem)).last
        guard case .check(let check)? = last else {
            Issue.record("\(String(describing: last))")
            return nil
        }
        return check.findings.first { $0.topic == "mount.standstill" }
    }

    @Test("A check says that it is frozen, however often it is asked; a report reads on")
    func check() throws {
        let fileSystem = try populated()
        #expect(try standstill(fileSystem) == nil)
        let expected = try WorkerRun.report(volumes, on: fileSystem).total
        let freeze = try Freeze(fileSystem)
        for _ in 0..<3 {
            let finding = try #require(try standstill(fileSystem))
            #expect(finding.level == .problem)
            #expect(finding.message == "it stands still: its file system is frozen")
            #expect(finding.command?.hasPrefix("fsfreeze --unfreeze \(fileSystem.path) ") == true)
        }
        #expect(try WorkerRun.report(volumes, on: fileSystem).total == expected)
        try freeze.thaw()
        #expect(try standstill(fileSystem) == nil)
    }

    @Test("Of all who look one process waits for the thaw, and it ends with that")
    func oneWaits() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 128)
        let folder = try Descriptor.open(FilePath(fileSystem.path), [.readOnly, .directory])
        let name = "qubes-btrfs-test-\(UUID().uuidString)"
        let freeze = try Freeze(fileSystem)
        guard var probe = try WriteProbe.start(in: folder, name: name) else {
            Issue.record("nobody waits yet")
            return
        }
        usleep(500_000)
        let isEarly = probe.hasEnded()
        #expect(!isEarly)
        for _ in 0..<20 {
            let isFirst = try WriteProbe.start(in: folder, name: name) != nil
            #expect(!isFirst)
        }
        try freeze.thaw()
        let end = ContinuousClock.now + .seconds(60)
        while !probe.hasEnded() { try #require(ContinuousClock.now < end) }
        let isFree = try WriteProbe.start(in: folder, name: name) != nil
        #expect(isFree)
    }

    @Test("A check of one that has become read-only says that, and not that it failed")
    func readOnly() throws {
        let fileSystem = try populated()
        try Command.check("mount", "-o", "remount,ro", fileSystem.path)
        let last = try WorkerRun.messages(WorkerRun.order(.check, volumes, on: fileSystem)).last
        guard case .check(let check)? = last else {
            Issue.record("\(String(describing: last))")
            return
        }
        #expect(check.findings.contains { $0.topic == "mount.read-only" && $0.level == .problem })
    }

    @Test("A device that answers nothing is said to within seconds, and the job goes on after it")
    func silent() throws {
        let device = try FaultDevice(mebibytes: 1024)
        let fileSystem = try LoopFileSystem(on: [device])
        try populate(fileSystem)
        let inventory = try fileSystem.inventory()
        let session = try session(fileSystem)
        try #require(try session.progress(until: \.isHalfWay) != nil)
        device.set { $0.hangs = true }
        let pacing = try #require(try session.progress(until: standsStill)?.pacing)
        #expect(pacing.advice == "its device does not answer")
        let finding = try standstill(fileSystem)
        #expect(finding?.message == "it stands still: its device does not answer")
        device.mend()
        guard case .result(let result)? = try session.last() else {
            Issue.record("\(String(describing: session.messages.last))")
            return
        }
        #expect(result.extentsReplaced == result.extentsSeen)
        #expect(try fileSystem.inventory() == inventory)
    }
}
