// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Worker

@Suite struct DeviceWatchTests {
    @Test func aDeviceThatAnswersNothingForFiveSecondsIsSilent() {
        var watch = DeviceWatch()
        func look(_ inFlight: UInt64, _ completed: UInt64, at seconds: Double) -> Standstill? {
            watch.look(
                ["sda": DeviceState(inFlight: inFlight, completed: completed)],
                nowSeconds: seconds)
        }
        #expect(look(3, 10, at: 0) == nil)
        #expect(look(3, 10, at: 4.9) == nil)
        #expect(look(3, 10, at: 5) == .silent(device: "sda"))
        // One answer, and it is given time again.
        #expect(look(2, 11, at: 6) == nil)
        #expect(look(2, 11, at: 10.9) == nil)
        #expect(look(2, 11, at: 11) == .silent(device: "sda"))
        // Whoever has nothing to answer is not silent.
        #expect(look(0, 11, at: 12) == nil)
        #expect(look(0, 11, at: 60) == nil)
    }

    @Test func oneDeviceOfManyIsEnough() {
        var watch = DeviceWatch()
        for seconds in [0.0, 5] {
            let found = watch.look(
                [
                    "sda": DeviceState(inFlight: 1, completed: UInt64(seconds)),
                    "sdb": DeviceState(inFlight: 1, completed: 7),
                ], nowSeconds: seconds)
            #expect(found == (seconds == 0 ? nil : .silent(device: "sdb")))
        }
        let suspended = watch.look(["dm-0": DeviceState(isSuspended: true)], nowSeconds: 6)
        #expect(suspended == .suspended(device: "dm-0"))
    }

    @Test func whatTheKernelCountsIsRead() {
        let text =
            "  100  2  3  4  200  6  7  8  5  10  11  30  13  14  15  40  17\n"
        #expect(DeviceState(text) == DeviceState(inFlight: 5, completed: 370))
        // Before 4.19 and 5.5 there were fewer.
        #expect(
            DeviceState("100 2 3 4 200 6 7 8 5 10 11")
                == DeviceState(inFlight: 5, completed: 300))
        #expect(DeviceState("1 2 3") == nil)
        #expect(DeviceState("") == nil)
    }

    @Test func devicesAreFoundBelowTheirFileSystem() throws {
        let folder = try KernelFolder([
            "id/devices/dm-1/stat": "1 0 0 0 2 0 0 0 3 0 0",
            "id/devices/dm-1/dm/suspended": "1\n",
            "id/devices/sdb3/stat": "1 0 0 0 2 0 0 0 0 0 0",
        ])
        let states = DeviceState.all(ofFileSystem: "id", in: folder.path)
        #expect(
            states == [
                "dm-1": DeviceState(isSuspended: true, inFlight: 3, completed: 3),
                "sdb3": DeviceState(inFlight: 0, completed: 3),
            ])
        #expect(DeviceState.all(ofFileSystem: "other", in: folder.path).isEmpty)
    }
}

@Suite struct StandstillPaceTests {
    @Test func itGoesBeforeEveryOtherReason() {
        let all = Surroundings(
            isPaused: true, isOnBattery: true, spaceAdvice: "full", operation: "balance",
            standstill: .frozen, othersWaitShare: 1)
        let pace = Pace.decide(all, after: .full)
        #expect(pace.state == .held && pace.reason == .standstill && pace.workShare == 0)
        #expect(all.advice(pace.reason) == "its file system is frozen")
    }

    @Test func nothingIsAskedOfAFileSystemThatStandsStill() throws {
        let reports = Monitor<[Pacing]>([])
        let governor = Governor(sensors: .none, mayUseBattery: false, clock: .system) { pacing in
            reports.withLock { $0.append(pacing) }
        }
        let asked = Monitor(0)
        governor.guardSpace({
            asked.withLock { $0 += 1 }
            return nil
        })
        try governor.start()
        governor.stands(.frozen)
        let pacing = try #require(reports.wait(timeoutSeconds: 60) { $0.last })
        #expect(pacing.reason == .standstill && pacing.advice == "its file system is frozen")
        // A look that was under way has asked already.
        Pause.milliseconds(500)
        let before = asked.withLock { $0 }
        Pause.milliseconds(1000)
        #expect(asked.withLock { $0 } == before)
        governor.stands(nil)
        governor.hold()
        #expect(reports.wait(timeoutSeconds: 60) { $0.last?.state == .full ? true : nil } == true)
        governor.stop()
    }
}
