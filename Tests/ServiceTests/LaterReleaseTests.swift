// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Service

/// A daemon of this release after one of a later one, and a worker that was replaced meanwhile.
@Suite struct LaterReleaseTests {
    private func record(_ operation: Operation, _ state: JobState) -> JobRecord {
        var record = JobRecord(
            job: JobID.random().text, operation: operation, caller: "admin", target: "work",
            argument: "", submittedAt: 1_700_000_000)
        record.state = state
        return record
    }

    private func path(of job: String, _ settings: Settings) -> FilePath {
        settings.stateDirectory.appending("jobs").appending(job + ".json")
    }

    @Test func jobsOfALaterReleaseAreKeptAndCounted() throws {
        var bounds = Bounds()
        bounds.historyJobsPerCaller = 1
        let later = (0..<3).map { _ in JobID.random().text }
        let content = #"{"version":2,"job":["of another kind"]}"#
        let fixture = try ServiceFixture(bounds: bounds) { settings in
            try ServiceFixture.leave(record(.compress, .done), settings)
            for job in later { try ServiceFixture.write(content, to: path(of: job, settings)) }
        }
        for _ in 0..<3 { _ = try fixture.end(of: try fixture.submit(from: "admin")) }
        try fixture.restart()
        for job in later {
            let bytes = try ServiceFixture.read(path(of: job, fixture.settings))
            #expect(bytes == Array(content.utf8))
        }
        let told = try fixture.auditLines().filter { $0.contains("later release") }
        #expect(told.count == 2)
        #expect(told.allSatisfy { $0.contains("are kept for it, unread: 3") })
        #expect(try fixture.reply(JobList.self, .jobList, on: .name("dom0")).jobs.count == 1)
    }

    @Test func aJobWithAWordOfALaterReleaseStaysInTheHistory() throws {
        var over = record(.unknown("rebalance"), .unknown("faded"))
        over.endedAt = 1_700_000_001
        let running = record(.unknown("rebalance"), .running)
        let fixture = try ServiceFixture { settings in
            try ServiceFixture.leave(over, settings)
            try ServiceFixture.leave(running, settings)
        }
        let jobs = try fixture.reply(JobList.self, .jobList, on: .name("dom0")).jobs
        #expect(jobs.first { $0.job == over.job } == over)
        #expect(jobs.first { $0.job == running.job }?.state == .interrupted)
        #expect(
            try fixture.auditLines().contains {
                $0.hasPrefix("event=job-end caller=admin service=rebalance")
            })
    }

    @Test func theTotalsOfALaterReleaseAreKept() throws {
        let content = #"{"version":2,"points":"elsewhere"}"#
        let fixture = try ServiceFixture(worker: "say report") { settings in
            try ServiceFixture.write(
                content, to: settings.stateDirectory.appending("history.json"))
        }
        _ = try fixture.call(.report, on: .name("dom0"))
        let bytes = try ServiceFixture.read(
            fixture.settings.stateDirectory.appending("history.json"))
        #expect(bytes == Array(content.utf8))
        #expect(try fixture.auditLines().contains { $0.contains("history of totals") })
    }

    @Test func anUpgradeUnderARunningJobLetsItEndAndTheNextSaysWhatToDo() throws {
        let fixture = try ServiceFixture(
            worker: "say progress; \(ServiceFixture.waitForGate); say result")
        let running = try fixture.submit()
        try fixture.waitForProgress(of: running)
        // As packages do: another file under the same name.
        let worker = try #require(fixture.settings.worker)
        let other = fixture.directory.appending("worker.new")
        try ServiceFixture.message(
            "other",
            .failure(kind: "BtrfsError", message: "of different releases", detail: "form"),
            fixture.settings)
        try ServiceFixture.write(
            "#!/bin/sh\nread order\ncat \"$2/other.json\"\n", to: other, mode: 0o700)
        try FileManager.default.removeItem(atPath: worker.string)
        try FileManager.default.moveItem(atPath: other.string, toPath: worker.string)
        let next = try fixture.submit()
        try fixture.openGate()
        #expect(try fixture.end(of: running).state == .done)
        let refused = try fixture.end(of: next)
        #expect(refused.state == .failed)
        #expect(refused.error == "of different releases")
    }
}
