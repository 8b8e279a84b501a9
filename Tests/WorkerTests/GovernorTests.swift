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
        reports: Reports = Reports()
    ) throws -> Governor {
        let governor = Governor(sensors: sensors, mayUseBattery: mayUseBattery) {
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
}
