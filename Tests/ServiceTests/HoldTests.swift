// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Qubes
import SystemCalls
import SystemPackage
import TestSupport
import Testing

@testable import Service

/// Jobs on a qube hold while somebody is at work inside of it.
@Suite struct HoldTests {
    private func fixture(
        _ change: (inout Bounds) -> Void = { _ in }
    ) throws -> ServiceFixture {
        var bounds = Bounds()
        change(&bounds)
        return try ServiceFixture(
            worker: ObedientWorker.script(onPause: "say paused"), bounds: bounds
        ) { settings in
            var progress = JobProgress(
                stage: .execute, doneBytes: 50, totalBytes: 100, savedBytes: 7, elapsedSeconds: 1)
            progress.pacing = Pacing(state: .held, reason: .pause, qube: "vault")
            try ServiceFixture.message("paused", .progress(progress), settings)
        }
    }

    /// The job as dom0 sees it, once that is so.
    @discardableResult
    private func wait(
        _ fixture: ServiceFixture, _ job: String, until isSo: (JobRecord) -> Bool
    ) throws -> JobRecord {
        let deadline = ContinuousClock.now + .seconds(ServiceFixture.patienceSeconds)
        while true {
            let list = try fixture.reply(JobList.self, .jobList, on: .name("dom0"))
            let record = try #require(list.jobs.first { $0.job == job })
            if isSo(record) { return record }
            try #require(ContinuousClock.now < deadline, "\(record)")
        }
    }

    private func isHeld(_ record: JobRecord) -> Bool { record.progress?.pacing?.reason == .trim }

    /// Waits until the call's end is in the log.
    private func waitForEnd(_ fixture: ServiceFixture) throws -> [String] {
        let deadline = ContinuousClock.now + .seconds(ServiceFixture.patienceSeconds)
        while true {
            let lines = try fixture.auditLines().filter { $0.contains("service=btrfs.job.Hold ") }
            if lines.contains(where: { $0.hasPrefix("event=call-end") }) { return lines }
            try #require(ContinuousClock.now < deadline, "\(lines)")
        }
    }

    @Test(arguments: ["work", "dom0"])
    func aJobAtWorkHoldsSaysSoAndGoesOnWhenTheCallerHasGone(target: String) throws {
        let fixture = try fixture()
        let job = try fixture.begin(on: .name(target))
        let hold = try HoldCall(fixture, from: "admin")
        let record = try wait(fixture, job, until: isHeld)
        #expect(record.state == .running)
        // Ours, not what the worker said.
        #expect(record.progress?.pacing?.qube == "work")
        #expect(fixture.words == ["pause"])
        hold.leave()
        #expect(try fixture.end(of: job).state == .done)
        #expect(fixture.words == ["pause", "resume"])
        let lines = try waitForEnd(fixture)
        #expect(lines.count == 2)
        #expect(lines[0].hasPrefix("event=request caller=admin"))
        #expect(lines[0].contains("target=work") && lines[0].contains("outcome=accepted"))
        #expect(lines[1].contains("outcome=done") && lines[1].contains("detail=- "))
    }

    @Test func aJobThatBeginsMeanwhileHoldsFromItsBeginning() throws {
        let fixture = try fixture()
        let hold = try HoldCall(fixture)
        let job = try fixture.submit()
        #expect(try wait(fixture, job, until: isHeld).state == .running)
        hold.leave()
        #expect(try fixture.end(of: job).state == .done)
        #expect(fixture.words == ["pause", "resume"])
    }

    @Test func aJobOnAnotherQubeDoesNotHold() throws {
        let fixture = try fixture()
        let hold = try HoldCall(fixture)
        let job = try fixture.begin(on: .name("deb"))
        _ = try fixture.change(.jobPause, job)
        while fixture.words.isEmpty { _ = try fixture.isAlive() }
        _ = try fixture.change(.jobResume, job)
        // Held, it would not go on.
        #expect(try fixture.end(of: job).state == .done)
        hold.leave()
    }

    @Test func aJobThatIsHeldLetsOthersBy() throws {
        let fixture = try fixture()
        let hold = try HoldCall(fixture)
        let first = try fixture.submit()
        try wait(fixture, first, until: isHeld)
        let second = try fixture.begin(on: .name("deb"))
        _ = try fixture.change(.jobCancel, second)
        #expect(try fixture.end(of: second).state == .cancelled)
        #expect(isHeld(try wait(fixture, first) { _ in true }))
        hold.leave()
        #expect(try fixture.end(of: first).state == .done)
    }

    @Test func aCancelWorksAtOnceWhileAJobIsHeld() throws {
        let fixture = try fixture()
        let job = try fixture.begin()
        let hold = try HoldCall(fixture)
        try wait(fixture, job, until: isHeld)
        _ = try fixture.change(.jobCancel, job)
        #expect(try fixture.end(of: job).state == .cancelled)
        #expect(fixture.words == ["pause", "cancel"])
        hold.leave()
    }

    @Test func whatSomebodyHasPausedBeforeStaysPaused() throws {
        let fixture = try fixture()
        let job = try fixture.begin()
        _ = try fixture.change(.jobPause, job)
        while fixture.words.isEmpty { _ = try fixture.isAlive() }
        let hold = try HoldCall(fixture)
        let record = try wait(fixture, job) { $0.progress?.pacing != nil }
        #expect(record.state == .paused && record.progress?.pacing?.reason == .pause)
        hold.leave()
        _ = try waitForEnd(fixture)
        #expect(try wait(fixture, job) { _ in true }.state == .paused)
        #expect(try fixture.change(.jobResume, job).state == .running)
        #expect(try fixture.end(of: job).state == .done)
        #expect(fixture.words == ["pause", "resume"])
    }

