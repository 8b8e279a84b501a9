// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Glibc
import Protocol
import SystemCalls
import Testing

@testable import Client

/// The parts of a trim that need no qube.
@Suite struct TrimPartsTests {
    @Test(arguments: [
        (["fstrim", "-av"], "fstrim+--av"), (["env", "fstrim", "/rw"], "env+fstrim+-2Frw"),
        (["a b", "é", "x_y.z", "--", ""], "a-20b+-C3-A9+x_y.z+----+"), (["\u{1}+"], "-01-2B"),
    ])
    func wordsAreWrittenAsTheServiceReadsThem(words: [String], argument: String) {
        #expect(VMRootExec.encode(words) == argument)
    }

    @Test(arguments: [
        ("TemplateVM", [MountPoint.root, .private]), ("StandaloneVM", [.root, .private]),
        ("AppVM", [.private]), ("DispVM", []), ("AdminVM", []), ("RemoteVM", []),
    ])
    func onlyWhatLastsIsTrimmed(kind: String, mounts: [MountPoint]) {
        #expect(MountPoint.all(ofClass: kind) == mounts)
    }

    @Test func aStatusIsReadAsThatOfQrexecOrOfTheCommand() {
        #expect(GuestAnswer(untrustedStatus: 0, isDom0: true) == .trimmed)
        #expect(GuestAnswer(untrustedStatus: 126, isDom0: true) == .noProgram)
        #expect(GuestAnswer(untrustedStatus: 126, isDom0: false) == .refused)
        #expect(GuestAnswer(untrustedStatus: 127, isDom0: false) == .noProgram)
        #expect(GuestAnswer(untrustedStatus: 64, isDom0: false) == .failed(status: 64))
        #expect(GuestAnswer(untrustedStatus: 255, isDom0: true) == .unknown(status: 255))
    }

    private func qube(live: Figures, volume: Figures) -> Report.Qube {
        let image = Report.Image(
            path: "x", role: "dirty", sizeBytes: 0, nocow: false, figures: live)
        return Report.Qube(
            name: "work", kind: "AppVM", figures: volume,
            volumes: [.init(name: "private", pool: "p", figures: volume, images: [image])])
    }

    @Test func whatARevisionAndWhatAnotherQubeHoldsDoesNotComeBackAtOnce() {
        let before = qube(
            live: Figures(dataBytes: 100, diskBytes: 90),
            volume: Figures(diskBytes: 200, exclusiveBytes: 150))
        let after = qube(
            live: Figures(dataBytes: 40, diskBytes: 30),
            volume: Figures(diskBytes: 175, exclusiveBytes: 145))
        let figures = TrimFigures(from: before, to: after, volumes: ["private"])
        #expect(figures.emptiedBytes == 60)
        #expect(figures.freedBytes == 5)
        #expect(figures.sharedBytes == 20)
        #expect(figures.heldBytes == 35)
        #expect(TrimFigures(from: before, to: after, volumes: ["root"]) == TrimFigures())
        let grown = TrimFigures(from: after, to: before, volumes: ["private"])
        #expect(grown.emptiedBytes == -60 && grown.freedBytes == -5)
        #expect(TrimLines.row("work", grown).text.contains("-60 B"))
    }

