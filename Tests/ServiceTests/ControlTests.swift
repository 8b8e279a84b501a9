// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Service

/// Cancel, pause and resume.
@Suite struct ControlTests {
    @Test func aCancelledJobEndsWithWhatItHadBrought() throws {
        let fixture = try ServiceFixture(worker: ObedientWorker.script())
        let job = try fixture.begin()
        #expect(try !fixture.change(.jobCancel, job).isOver)
        let record = try fixture.end(of: job)
        #expect(record.state == .cancelled)
        #expect(record.result?.savedBytes == 200)
        #expect(record.error == nil)
        #expect(fixture.words == ["cancel"])
        // On disk, too.
        try fixture.restart()
        #expect(try fixture.end(of: job) == record)
        let end = try fixture.auditLines().first { $0.hasPrefix("event=job-end") }
        #expect(end?.contains("outcome=cancelled saved_bytes=200") == true)
    }

    @Test func aPausedJobSaysSoUntilItIsResumed() throws {
        let fixture = try ServiceFixture(worker: ObedientWorker.script())
        let job = try fixture.begin()
        #expect(try fixture.change(.jobPause, job).state == .paused)
        #expect(try fixture.change(.jobPause, job).state == .paused)
        let list = try fixture.reply(JobList.self, .jobList, on: .name("dom0"))
        #expect(list.jobs.map(\.state) == [.paused])
        // The worker takes what was asked for last; let it have the pause first.
        while fixture.words.isEmpty { _ = try fixture.isAlive() }
        #expect(try fixture.change(.jobResume, job).state == .running)
        #expect(try fixture.end(of: job).state == .done)
        #expect(fixture.words == ["pause", "resume"])
    }

