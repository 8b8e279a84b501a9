// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Glibc
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Service

@Suite struct RestartTests {
    private func record(_ state: JobState, job: String = JobID.random().text) -> JobRecord {
        var record = JobRecord(
            job: job, operation: .compress, caller: "admin", target: "work", argument: "",
            submittedAt: 1_700_000_000)
        record.state = state
        return record
    }

    @Test func jobsThatADeadDaemonHadAreInterrupted() throws {
        let left = [JobState.queued, .running, .done, .failed].map { record($0) }
        let fixture = try ServiceFixture { settings in
            for record in left { try ServiceFixture.leave(record, settings) }
        }
        #expect(
            try left.map { try fixture.end(of: $0.job).state }
                == [.interrupted, .interrupted, .done, .failed])
        // On disk as well: the next daemon finds them over.
        let store = try JobStore(stateDirectory: fixture.settings.stateDirectory)
        #expect(try store.load().jobs.filter { !$0.isOver }.isEmpty)
    }

    @Test func aDaemonThatIsStoppedLeavesItsJobsInterrupted() throws {
        let fixture = try ServiceFixture(
            worker: "say progress; \(ServiceFixture.waitForGate); say result")
        let running = try fixture.submit()
        try fixture.waitForProgress(of: running)
        let waiting = try fixture.submit()
        try fixture.restart()
        #expect(try fixture.end(of: running).state == .interrupted)
        #expect(try fixture.end(of: waiting).state == .interrupted)
    }

    @Test func aDaemonThatIsStoppedLetsItsWorkerTakeBackWhatIsHalfMoved() throws {
        let fixture = try ServiceFixture(
            worker: """
                say progress
                IFS= read -r word
                # As long as that may take; a worker that is killed says nothing.
                sleep 0.5
                echo "$word" > "$cache/word"
                say cancelled
                """, graceSeconds: 60)
        let job = try fixture.submit()
        try fixture.waitForProgress(of: job)
        try fixture.restart()
        let word = try ServiceFixture.read(fixture.settings.cacheDirectory.appending("word"))
        #expect(word == Array("cancel\n".utf8))
        let record = try fixture.end(of: job)
        #expect(record.state == .interrupted)
        #expect(record.error?.hasPrefix("The service ended before the job did.") == true)
    }

    @Test func historyOutlivesTheDaemon() throws {
        let fixture = try ServiceFixture()
        let job = try fixture.submit()
        let before = try fixture.end(of: job)
        try fixture.restart()
        #expect(try fixture.end(of: job) == before)
    }

    @Test func jobsOfOneSecondKeepTheirOrder() throws {
        let fixture = try ServiceFixture()
        // So many that no order by chance is theirs, most of them in one second.
        let jobs = try (0..<12).map { _ in
            let job = try fixture.submit()
            _ = try fixture.end(of: job)
            return job
        }
        try fixture.restart()
        let later = try fixture.submit()
        _ = try fixture.end(of: later)
        try fixture.restart()
        let list = try fixture.reply(JobList.self, .jobList, on: .name("dom0"))
        #expect(list.jobs.map(\.job) == (jobs + [later]).reversed())
    }

    @Test func theOrderOfHistoryIsKeptWhateverTheClockSays() throws {
        let fixture = try ServiceFixture()
        let store = try JobStore(stateDirectory: fixture.settings.stateDirectory)
        var records = (0..<4).map { _ in record(.done) }
        for index in records.indices {
            records[index].submittedAt -= Int64(index)
            try store.write(records[index])
        }
        let again = try JobStore(stateDirectory: fixture.settings.stateDirectory)
        #expect(try again.load().jobs == records)
    }

    @Test func aFileOfHistoryIsReplacedAsAWhole() throws {
        let fixture = try ServiceFixture()
        let state = fixture.settings.stateDirectory
        let job = try fixture.submit()
        _ = try fixture.end(of: job)
        let audit = AuditLog(file: "/dev/null", journalSocket: "/nonexistent", clock: .system)
        let totals = HistoryStore(stateDirectory: state, audit: audit)
        totals.add(HistoryPoint(at: 1, [Samples.usage(dataUsedBytes: 1)]))
        let ofJob = state.appending("jobs").appending(job + ".json")
        let ofTotals = state.appending("history.json")
        func expectWhole(_ path: FilePath, _ write: () throws -> Void) throws {
            // Another name of the old file: whatever is written into it would show there.
            let other = path.string + ".old"
            try #require(unsafe link(path.string, other) == 0)
            let before = try ServiceFixture.read(path)
            try write()
            #expect(try ServiceFixture.read(path) != before)
            #expect(try ServiceFixture.read(FilePath(other)) == before)
        }
        try expectWhole(ofJob) {
            try JobStore(stateDirectory: state).write(record(.running, job: job))
        }
        try expectWhole(ofTotals) {
            totals.add(HistoryPoint(at: 10_000, [Samples.usage(dataUsedBytes: 2)]))
        }
    }

    @Test func whatAPowerCutLeftHalfWrittenIsRemovedAndStrangersAreLeftAlone() throws {
        let half = JobID.random().text + ".new"
        let fixture = try ServiceFixture { settings in
            try ServiceFixture.leave(record(.done), settings)
            for name in [half, "strange", JobID.random().text + ".json"] {
                try ServiceFixture.write(
                    "{", to: settings.stateDirectory.appending("jobs").appending(name))
            }
        }
        let names = try fixture.history()
        #expect(!names.contains(half))
        #expect(names.count == 3)
        #expect(try fixture.reply(JobList.self, .jobList, on: .name("dom0")).jobs.count == 1)
    }

    @Test func historyThatIsTooLongIsCutAtStart() throws {
        var bounds = Bounds()
        bounds.historyJobsPerCaller = 2
        let fixture = try ServiceFixture(bounds: bounds) { settings in
            for _ in 0..<4 { try ServiceFixture.leave(record(.done), settings) }
        }
        #expect(try fixture.history().count == 2)
    }

    @Test func aSocketOfADeadProcessIsTakenOver() throws {
        let fixture = try ServiceFixture { settings in
            // Bound and closed: its name stays, nobody listens.
            _ = try UnixSocket.listen(#require(settings.socket), mode: 0o600)
        }
        #expect(try fixture.isAlive())
    }

    @Test func aSocketOfALiveProcessIsNot() throws {
        let fixture = try ServiceFixture()
        let path = try #require(fixture.settings.socket)
        #expect(throws: Errno.addressInUse) { _ = try UnixSocket.listen(path, mode: 0o600) }
        #expect(try fixture.isAlive())
    }

    @Test func aDaemonWithoutItsStateDirectorySaysSo() throws {
        var settings = Settings()
        settings.stateDirectory = "/nonexistent/qubes-btrfs"
        settings.logFile = "/dev/null"
        settings.journalSocket = "/nonexistent/journal"
        let path = FilePath("/tmp/qubes-btrfs-start-\(UInt64.random(in: 0...UInt64.max))")
        defer { try? FileManager.default.removeItem(atPath: path.string) }
        let listener = try UnixSocket.listen(path, mode: 0o600)
        do throws(StartError) {
            _ = try Daemon(settings, listener: listener, clock: .system)
            Issue.record("it started")
        } catch {
            #expect(error.description.contains("/nonexistent/qubes-btrfs"))
        }
    }

    @Test func theBoundsOfHistoryHoldForALongQueueToo() {
        #expect(Bounds().historyJobs + Bounds().historyJobsOfQubes == Limits.historyJobs)
        #expect(Bounds().historyJobsPerCaller < Bounds().historyJobsOfQubes)
        #expect(Bounds().historyJobsPerCaller > Bounds().queuedJobsPerCaller)
    }
}
