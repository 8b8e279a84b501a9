// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Service

/// How history, workers and accounts are shared out among callers.
@Suite struct ShareTests {
    private func record(_ job: String, _ caller: String, _ state: JobState = .done) -> JobRecord {
        var record = JobRecord(
            job: job, operation: .compress, caller: caller, target: "work", argument: "",
            submittedAt: 1)
        record.state = state
        return record
    }

    // MARK: History

    @Test func nobodyPushesOutTheHistoryOfAnother() {
        var bounds = Bounds()
        bounds.historyJobs = 3
        bounds.historyJobsPerCaller = 2
        bounds.historyJobsOfQubes = 3
        var archive = JobArchive(
            history: (0..<4).map { record("d\($0)", "dom0") }
                + [record("b0", "b")] + (0..<9).map { record("a\($0)", "a") }
                + [record("c0", "c")])
        let gone = archive.trim(bounds, ending: nil)
        // Of each its oldest; of all qubes together those of the one that has most.
        #expect(gone == ["d0", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"])
        #expect(archive.entries.map(\.record.job) == ["d1", "d2", "d3", "b0", "a8", "c0"])
    }

    @Test func whatIsAboutToEndCountsAndIsKept() {
        var bounds = Bounds()
        bounds.historyJobs = 2
        var archive = JobArchive(
            history: [record("r", "dom0", .running)] + (0..<2).map { record("d\($0)", "dom0") })
        #expect(archive.trim(bounds, ending: nil) == [])
        #expect(archive.trim(bounds, ending: "r") == ["d0"])
    }

    @Test func whatIsToldOfJobsIsWhatACallerSees() {
        var machine = record("m", "a")
        machine.target = "dom0"
        let archive = JobArchive(history: [record("w", "dom0"), machine])
        func told(_ name: String, _ visible: Set<String>) -> [String] {
            archive.records(for: Caller(name: name, visibility: .qubes(visible))).map(\.job)
        }
        #expect(archive.records(for: .machine).map(\.job) == ["m", "w"])
        #expect(told("a", []) == ["m"])
        #expect(told("b", ["work"]) == ["w"])
        #expect(told("b", ["dom0"]) == [])
    }

    @Test func aQubeMayNotAskForJobsWithoutEnd() throws {
        var bounds = Bounds()
        bounds.submissions = 3
        bounds.submissionsPerSecond = 0
        let fixture = try ServiceFixture(bounds: bounds)
        for _ in 0..<3 { _ = try fixture.end(of: try fixture.submit(from: "admin")) }
        let refusal = try fixture.exception(.compress, from: "admin")
        #expect(refusal?.kind == .busy)
        #expect(refusal?.message.contains("too many jobs") == true)
        for _ in 0..<4 { _ = try fixture.end(of: try fixture.submit()) }
        _ = try fixture.submit(from: "other", on: .name("other"))
    }

    // MARK: Turns

    /// Notes its words under its own number, and ends when it is told so or resumed.
    private static let obedient = """
        say progress
        while read -r word; do
            echo "$word" >> "$cache/words"
            case $word in resume) say result; exit 0;; cancel) say cancelled; exit 0;; esac
        done
        """

    private func words(_ fixture: ServiceFixture) -> [String] {
        let file = fixture.settings.cacheDirectory.appending("words")
        let bytes = (try? ServiceFixture.read(file)) ?? []
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test func dom0sJobGoesBeforeARunningOneOfAQubeWhichGoesOnAfterwards() throws {
        let fixture = try ServiceFixture(
            worker: """
                if grep -q '"dedupe":' "$cache/order"; then
                    say progress; \(ServiceFixture.waitForGate); say result; exit
                fi
                \(Self.obedient)
                """)
        let theirs = try fixture.submit(from: "admin")
        try fixture.waitForProgress(of: theirs)
        let own = try fixture.submit(.dedupe)
        try fixture.waitForProgress(of: own)
        while words(fixture).isEmpty { _ = try fixture.isAlive() }
        #expect(words(fixture) == ["pause"])
        // Nobody has paused it: it is set aside.
        let list = try fixture.reply(JobList.self, .jobList, on: .name("dom0"))
        #expect(list.jobs.map(\.state) == [.running, .running])
        try fixture.openGate()
        #expect(try fixture.end(of: own).state == .done)
        #expect(try fixture.end(of: theirs).state == .done)
        #expect(words(fixture) == ["pause", "resume"])
    }

    @Test func aJobThatIsPausedHoldsUpNobody() throws {
        let fixture = try ServiceFixture(
            worker: """
                if grep -q '"dedupe":' "$cache/order"; then say progress; say result; exit; fi
                \(Self.obedient)
                """)
        let first = try fixture.submit(from: "admin")
        try fixture.waitForProgress(of: first)
        _ = try fixture.reply(JobRecord.self, .jobPause, first, from: "admin")
        let second = try fixture.submit(.dedupe, from: "other", on: .name("other"))
        #expect(try fixture.end(of: second, from: "other").state == .done)
        while words(fixture).isEmpty { _ = try fixture.isAlive() }
        _ = try fixture.reply(JobRecord.self, .jobResume, first, from: "admin")
        #expect(try fixture.end(of: first).state == .done)
    }

    /// An archive of jobs that run or wait, by `CALLER` and what holds them.
    private func archive(
        running: [(caller: String, held: Pacing.Reason?)],
        waiting: [(caller: String, onBattery: Bool)]
    ) -> JobArchive {
        func request(_ caller: String, _ onBattery: Bool) -> JobRequest {
            JobRequest(
                operation: .compress, work: .compress(level: nil, running: false), caller: caller,
                target: .machine, uuid: nil, argument: .whole, excluded: [], onBattery: onBattery,
                risksReadOnly: false, askedAt: .now)
        }
        var archive = JobArchive(history: [])
        for (index, job) in running.enumerated() {
            var record = record("r\(index)", job.caller, .running)
            if let reason = job.held {
                record.progress = JobProgress(
                    stage: .survey, doneBytes: 0, totalBytes: 0, savedBytes: 0, elapsedSeconds: 0,
                    pacing: Pacing(state: .held, reason: reason))
            }
            archive.append(
                JobEntry(record: record, phase: .running(RunningJob()), turn: index + 1))
        }
        for (index, job) in waiting.enumerated() {
            archive.append(
                JobEntry(
                    record: record("w\(index)", job.caller, .queued),
                    phase: .waiting(request(job.caller, job.onBattery), isReady: true)))
        }
        return archive
    }

    @Test func whatWaitsForMainsOrRoomHoldsUpNobodyWhoseJobCouldRun() {
        let bounds = Bounds()
        func next(_ reason: Pacing.Reason?, _ onBattery: Bool, _ caller: String = "b") -> String? {
            archive(running: [("a", reason)], waiting: [(caller, onBattery)]).next(bounds)
        }
        #expect(next(nil, true) == nil)
        #expect(next(.disk, true) == nil)
        #expect(next(.battery, true) == "w0")
        // It would wait for mains as well.
        #expect(next(.battery, false) == nil)
        #expect(next(.space, false) == "w0")
        #expect(next(nil, false, "dom0") == "w0")
        #expect(
            archive(running: [("dom0", nil)], waiting: [("dom0", true)]).next(bounds) == nil)
    }