    @Test func aWatcherSeesThePauseAndTheResume() throws {
        let fixture = try ServiceFixture(worker: ObedientWorker.script())
        let job = try fixture.begin()
        let socket = try fixture.connect()
        try socket.send(ServiceFixture.bytes("btrfs.job.Watch", job, on: .name("dom0")))
        try socket.shutdownWriting()
        var reader = EnvelopeReader()
        func nextState() throws -> JobState? {
            while true {
                if case .event(_, "job-state", let fields)? = try reader.nextEvent() {
                    let json = Data(try #require(fields.first).value.utf8)
                    return try JSONDecoder().decode(JobRecord.self, from: json).state
                }
                let bytes = try socket.read(maximumBytes: 64 * 1024)
                try #require(!bytes.isEmpty)
                reader.append(bytes)
            }
        }
        #expect(try nextState() == .running)
        _ = try fixture.change(.jobPause, job)
        #expect(try nextState() == .paused)
        while fixture.words.isEmpty { _ = try fixture.isAlive() }
        _ = try fixture.change(.jobResume, job)
        #expect(try nextState() == .running)
        #expect(try nextState() == .done)
    }

    @Test func aJobThatWaitsIsCancelledAtOnceAndNeverStarts() throws {
        let fixture = try ServiceFixture(
            worker: "say progress; echo ran >> \"$cache/words\"; "
                + "\(ServiceFixture.waitForGate); say result")
        let first = try fixture.submit()
        try fixture.waitForProgress(of: first)
        let second = try fixture.submit()
        let third = try fixture.submit()
        let record = try fixture.change(.jobCancel, second)
        #expect(record.state == .cancelled)
        #expect(record.endedAt != nil && record.startedAt == nil)
        #expect(try fixture.end(of: second) == record)
        for job in [first, third] {
            try fixture.openGate()
            #expect(try fixture.end(of: job).state == .done)
        }
        #expect(fixture.words.count == 2)
        // It is over for the next daemon as well.
        try fixture.restart()
        #expect(try fixture.end(of: second).state == .cancelled)
    }

    @Test func aJobThatIsPausedInTheQueueLetsTheOthersBy() throws {
        let fixture = try ServiceFixture(
            worker: "say progress; \(ServiceFixture.waitForGate); say result")
        let first = try fixture.submit()
        try fixture.waitForProgress(of: first)
        let second = try fixture.submit()
        let third = try fixture.submit()
        #expect(try fixture.change(.jobPause, second).state == .paused)
        for job in [first, third] {
            try fixture.openGate()
            #expect(try fixture.end(of: job).state == .done)
        }
        #expect(try fixture.change(.jobResume, second).state == .queued)
        try fixture.openGate()
        #expect(try fixture.end(of: second).state == .done)
    }

    @Test func jobsThatArePausedInTheQueueCountAsWaiting() throws {
        var bounds = Bounds()
        bounds.queuedJobs = 1
        let fixture = try ServiceFixture(
            worker: "say progress; \(ServiceFixture.waitForGate); say result", bounds: bounds)
        let first = try fixture.submit()
        try fixture.waitForProgress(of: first)
        let second = try fixture.submit()
        _ = try fixture.change(.jobPause, second)
        #expect(try fixture.exception(.compress)?.kind == .busy)
        _ = try fixture.change(.jobCancel, second)
        let third = try fixture.submit()
        for job in [first, third] {
            try fixture.openGate()
            #expect(try fixture.end(of: job).state == .done)
        }
    }

    @Test func cancelledJobsOfTheQueueStayWithinTheBoundsOfHistory() throws {
        var bounds = Bounds()
        bounds.historyJobs = 2
        let fixture = try ServiceFixture(
            worker: "say progress; \(ServiceFixture.waitForGate); say result", bounds: bounds)
        let first = try fixture.submit()
        try fixture.waitForProgress(of: first)
        for _ in 0..<4 { _ = try fixture.change(.jobCancel, try fixture.submit()) }
        #expect(try fixture.history().count == 3)
        try fixture.openGate()
        #expect(try fixture.end(of: first).state == .done)
        #expect(try fixture.history().count == 2)
    }

    @Test(arguments: [ServiceName.jobCancel, .jobPause, .jobResume])
    func aJobThatIsOverCannotBeChanged(service: ServiceName) throws {
        let fixture = try ServiceFixture()
        let job = try fixture.submit()
        let before = try fixture.end(of: job)
        #expect(try fixture.exception(service, job, on: .name("dom0"))?.kind == .jobOver)
        #expect(try fixture.end(of: job) == before)
    }

    @Test(arguments: [ServiceName.jobCancel, .jobPause, .jobResume])
    func onlyWhoSeesAJobMayChangeIt(service: ServiceName) throws {
        let fixture = try ServiceFixture(
            worker: "say progress; \(ServiceFixture.waitForGate); say result")
        let vault = try fixture.submit(on: .name("vault"))
        try fixture.waitForProgress(of: vault)
        let machine = try fixture.submit(from: "other", on: .name("dom0"))
        for job in [vault, machine] {
            let exception = try fixture.exception(service, job, from: "admin", on: .name("dom0"))
            #expect(exception == Refusal.noSuchJob.exception)
        }
        let seen = try fixture.submit(on: .name("work"))
        // It sees this one; on the machine it is another's all the same.
        let others = try fixture.exception(service, seen, from: "admin", on: .name("dom0"))
        #expect(others == Refusal.othersJob.exception)
        _ = try fixture.change(.jobCancel, seen)
        // Whoever asked for a job on the machine may change it.
        #expect(try fixture.change(service, machine, from: "other").job == machine)
        let work = try fixture.submit(on: .name("work"))
        #expect(try fixture.change(service, work, from: "admin", on: "work").job == work)
        try fixture.openGate()
        #expect(try fixture.end(of: vault).state == .done)
    }

    @Test func aWorkerThatDoesNotEndIsEndedAndWhatItBroughtIsNotMadeUp() throws {
        var bounds = Bounds()
        bounds.cancelSeconds = 0.1
        let fixture = try ServiceFixture(
            worker: "say progress; \(ServiceFixture.waitForGate); say result", bounds: bounds)
        let job = try fixture.begin()
        _ = try fixture.change(.jobCancel, job)
        let record = try fixture.end(of: job)
        #expect(record.state == .cancelled)
        #expect(record.result == nil)
        #expect(record.error?.contains("measured") == true)
    }

    @Test func aWorkerThatNeverReadsHoldsNobodyHoweverOftenItIsAsked() throws {
        // Far more words than a pipe takes.
        let fixture = try ServiceFixture(
            worker: "say progress; \(ServiceFixture.waitForGate); say result")
        let job = try fixture.begin()
        let jobs = fixture.daemon.jobs
        for _ in 0..<20_000 {
            _ = try jobs.change(job, .pause)
            _ = try jobs.change(job, .resume)
        }
        #expect(try fixture.isAlive())
        try fixture.openGate()
        #expect(try fixture.end(of: job).state == .done)
    }

    @Test func aJobThatIsDoneWhenTheCancellationReachesItIsDone() throws {
        let fixture = try ServiceFixture(
            worker: "say progress; read -r word; say result")
        let job = try fixture.begin()
        _ = try fixture.change(.jobCancel, job)
        #expect(try fixture.end(of: job).state == .done)
    }

    @Test func aRequestMayAllowWorkOnBattery() throws {
        let fixture = try ServiceFixture()
        _ = try fixture.end(of: try fixture.submit())
        #expect(try !fixture.order().onBattery)
        _ = try fixture.end(of: try fixture.submit(payload: #"{"version":1,"battery":true}"#))
        #expect(try fixture.order().onBattery)
    }

    @Test func dom0AloneMayRiskAFileSystem() throws {
        let fixture = try ServiceFixture()
        _ = try fixture.end(of: try fixture.submit())
        #expect(try fixture.order().risksReadOnly == nil)
        let payload = #"{"version":1,"riskReadOnly":true}"#
        _ = try fixture.end(of: try fixture.submit(payload: payload))
        #expect(try fixture.order().risksReadOnly == true)
        let refused = try fixture.stream(
            .compress, from: "admin", on: .name("work"), payload: payload
        ).last
        guard case .exception(let exception) = refused else {
            Issue.record("\(refused)")
            return
        }
        #expect(exception.kind == .badRequest && exception.message.contains("dom0"))
        // To say no is no risk.
        _ = try fixture.submit(
            from: "admin", payload: #"{"version":1,"riskReadOnly":false}"#)
    }

    @Test func longAdviceOfAWorkerIsCut() {
        let advice = String(repeating: "x", count: 10_000)
        let progress = JobProgress(
            stage: .execute, doneBytes: 0, totalBytes: 0, savedBytes: 0, elapsedSeconds: 0,
            pacing: Pacing(state: .held, reason: .space, advice: advice))
        #expect((progress.bounded().pacing?.advice?.count ?? 0) < 510)
    }
}
