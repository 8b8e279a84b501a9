// SPDX-License-Identifier: GPL-2.0-or-later
import Glibc
import Protocol
import Testing

@testable import Service

/// Jobs that are given a time.
@Suite struct TimeLimitTests {
    @Test func theTimeOfAJobIsItsWorkers() throws {
        let fixture = try ServiceFixture()
        _ = try fixture.end(of: try fixture.submit())
        #expect(try fixture.order().forSeconds == nil)
        let payload = #"{"version":1,"forSeconds":7200}"#
        _ = try fixture.end(of: try fixture.submit(payload: payload))
        #expect(try fixture.order().forSeconds == 7200)
        #expect(try fixture.auditLines().contains { $0.contains("for 7200 s") })
    }

    @Test func whatAJobHasWaitedIsTakenOffWhereAMomentWasMeant() throws {
        let asked = ContinuousClock.now
        func left(_ time: TimeLimit?, after waited: Duration) -> Int? {
            let request = JobRequest(
                operation: .dedupe, work: .dedupe(running: false), caller: "dom0",
                target: .machine, uuid: nil, argument: .whole, excluded: [], onBattery: false,
                risksReadOnly: false, time: time, askedAt: asked)
            return request.secondsLeft(at: asked + waited)
        }
        #expect(left(nil, after: .seconds(5)) == nil)
        #expect(left(TimeLimit(forSeconds: 60), after: .seconds(3600)) == 60)
        let moment = TimeLimit(forSeconds: 60, waitCounts: true)
        #expect(left(moment, after: .zero) == 60)
        #expect(left(moment, after: .milliseconds(40_900)) == 20)
        #expect(left(moment, after: .seconds(3600)) == -3540)
    }

    @Test func aJobWhoseMomentHasPassedBeforeItsTurnIsNotBegun() throws {
        let fixture = try ServiceFixture(
            worker: "say progress; \(ServiceFixture.waitForGate); say result")
        let first = try fixture.submit()
        try fixture.waitForProgress(of: first)
        let payload = #"{"version":1,"forSeconds":1,"waitCounts":true}"#
        let second = try fixture.submit(payload: payload)
        // Its time is over a second later, whenever that is.
        let asked = ContinuousClock.now
        while ContinuousClock.now - asked < .milliseconds(1100) { usleep(20_000) }
        try fixture.openGate()
        #expect(try fixture.end(of: first).state == .done)
        let late = try fixture.end(of: second)
        #expect(late.state == .cancelled && late.result == nil)
        #expect(late.error?.contains("before its turn") == true)
    }
}