    @Test func whatSomebodyPausesMeanwhileStaysPausedAndAResumeMeanwhileIsNoEndOfTheHold() throws {
        let fixture = try fixture()
        let job = try fixture.begin()
        let first = try HoldCall(fixture)
        try wait(fixture, job, until: isHeld)
        _ = try fixture.change(.jobPause, job)
        first.leave()
        _ = try waitForEnd(fixture)
        #expect(try wait(fixture, job) { _ in true }.state == .paused)
        let second = try HoldCall(fixture)
        #expect(try fixture.change(.jobResume, job).state == .running)
        // Its worker holds as before: it was told nothing, and can so be told to end alone.
        _ = try fixture.change(.jobCancel, job)
        #expect(try fixture.end(of: job).state == .cancelled)
        #expect(fixture.words == ["pause", "cancel"])
        second.leave()
    }

    @Test func aHoldEndsByItselfAndTheJobGoesOnThoughTheCallerStays() throws {
        let fixture = try fixture {
            $0.holdSeconds = 2
            $0.beatSeconds = 0.01
        }
        let job = try fixture.begin()
        let hold = try HoldCall(fixture)
        #expect(try fixture.end(of: job).state == .done)
        let end = try ServiceFixture.object(JobHoldEnd.self, hold.last())
        #expect(end.heldSeconds >= 2)
        #expect(try waitForEnd(fixture).last?.contains("ended by the service") == true)
        #expect(fixture.words == ["pause", "resume"])
    }

    @Test func oneWhoTakesNothingHoldsNobodyForLong() throws {
        let fixture = try fixture {
            $0.writeSeconds = 1
            $0.beatSeconds = 0
        }
        let job = try fixture.begin()
        let hold = try HoldCall(fixture)
        // Its socket is full, and stays so.
        #expect(try fixture.end(of: job).state == .done)
        withExtendedLifetime(hold) {}
    }

    @Test func aCallerHasAFewAtOnceAndTakesNoneOfAnother() throws {
        let fixture = try fixture { $0.holdsPerCaller = 2 }
        let first = try HoldCall(fixture, from: "admin")
        let second = try HoldCall(fixture, from: "admin", on: .name("deb"))
        let refusal = try #require(try fixture.exception(.jobHold, from: "admin"))
        #expect(refusal.kind == .busy && refusal.message.hasPrefix("2 qubes are held by this"))
        let others = try HoldCall(fixture, from: "other", on: .name("other"))
        first.leave()
        _ = try waitForEnd(fixture)
        let third = try HoldCall(fixture, from: "admin")
        for hold in [second, third, others] { hold.leave() }
    }

    @Test func theMachineAndAVolumeAreNothingToHold() throws {
        let fixture = try fixture()
        for (argument, target) in [("", "dom0"), ("private", "work"), ("", "uuid:x")] {
            let refusal = try fixture.exception(.jobHold, argument, on: .name(target))
            #expect(refusal?.kind == .badRequest, "\(target)")
        }
        // By its UUID it is the same qube.
        let job = try fixture.submit()
        let hold = try HoldCall(fixture, on: .name("uuid:" + ServiceFixture.uuid(3)))
        try wait(fixture, job, until: isHeld)
        hold.leave()
        #expect(try fixture.end(of: job).state == .done)
    }

    @Test func aHoldEndsWithTheRightToItAndNotWhileNobodyCanTell() throws {
        let fixture = try fixture {
            $0.standingSeconds = 0.01
            $0.beatSeconds = 0.01
        }
        let hold = try HoldCall(fixture, from: "admin")
        fixture.qubesd?.change { $0.behaviour = .hangsUp }
        for _ in 0..<20 { try hold.waitForBeat() }
        fixture.qubesd?.change {
            $0.behaviour = .answers
            $0.visible["admin"] = ["admin"]
        }
        #expect(try hold.last() == .exception(Refusal.noSuchQube.exception))
        #expect(try waitForEnd(fixture).last?.contains("outcome=QubesVMNotFoundError") == true)
        let job = try fixture.begin()
        _ = try fixture.change(.jobPause, job)
        while fixture.words.isEmpty { _ = try fixture.isAlive() }
        _ = try fixture.change(.jobResume, job)
        #expect(try fixture.end(of: job).state == .done)
    }

    @Test func theQubeIsNamedToWhoSeesIt() {
        var progress = JobProgress(
            stage: .execute, doneBytes: 0, totalBytes: 0, savedBytes: 0, elapsedSeconds: 0)
        progress.pacing = Pacing(state: .held, reason: .trim, qube: "vault")
        var record = JobRecord(
            job: "j", operation: .compress, caller: "admin", target: "dom0", argument: "",
            submittedAt: 1)
        record.progress = progress
        func reader(_ visible: Set<String>) -> Reader {
            Reader(
                Target(
                    caller: Caller(name: "admin", visibility: .qubes(visible)),
                    inventory: .init(pools: [], qubes: []), qube: nil, systemDirectories: []))
        }
        #expect(reader(["vault"]).visible(progress) == progress)
        let hidden = reader(["work"])
        #expect(hidden.visible(progress).pacing == Pacing(state: .held, reason: .trim))
        #expect(hidden.visible(record).progress?.pacing?.qube == nil)
        #expect(hidden.visible(JobList(jobs: [record])).jobs[0].progress?.pacing?.qube == nil)
    }
}