    @Test(arguments: [
        "", "0", "1\0x", "0\0\u{1b}[2J", "2\0\u{1b}[2J\0", "0\0a\tb", "9\0x",
    ])
    func anAnswerThatIsNoneOfTheAdminAPIIsRefused(untrusted: String) {
        #expect(throws: AdminError.unreadable(method: "m")) {
            try AdminCalls.content(Array(untrusted.utf8), "m", "work")
        }
    }

    @Test func anExceptionIsItsClassAlone() {
        let expected = AdminError.exception(method: "m", target: "work", kind: "QubesException")
        #expect(throws: expected) {
            try AdminCalls.content(Array("2\0QubesException\0\0\u{1b}[2J\0".utf8), "m", "work")
        }
    }

    @Test func whileSomethingIsUnderWayNoSignalIsTheLastOne() {
        let interruption = Interruption()
        interruption.hold()
        #expect(interruption.interrupt() && interruption.interrupt())
        interruption.release()
        #expect(!interruption.interrupt())
    }

    @Test(arguments: [
        ([], "Say which"), (["work", "--all"], "Say which"),
        (["--all", "--templates"], "Say which"),
        (["work", "--exclude", "vault"], "--exclude"), (["dom0"], "dom0's own"),
        (["work", "--yes"], "--yes is for --start"), (["work:private"], "work:private"),
        (["work", "--time-limit", "0s"], "--time-limit"),
    ])
    func wrongUsageIsSaid(arguments: [String], says: String) throws {
        let run = try Run(["trim"] + arguments)
        #expect(run.status == .usage)
        #expect(run.error.contains(says))
        #expect(run.calls.isEmpty)
    }

    @Test func nothingIsTouchedThatDom0DoesNotKnowToRun() throws {
        let report = Report(
            generatedAt: 0, qubes: [qube(live: Figures(), volume: Figures())], total: Figures(),
            fileSystems: [], problems: [])
        let run = try Run(["trim", "work"], [.answer(Envelope.answer(report).encoded())])
        #expect(run.status == .notTrimmed)
        #expect(run.error.contains("work: not touched: dom0 does not say whether it runs."))
    }

    @Test func whatOthersRunFromIsNotStarted() throws {
        var template = qube(live: Figures(), volume: Figures())
        template.name = "deb"
        template.kind = "TemplateVM"
        template.isRunning = false
        var child = qube(live: Figures(), volume: Figures())
        child.template = "deb"
        child.isRunning = true
        let answers = try [[template], [template, child]].map {
            let report = Report(
                generatedAt: 0, qubes: $0, total: Figures(), fileSystems: [], problems: [])
            return ScriptedService.Step.answer(try Envelope.answer(report).encoded())
        }
        let run = try Run(["trim", "deb", "--start", "--yes"], answers)
        #expect(run.status == .notTrimmed)
        #expect(run.error.contains("deb: not started: work runs from it."))
        #expect(run.calls.count == 2)
    }

    @Test func whoMayNotSeeWhetherOthersRunFromItStartsNothing() throws {
        var template = qube(live: Figures(), volume: Figures())
        template.isRunning = false
        let report = Report(
            generatedAt: 0, qubes: [template], total: Figures(), fileSystems: [], problems: [])
        let run = try Run(
            ["trim", "work", "--start", "--yes"],
            [
                .answer(Envelope.answer(report).encoded()),
                .answer(Envelope.exception(.init(.noSuchQube, "because")).encoded()),
            ])
        #expect(run.status == .notTrimmed)
        #expect(run.error.contains("work: not started, as it cannot be seen"))
    }

    @Test(arguments: [
        (["--trim", "--all", "--read-only"], "Either --trim"),
        (["--trim"], "--qube, --tag or --all"),
        (["--trim", "--qube", "dom0"], "The machine is not trimmed"),
        (["--trim", "--qube", "mgmt"], "no policy to trim itself"),
    ])
    func whatNoLinesAreForIsSaid(arguments: [String], says: String) throws {
        let run = try Run(["policy", "mgmt"] + arguments)
        #expect(run.status == .usage)
        #expect(run.error.contains(says))
    }

    @Test func aJobThatIsAtWorkThereIsSaidWhereNobodyHoldsIt() throws {
        let folder = try TemporaryFolder()
        try folder.script("qrexec-client", "exit 0")
        try FileManager.default.createDirectory(
            atPath: folder.path("qubes"), withIntermediateDirectories: false)
        try folder.script("qubes/qrexec.work", "")
        var running = qube(live: Figures(), volume: Figures())
        running.isRunning = true
        let report = Report(
            generatedAt: 1, qubes: [running], total: Figures(), fileSystems: [], problems: [])
        let others = [JobState.queued, .done].map { Sample.record($0) }
        let account = ScriptedService.Step.answer(try Envelope.answer(report).encoded())
        // One that waits for ever fails.
        let interruption = Interruption()
        try WorkThread.start {
            sleep(60)
            _ = interruption.interrupt()
        }
        func run(_ steps: [ScriptedService.Step]) throws -> Run {
            let run = try Run(
                ["trim", "work", "--qubes-run", folder.path],
                [account, account] + steps + [account], interruption: interruption,
                environment: ["PATH": folder.path])
            #expect(run.status == .done, "\(run.error)")
            #expect(run.calls[2].hasPrefix("btrfs.job.Hold+ dom0 name work\0"))
            return run
        }
        func says(_ run: Run) -> Bool {
            let words = run.error.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            return words.contains(
                "Job \(Sample.job) is at work there: what it frees is counted here, too.")
        }
        // A service of an earlier release knows no such call: nobody holds.
        let refusal = ServiceException(.badRequest, "There is no such service.")
        let refused = ScriptedService.Step.answer(Envelope.exception(refusal).encoded())
        for (jobs, isSaid) in [(others + [Sample.record(.running)], true), (others, false)] {
            let list = ScriptedService.Step.answer(
                try Envelope.answer(JobList(jobs: jobs)).encoded())
            #expect(try says(run([refused, list])) == isSaid)
        }
        // What holds needs no word, and goes on before the account: the next call comes after it.
        #expect(try !says(run([.hold(Envelope.heartbeat.encoded(), {})])))
    }

    @Test func everyOutcomeHasAWordThatFits() {
        let outcomes = [
            "noFstrim", "fstrimFailed", "refused", "noAgent", "silent", "unanswered", "notRunning",
            "nothingLasts", "noVolume", "devices", "templateInUse", "wouldStartOthers", "runs",
            "startFailed", "interrupted", "failed", "unknown",
        ]
        for outcome in outcomes {
            let word = TrimLines.word(TrimRecord(qube: "work", outcome: outcome))
            #expect(word != nil)
            let line = TrimLines.row(Sample.longName, word ?? "")
            #expect(line.text.count <= TextTable.columns, "\(line.text)")
        }
        #expect(TrimLines.word(TrimRecord(qube: "work", outcome: "trimmed")) == nil)
    }
}
