// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Service

/// Who may have how many jobs waiting, and whose turn it is.
@Suite struct QueueTests {
    /// A worker that waits for the gate, and the first job, which waits there.
    private func held(_ bounds: Bounds = Bounds()) throws -> (ServiceFixture, running: String) {
        var bounds = bounds
        // None beside the one that works.
        bounds.workers = 1
        let fixture = try ServiceFixture(
            worker: "say progress; \(ServiceFixture.waitForGate); say result", bounds: bounds)
        let running = try fixture.submit(from: "admin")
        try fixture.waitForProgress(of: running)
        return (fixture, running)
    }

    /// Lets all of them run, in whatever order.
    private func finish(_ fixture: ServiceFixture, _ jobs: [String]) throws {
        for _ in jobs { try fixture.openGate() }
        for job in jobs { #expect(try fixture.end(of: job).state == .done) }
    }

    /// What the audit log says of starts, in order.
    private func started(_ fixture: ServiceFixture) throws -> [String] {
        try fixture.auditLines().filter { $0.hasPrefix("event=job-start") }.compactMap { line in
            line.firstMatch(of: #/ job=([0-9a-f]+) /#).map { String($0.output.1) }
        }
    }

    @Test func aQubeMayHaveSoManyJobsWaitingAndNoMore() throws {
        var bounds = Bounds()
        bounds.queuedJobsPerCaller = 2
        let (fixture, running) = try held(bounds)
        let waiting = [try fixture.submit(from: "admin"), try fixture.submit(from: "admin")]
        let refusal = try #require(try fixture.exception(.compress, from: "admin"))
        #expect(refusal.kind == .busy)
        #expect(refusal.message.hasPrefix("2 jobs of this qube are waiting already"))
        #expect(refusal.message.contains("qvm-btrfs cancel"))
        // Another qube has places of its own, and dom0 is not counted.
        let others = [
            try fixture.submit(from: "other", on: .name("other")), try fixture.submit(),
            try fixture.submit(), try fixture.submit(),
        ]
        // One that is over makes room.
        _ = try fixture.reply(JobRecord.self, .jobCancel, waiting[0], from: "admin")
        let next = try fixture.submit(from: "admin")
        #expect(try fixture.exception(.compress, from: "admin")?.kind == .busy)
        try finish(fixture, [running, waiting[1], next] + others)
    }

    @Test func allQubesTogetherLeavePlacesToDom0() throws {
        var bounds = Bounds()
        bounds.queuedJobs = 3
        bounds.queuedJobsOfQubes = 2
        let (fixture, running) = try held(bounds)
        let first = try fixture.submit(from: "admin")
        let second = try fixture.submit(from: "other", on: .name("other"))
        let refusal = try #require(
            try fixture.exception(.compress, from: "other", on: .name("other")))
        #expect(refusal.message.hasPrefix("2 jobs of qubes are waiting already"))
        let own = try fixture.submit()
        let full = try #require(try fixture.exception(.compress))
        #expect(full.message.hasPrefix("3 jobs are waiting already"))
        try finish(fixture, [running, own, first, second])
    }

    @Test func dom0ComesFirstAndThenEachQubeInTurn() throws {
        let (fixture, running) = try held()
        let admin = try (0..<3).map { _ in try fixture.submit(from: "admin") }
        let other = try (0..<2).map { _ in
            try fixture.submit(from: "other", on: .name("other"))
        }
        let own = [try fixture.submit(), try fixture.submit()]
        // `admin` has had its turn with the job that runs.
        let order = [running] + own + [other[0], admin[0], other[1], admin[1], admin[2]]
        try finish(fixture, order)
        #expect(try started(fixture) == order)
    }

    /// A worker that says how far it is until it is told to end.
    private static let talkative = """
        rm -f "$cache/over"
        while [ ! -e "$cache/over" ]; do say progress; sleep 0.02; done &
        while IFS= read -r word && [ "$word" != cancel ]; do :; done
        : > "$cache/over"
        wait
        say cancelled
        """

    @Test func aJobThatIsPausedForTooLongMakesRoomForThoseThatWait() throws {
        var bounds = Bounds()
        bounds.pausedSeconds = 0.2
        bounds.standingSeconds = 0.05
        // No worker beside the one that is paused.
        bounds.workers = 1
        let fixture = try ServiceFixture(
            worker: Self.talkative, bounds: bounds, graceSeconds: 60)
        let first = try fixture.submit(from: "admin")
        try fixture.waitForProgress(of: first)
        _ = try fixture.reply(JobRecord.self, .jobPause, first, from: "admin")
        let second = try fixture.submit()
        let record = try fixture.end(of: first)
        #expect(record.state == .interrupted)
        #expect(record.error?.hasPrefix("It was paused for too long") == true)
        try fixture.waitForProgress(of: second)
        _ = try fixture.reply(JobRecord.self, .jobCancel, second, on: .name("dom0"))
        #expect(try fixture.end(of: second).state == .cancelled)
    }

    @Test func aJobThatNobodyWaitsForMayBePausedForLong() throws {
        var bounds = Bounds()
        bounds.pausedSeconds = 0
        let fixture = try ServiceFixture(
            worker: Self.talkative, bounds: bounds, graceSeconds: 60)
        let job = try fixture.submit(from: "admin")
        try fixture.waitForProgress(of: job)
        _ = try fixture.reply(JobRecord.self, .jobPause, job, from: "admin")
        // Two more looks of the runner.
        for _ in 0..<2 { try fixture.waitForProgress(of: job) }
        #expect(
            try fixture.reply(JobRecord.self, .jobResume, job, from: "admin").state == .running)
        _ = try fixture.reply(JobRecord.self, .jobCancel, job, from: "admin")
        #expect(try fixture.end(of: job).state == .cancelled)
    }

    @Test func pausesAddUp() {
        var watch = Stopwatch()
        let start = ContinuousClock.now
        func seconds(_ later: Int) -> Double { watch.seconds(at: start + .seconds(later)) }
        #expect(seconds(5) == 0)
        watch.set(isRunning: true, at: start)
        watch.set(isRunning: true, at: start + .seconds(5))
        #expect(seconds(6) == 6)
        watch.set(isRunning: false, at: start + .seconds(10))
        #expect(seconds(10) == 10 && seconds(20) == 10)
        watch.set(isRunning: true, at: start + .seconds(20))
        #expect(seconds(25) == 15)
    }

    @Test func theDefaultsFitIntoEachOther() {
        #expect(Bounds().queuedJobsPerCaller < Bounds().queuedJobsOfQubes)
        #expect(Bounds().queuedJobsOfQubes < Bounds().queuedJobs)
        #expect(Bounds().connectionsPerCaller < Bounds().connectionsOfQubes)
    }
}
