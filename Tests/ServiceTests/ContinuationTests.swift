// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Service

/// What the daemon's orderly end interrupts, and the next daemon does.
@Suite struct ContinuationTests {
    private static let holding = "say progress; \(ServiceFixture.waitForGate); say result"

    private func records(_ fixture: ServiceFixture) -> [JobRecord] {
        fixture.daemon.jobs.records(for: .machine)
    }

    private func hasFile(_ fixture: ServiceFixture) -> Bool {
        FileManager.default.fileExists(
            atPath: fixture.settings.stateDirectory.appending(ContinuationStore.name).string)
    }

    @Test func whatTheEndInterruptsGoesOnOnceAsTheSameOfTheSameCaller() throws {
        let fixture = try ServiceFixture(worker: Self.holding)
        let payload = #"{"version":1,"level":7,"battery":true}"#
        let running = try fixture.submit(from: "admin", payload: payload)
        try fixture.waitForProgress(of: running)
        let waiting = try fixture.submit(.dedupe, "private")
        try fixture.restart()
        #expect(!hasFile(fixture))
        let after = records(fixture)
        let first = try #require(after.first { $0.continues == running })
        let second = try #require(after.first { $0.continues == waiting })
        #expect(after.count == 4)
        #expect(first.caller == "admin" && first.operation == .compress && first.target == "work")
        #expect(second.caller == "dom0" && second.operation == .dedupe)
        #expect(second.argument == "private")
        let old = try fixture.end(of: running)
        #expect(old.state == .interrupted)
        #expect(old.error?.contains("goes on as job \(first.job)") == true)
        let line = try #require(
            try fixture.auditLines().last { $0.contains("event=request") && $0.contains(first.job) }
        )
        #expect(line.contains("caller=admin") && line.contains("outcome=accepted"))
        #expect(line.contains("goes on after shutdown, by dom0"))
        try fixture.openGate()
        try fixture.openGate()
        #expect(try fixture.end(of: first.job).state == .done)
        #expect(try fixture.end(of: second.job).state == .done)
        #expect(records(fixture).count == 4)
    }

    @Test func whatItIsAskedIsWhatWasAsked() throws {
        let fixture = try ServiceFixture(worker: Self.holding)
        let payload = #"{"version":1,"level":7,"running":true,"battery":true,"forSeconds":7200}"#
        let job = try fixture.submit(payload: payload)
        try fixture.waitForProgress(of: job)
        let before = try fixture.order()
        try fixture.restart()
        let again = try #require(records(fixture).first { $0.continues == job })
        try fixture.waitForProgress(of: again.job)
        var after = try fixture.order()
        #expect(try #require(after.forSeconds) <= 7200 && after.forSeconds ?? 0 > 7000)
        after.forSeconds = before.forSeconds
        #expect(after == before)
    }

    @Test func whatHasGoneOnOnceDoesNotGoOnAgain() throws {
        let fixture = try ServiceFixture(worker: Self.holding)
        let job = try fixture.submit()
        try fixture.waitForProgress(of: job)
        try fixture.restart()
        let again = try #require(records(fixture).first { $0.continues == job })
        try fixture.waitForProgress(of: again.job)
        try fixture.restart()
        #expect(records(fixture).count == 2)
        #expect(records(fixture).map(\.state) == [.interrupted, .interrupted])
        #expect(!hasFile(fixture))
    }

    @Test func whatIsBeingCancelledDoesNotGoOn() throws {
        var bounds = Bounds()
        // Its worker does not obey, and is there when the daemon ends.
        bounds.cancelSeconds = 5
        bounds.stopSeconds = 0.5
        let fixture = try ServiceFixture(worker: Self.holding, bounds: bounds)
        let job = try fixture.submit()
        try fixture.waitForProgress(of: job)
        _ = try fixture.reply(JobRecord.self, .jobCancel, job)
        try fixture.restart()
        #expect(records(fixture).map(\.job) == [job])
    }

    @Test func whatWasPausedWaitsForWhoHasPausedIt() throws {
        let fixture = try ServiceFixture(worker: Self.holding)
        let job = try fixture.submit()
        try fixture.waitForProgress(of: job)
        _ = try fixture.reply(JobRecord.self, .jobPause, job)
        try fixture.restart()
        let again = try #require(records(fixture).first { $0.continues == job })
        #expect(again.state == .paused && again.startedAt == nil)
        _ = try fixture.reply(JobRecord.self, .jobResume, again.job)
        try fixture.openGate()
        #expect(try fixture.end(of: again.job).state == .done)
    }

    @Test func whatIsGoneDoesNotGoOn() throws {
        let fixture = try ServiceFixture(worker: Self.holding)
        let job = try fixture.submit()
        try fixture.waitForProgress(of: job)
        // Another qube of the same name.
        try ServiceFixture.write(
            ServiceFixture.inventory(workFeatures: "", workNumber: 7),
            to: fixture.settings.qubesXML)
        try fixture.restart()
        #expect(records(fixture).count == 1)
        let error = try #require(records(fixture).first?.error)
        #expect(error.contains("It does not go on: There is no such qube"))
        #expect(!hasFile(fixture))
    }

    @Test func ofTheSameTwiceOneGoesOn() throws {
        let fixture = try ServiceFixture(worker: Self.holding)
        let jobs = try (0..<3).map { _ in try fixture.submit() }
        try fixture.waitForProgress(of: jobs[0])
        try fixture.restart()
        #expect(records(fixture).compactMap(\.continues) == [jobs[0]])
    }

    @Test func whatADeathHasEndedDoesNotGoOn() throws {
        var record = JobRecord(
            job: JobID.random().text, operation: .compress, caller: "dom0", target: "work",
            argument: "", submittedAt: 1_700_000_000)
        record.state = .running
        let fixture = try ServiceFixture { try ServiceFixture.leave(record, $0) }
        #expect(records(fixture).map(\.state) == [.interrupted])
    }

    @Test func aDaemonThatDiedOnTheWayHasNotAskedInVain() throws {
        let fixture = try ServiceFixture(worker: Self.holding)
        let job = try fixture.submit()
        try fixture.waitForProgress(of: job)
        let path = fixture.settings.stateDirectory.appending(ContinuationStore.name)
        fixture.daemon.stop()
        let file = String(decoding: try ServiceFixture.read(path), as: UTF8.self)
        try fixture.restart(keeping: file)
        #expect(records(fixture).compactMap(\.continues) == [job])
        // As if it had died before it could remove the file.
        let again = try #require(records(fixture).first { $0.continues != nil })
        try fixture.waitForProgress(of: again.job)
        try fixture.restart(keeping: file)
        #expect(records(fixture).compactMap(\.continues) == [job])
    }

    @Test func itIsKeptBeforeTheWorkersEnd() throws {
        let fixture = try ServiceFixture(
            worker: """
                say progress
                IFS= read -r word
                \(ServiceFixture.waitForGate)
                say cancelled
                """, graceSeconds: 60)
        let job = try fixture.submit()
        try fixture.waitForProgress(of: job)
        let stopped = Monitor(false)
        let daemon = fixture.daemon
        try WorkThread.start {
            daemon.stop()
            stopped.withLock { $0 = true }
        }
        // Its worker ends no sooner than this test lets it.
        let deadline = ContinuousClock.now + .seconds(15)
        while !hasFile(fixture), ContinuousClock.now < deadline { Pause.milliseconds(5) }
        #expect(hasFile(fixture))
        #expect(!stopped.withLock { $0 })
        try fixture.openGate()
        _ = stopped.wait { $0 ? true : nil }
        #expect(hasFile(fixture))
    }

    @Test func aFileThatCannotBeReadStopsNothing() throws {
        for text in ["", "{", #"{"version":9,"jobs":[]}"#] {
            let fixture = try ServiceFixture { settings in
                try ServiceFixture.write(
                    text, to: settings.stateDirectory.appending(ContinuationStore.name))
            }
            #expect(try fixture.isAlive())
            #expect(try fixture.auditLines().contains { $0.contains(ContinuationStore.name) })
        }
    }

    /// What is left of its time when it was asked at 1000 s and ended at 1600 s, after 500 s of
    /// work.
    private func left(_ time: TimeLimit?, at now: Int64) throws -> Int?? {
        var record = JobRecord(
            job: JobID.random().text, operation: .dedupe, caller: "dom0", target: "dom0",
            argument: "", submittedAt: 1000)
        record.startedAt = 1100
        let request = JobRequest(
            operation: .dedupe, work: .dedupe(running: false), caller: "dom0", target: .machine,
            uuid: nil, argument: .whole, excluded: ["work"], onBattery: false,
            risksReadOnly: false, time: time, askedAt: .now)
        let kept = ContinuedJob(record, request, now: 1600)
        let again = try kept.request(MachineClock(epochSeconds: { now }, now: { .now }))
        if let again { #expect(again.asksTheSame(as: request)) }
        return again.map { $0.time?.forSeconds }
    }

    @Test func theTimeOfAJobGoesOnToo() throws {
        #expect(try left(nil, at: 90_000) == .some(nil))
        // So long at work: the night between does not count.
        #expect(try left(TimeLimit(forSeconds: 600), at: 90_000) == 100)
        #expect(try left(TimeLimit(forSeconds: 500), at: 90_000) == .none)
        // Until a moment: it does.
        let moment = TimeLimit(forSeconds: 3600, waitCounts: true)
        #expect(try left(moment, at: 1700) == 2900)
        #expect(try left(moment, at: 4599) == 1)
        #expect(try left(moment, at: 4600) == .none)
        #expect(try left(moment, at: 90_000) == .none)
    }
}

extension ServiceFixture {
    /// Ends the daemon and starts another, which finds this file of jobs that go on.
    fileprivate func restart(keeping file: String) throws {
        daemon.stop()
        try Self.write(file, to: settings.stateDirectory.appending(ContinuationStore.name))
        try restartStopped()
    }
}
