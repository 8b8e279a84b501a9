// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Engine
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Worker

/// What a governor has reported.
private final class Reports: Sendable {
    private let all = Monitor<[Pacing]>([])

    func add(_ pacing: Pacing) { all.withLock { $0.append(pacing) } }

    /// Waits for one that fits.
    func wait(until fits: (Pacing) -> Bool) throws -> Pacing {
        try #require(all.wait(timeoutSeconds: 60) { $0.last { fits($0) } })
    }
}

@Suite struct GovernorTests {
    private func governor(
        _ sensors: Governor.Sensors = .none, mayUseBattery: Bool = false,
        reports: Reports = Reports(), deadline: Deadline? = nil
    ) throws -> Governor {
        let governor = Governor(
            sensors: sensors, mayUseBattery: mayUseBattery, deadline: deadline,
            clock: .system
        ) {
            reports.add($0)
        }
        try governor.start()
        return governor
    }

    @Test func aPauseHoldsAndAResumeLetsGo() throws {
        let reports = Reports()
        let governor = try governor(reports: reports)
        try governor.checkpoint()
        governor.obey(.pause)
        #expect(try reports.wait { $0.state == .held }.reason == .pause)
        let passed = Monitor(false)
        try WorkThread.start {
            governor.hold()
            passed.withLock { $0 = true }
        }
        #expect(passed.wait(timeoutSeconds: 0.5) { $0 ? true : nil } == nil)
        governor.obey(.resume)
        #expect(passed.wait(timeoutSeconds: 60) { $0 ? true : nil } == true)
        #expect(try reports.wait { $0.state == .full }.reason == nil)
        governor.stop()
    }

    @Test func aCancellationWakesWhoeverHoldsAndEndsAllThatBegins() throws {
        let governor = try governor()
        governor.obey(.pause)
        let error = Monitor<BtrfsError?>(nil)
        try WorkThread.start {
            do throws(BtrfsError) { try governor.checkpoint() } catch let reason {
                error.withLock { $0 = reason }
            }
        }
        governor.obey(.cancel)
        #expect(error.wait(timeoutSeconds: 60) { $0 }?.isCancellation == true)
        #expect(governor.isCancelled)
        // What takes back must not be held, whoever wants what.
        governor.hold()
        governor.stop()
    }

    @Test func onBatteryAJobIsHeldUnlessItsOrderAllowsIt() throws {
        let isOnBattery = Monitor(true)
        let sensors = Governor.Sensors(
            othersWaitedSeconds: { nil }, isOnBattery: { isOnBattery.withLock { $0 } })
        let reports = Reports()
        let held = try governor(sensors, reports: reports)
        #expect(try reports.wait { $0.state == .held }.reason == .battery)
        isOnBattery.withLock { $0 = false }
        held.hold()
        held.stop()
        isOnBattery.withLock { $0 = true }
        let allowed = try governor(sensors, mayUseBattery: true)
        allowed.hold()
        allowed.stop()
    }

    @Test func whereThereIsNoSpaceAJobIsHeldAndSaysWhatToDo() throws {
        let reports = Reports()
        let governor = try governor(reports: reports)
        let isFull = Monitor(true)
        governor.guardSpace { isFull.withLock { $0 } ? "delete something" : nil }
        let pacing = try reports.wait { $0.reason == .space }
        #expect(pacing.advice == "delete something")
        isFull.withLock { $0 = false }
        governor.hold()
        #expect(try reports.wait { $0.state == .full }.advice == nil)
        governor.stop()
    }