    @Test func theLastPlaceForAWorkerIsDom0s() {
        let bounds = Bounds()
        let held = [("a", Pacing.Reason.space), ("b", .space)] as [(String, Pacing.Reason?)]
        #expect(archive(running: held, waiting: [("c", true)]).next(bounds) == nil)
        #expect(archive(running: held, waiting: [("dom0", true)]).next(bounds) == "w0")
        let full = held + [("dom0", .space)]
        #expect(archive(running: full, waiting: [("dom0", true)]).next(bounds) == nil)
    }

    @Test func ofThoseThatCouldWorkOneDoes() {
        var archive = archive(
            running: [("a", nil), ("b", .battery), ("dom0", nil)], waiting: [])
        archive.shareTurns(Bounds(), at: .now)
        #expect(archive.entries.map { $0.running?.isSetAside } == [true, false, false])
        archive["r2"]?.phase = .over
        archive.shareTurns(Bounds(), at: .now)
        #expect(archive["r0"]?.running?.isSetAside == false)
    }

    // MARK: Accounts

    @Test func aQubeThatAsksAgainIsToldWhatWasFoundAMomentAgo() throws {
        let fixture = try ServiceFixture(
            worker: "echo ran >> \"$cache/words\"; say report")
        for _ in 0..<5 { _ = try fixture.reply(Report.self, .report, from: "admin") }
        #expect(words(fixture).count == 1)
        // dom0 gets an account of its own each time.
        for _ in 0..<2 { _ = try fixture.reply(Report.self, .report) }
        #expect(words(fixture).count == 3)
    }

    @Test func anAccountOfTheMachineAnswersNarrowerQuestions() throws {
        let fixture = try ServiceFixture(
            worker: "echo ran >> \"$cache/words\"; say report"
        ) { settings in
            var report = Samples.report(qubes: ["work", "deb"])
            for index in report.qubes.indices {
                report.qubes[index].figures.diskBytes = UInt64(index + 1)
                report.qubes[index].volumes = ["root", "private", "volatile"].map {
                    Report.Volume(name: $0, pool: "varlibqubes", figures: Figures(), images: [])
                }
            }
            try ServiceFixture.message("report", .report(report), settings)
        }
        _ = try fixture.reply(Report.self, .report, on: .name("dom0"))
        let deb = try fixture.reply(Report.self, .report, from: "admin", on: .name("deb"))
        #expect(deb.qubes.map(\.name) == ["deb"] && deb.total.diskBytes == 2)
        #expect(deb.fileSystems.isEmpty && deb.machine == nil && deb.history == nil)
        #expect(deb.generatedAt == 1_700_000_000)
        let volume = try fixture.reply(Report.self, .report, "private", from: "admin")
        #expect(volume.qubes.map(\.name) == ["work"])
        #expect(volume.qubes.first?.volumes.map(\.name) == ["private"])
        #expect(words(fixture).count == 1)
        // A job that ends makes it worthless.
        _ = try fixture.end(of: try fixture.submit())
        let before = words(fixture).count
        _ = try fixture.reply(Report.self, .report, from: "admin", on: .name("deb"))
        #expect(words(fixture).count == before + 1)
    }

    @Test func readersOfQubesLeaveDom0AWorkerOfItsOwn() throws {
        var bounds = Bounds()
        bounds.reportWaitSeconds = 0.05
        let fixture = try ServiceFixture(
            worker: """
                if grep -q '"wholeMachine":true' "$cache/order"; then say report; exit; fi
                echo ran >> "$cache/words"
                \(ServiceFixture.waitForGate); say report
                """, bounds: bounds)
        let reader = SharedDescriptor(try fixture.connect())
        try reader.descriptor.send(ServiceFixture.bytes("btrfs.Report", from: "admin"))
        try reader.descriptor.shutdownWriting()
        while words(fixture).isEmpty { _ = try fixture.isAlive() }
        // The place of qubes is taken; dom0's are not.
        #expect(
            try fixture.exception(.report, from: "other", on: .name("other"))?.kind == .busy)
        #expect(try fixture.exception(.report, on: .name("dom0")) == nil)
        try fixture.openGate()
        _ = try reader.descriptor.readToEnd(limitBytes: Limits.replyBytes)
    }
}
