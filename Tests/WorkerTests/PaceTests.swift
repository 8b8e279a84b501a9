// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Worker

@Suite struct PaceTests {
    private func decide(
        waiting share: Double?, after last: Pace = .full, paused: Bool = false,
        battery: Bool = false, advice: String? = nil, operation: String? = nil
    ) -> Pace {
        Pace.decide(
            Surroundings(
                isPaused: paused, isOnBattery: battery, spaceAdvice: advice,
                operation: operation, othersWaitShare: share), after: last)
    }

    @Test func aJobThatIsAloneWorksAtFullSpeed() {
        #expect(decide(waiting: 0) == .full)
        #expect(decide(waiting: 0.0999) == .full)
        #expect(decide(waiting: nil) == .full)
    }

    @Test func theMoreOthersWaitTheLessItWorks() {
        let shares = stride(from: 0.10, through: 0.50, by: 0.05).map {
            decide(waiting: $0).workShare
        }
        #expect(shares.first == 0.5)
        #expect(shares.last == Pace.leastShare)
        #expect(zip(shares, shares.dropFirst()).allSatisfy { $0 > $1 })
    }

    @Test func whereOthersNeedTheDiskItIsHeldButEndsSomeDay() {
        let pace = decide(waiting: 1)
        #expect(pace.state == .held)
        #expect(pace.reason == .disk)
        #expect(pace.workShare == 1.0 / 32)
        #expect(decide(waiting: Pace.heldAbove) == pace)
    }

    @Test func itDoesNotSwingToAndFroAtOneLimit() {
        let slowed = decide(waiting: 0.11)
        #expect(slowed.state == .slowed)
        #expect(decide(waiting: 0.09, after: slowed).state == .slowed)
        #expect(decide(waiting: 0.06, after: slowed).state == .slowed)
        #expect(decide(waiting: 0.049, after: slowed) == .full)
        #expect(decide(waiting: 0.09) == .full)
    }

    @Test func aPauseGoesBeforeSpaceBeforeBatteryBeforeTheDisk() {
        #expect(
            decide(waiting: 1, paused: true, battery: true, advice: "full").reason == .pause)
        #expect(decide(waiting: 1, battery: true, advice: "full").reason == .space)
        #expect(decide(waiting: 1, battery: true, operation: "balance").reason == .operation)
        #expect(decide(waiting: 1, battery: true, advice: "full", operation: "x").reason == .space)
        #expect(decide(waiting: 1, battery: true).reason == .battery)
        for pace in [
            decide(waiting: 0, paused: true), decide(waiting: 0, battery: true),
            decide(waiting: 0, advice: "full"), decide(waiting: 0, operation: "resize"),
        ] {
            #expect(pace.state == .held)
            #expect(pace.workShare == 0)
        }
    }

    @Test func aSlotOfWorkIsFollowedByTheTimeThatTheShareLeaves() {
        for (share, closed) in [(0.5, 0.25), (0.25, 0.75), (1.0 / 32, 7.75)] {
            var slots = WorkSlots()
            let pace = Pace(state: .slowed, reason: .disk, workShare: share)
            let open = (0..<6400).map { slots.update(pace, nowSeconds: Double($0) / 100) }
            let part = Double(open.count { $0 }) / Double(open.count)
            #expect(abs(part - share) < share / 10, "\(share)")
            let longest = open.split(separator: true).map(\.count).max() ?? 0
            #expect(abs(Double(longest) / 100 - closed) < 0.02)
        }
    }

    @Test func aHeldJobHasNoSlotAndAFreeOneNoPause() {
        var slots = WorkSlots()
        let held = Pace(state: .held, reason: .pause, workShare: 0)
        #expect((0..<100).allSatisfy { !slots.update(held, nowSeconds: Double($0)) })
        #expect((0..<100).allSatisfy { slots.update(.full, nowSeconds: 100 + Double($0) / 10) })
    }

    @Test func waitingIsMeasuredOverTheLastSecond() {
        var meter = WaitMeter()
        #expect(meter.add(100, nowSeconds: 0) == 0)
        #expect(meter.add(100.125, nowSeconds: 0.25) == 0.5)
        #expect(meter.add(100.25, nowSeconds: 1.25) == 0.125)
        #expect(meter.add(103, nowSeconds: 2) == 1)
        // A group that goes takes its waiting with it.
        #expect(meter.add(50, nowSeconds: 2.25) == 0)
    }
}