    @Test func whileOthersNeedTheDiskLittleIsReadAheadAndInSmallSteps() throws {
        let started = ContinuousClock.now
        // Somebody waits all the time.
        let sensors = Governor.Sensors(
            othersWaitedSeconds: { (ContinuousClock.now - started).inSeconds },
            isOnBattery: { false })
        let reports = Reports()
        let governor = try governor(sensors, reports: reports)
        #expect(governor.readAheadBytes(64 << 20) == 64 << 20)
        let pacing = try reports.wait { $0.state == .held && $0.heldShare > 0 }
        #expect(pacing.reason == .disk)
        #expect((pacing.othersWaitShare ?? 0) > 0.9)
        #expect(governor.isHindered)
        #expect(governor.readAheadBytes(1 << 20) == 1 << 20)
        #expect(governor.readAheadBytes(64 << 20) == 1 << 20)
        #expect(governor.readAheadBytes(1) == 0)
        // It gets its turn all the same.
        governor.hold()
        governor.stop()
    }

    /// Waits until a job's thread would see it.
    private func wait(until condition: () -> Bool) throws {
        let start = ContinuousClock.now
        while !condition() {
            try #require(ContinuousClock.now - start < .seconds(60))
            Pause.milliseconds(10)
        }
    }

    private func error(_ body: () throws(BtrfsError) -> Void) -> BtrfsError? {
        do throws(BtrfsError) {
            try body()
            return nil
        } catch {
            return error
        }
    }

    @Test func whenTheTimeIsOverLookingEndsAndWhatIsBegunGoesOn() throws {
        let elapsed = Monitor(59.9)
        let governor = try governor(
            deadline: Deadline(forSeconds: 60) { elapsed.withLock { $0 } })
        #expect(!governor.isTimeOver)
        try governor.checkpoint()
        elapsed.withLock { $0 = 60 }
        try wait { governor.isTimeOver }
        #expect(error(governor.checkpoint)?.isCancellation == true)
        #expect(error(governor.checkpointOfBegun) == nil)
        #expect(!governor.isCancelled && !governor.wasCancelled)
        governor.stop()
    }

    @Test func aHeldJobWhoseTimeIsOverTakesBackWhatItHasBegun() throws {
        let elapsed = Monitor(0.0)
        let reports = Reports()
        let governor = try governor(
            reports: reports, deadline: Deadline(forSeconds: 60) { elapsed.withLock { $0 } })
        governor.obey(.pause)
        _ = try reports.wait { $0.reason == .pause }
        elapsed.withLock { $0 = 61 }
        // It does not wait for a word that may never come.
        governor.hold()
        #expect(governor.isTimeOver && governor.isCancelled)
        #expect(error(governor.checkpointOfBegun)?.isCancellation == true)
        #expect(!governor.wasCancelled, "nobody has said so")
        governor.obey(.cancel)
        #expect(governor.wasCancelled)
        governor.stop()
    }

    @Test func aJobThatGivesWayFinishesInItsTurns() throws {
        let started = ContinuousClock.now
        let sensors = Governor.Sensors(
            othersWaitedSeconds: { (ContinuousClock.now - started).inSeconds },
            isOnBattery: { false })
        let elapsed = Monitor(0.0)
        let reports = Reports()
        let governor = try governor(
            sensors, reports: reports,
            deadline: Deadline(forSeconds: 60) { elapsed.withLock { $0 } })
        _ = try reports.wait { $0.state == .held && $0.reason == .disk }
        elapsed.withLock { $0 = 60 }
        try wait { governor.isTimeOver }
        #expect(!governor.isCancelled && governor.isHindered)
        governor.stop()
    }

    @Test("It can be asked a hundred thousand times whether somebody starts, on a small stack")
    func manyAsk() {
        let governor = Governor(sensors: .none, mayUseBattery: true, clock: .system) { _ in }
        let asked = Monitor(0)
        governor.guardSpace({ nil }) { _ in
            true
        } isSomebodyStarting: {
            asked.withLock { $0 += 1 }
            return false
        }
        concurrently(count: 1, threads: 1, failure: Never.self) { _ in
            for _ in 0..<100_000 { governor.holdForStarts() }
        }
        #expect(asked.withLock { $0 } == 100_000)
    }
}
