// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Service

/// Jobs whose file system stands still.
@Suite struct StandstillTests {
    /// A worker that cannot end: it says so and waits, then says that all is well and waits again.
    private static let worker = """
        say still
        \(ServiceFixture.waitForGate)
        say progress
        \(ServiceFixture.waitForGate)
        say cancelled
        """

    private func fixture(_ worker: String = worker) throws -> ServiceFixture {
        var bounds = Bounds()
        bounds.cancelSeconds = 0.5
        return try ServiceFixture(worker: worker, bounds: bounds) { settings in
            var still = JobProgress(
                stage: .execute, doneBytes: 50, totalBytes: 100, savedBytes: 7, elapsedSeconds: 1)
            still.pacing = Pacing(
                state: .held, reason: .standstill, advice: "its file system is frozen")
            try ServiceFixture.message("still", .progress(still), settings)
        }
    }

    private func cancel(_ fixture: ServiceFixture, _ job: String) throws -> JobRecord {
        try fixture.reply(JobRecord.self, .jobCancel, job, from: "dom0", on: .name("dom0"))
    }

    private func list(_ fixture: ServiceFixture) throws -> [JobRecord] {
        try fixture.reply(JobList.self, .jobList, on: .name("dom0")).jobs
    }

    @Test func graceIsNotCountedWhileNothingCanRun() throws {
        let fixture = try fixture()
        let job = try fixture.submit()
        try fixture.waitForProgress(of: job)
        #expect(try cancel(fixture, job).cancelling == true)
        // Several times the grace.
        Pause.milliseconds(2500)
        let record = try #require(try list(fixture).first)
        #expect(!record.isOver && record.cancelling == true)
        try fixture.openGate()
        try fixture.openGate()
        let end = try fixture.end(of: job)
        #expect(end.state == .cancelled && end.result != nil && end.cancelling == nil)
    }

    @Test func graceGoesOnWhenItMovesAgain() throws {
        let fixture = try fixture()
        let job = try fixture.submit()
        try fixture.waitForProgress(of: job)
        _ = try cancel(fixture, job)
        try fixture.openGate()
        let end = try fixture.end(of: job)
        #expect(end.state == .cancelled && end.result == nil, "it was killed")
    }

    @Test func nobodyHasToWaitForAJobThatStandsStill() throws {
        let fixture = try fixture(
            """
            if [ -e "$cache/second" ]; then say result; exit 0; fi
            : > "$cache/second"
            say still
            \(ServiceFixture.waitForGate)
            say cancelled
            """)
        let first = try fixture.submit()
        try fixture.waitForProgress(of: first)
        let second = try fixture.submit()
        #expect(try fixture.end(of: second).state == .done)
        _ = try cancel(fixture, first)
        // Nor for one that cannot end.
        let third = try fixture.submit()
        #expect(try fixture.end(of: third).state == .done)
        try fixture.openGate()
        #expect(try fixture.end(of: first).state == .cancelled)
    }
}
