// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Client

/// Which qubes a command works on, and how much it says.
@Suite struct PlaceTests {
    private let accepted = ScriptedService.Step.answer(
        Envelope.reply(Array("{\"version\":1,\"job\":\"\(Sample.job)\"}".utf8)).encoded())

    private func targets(_ run: Run) -> [String] {
        run.calls.map { String($0.prefix { $0 != "\0" }).replacing(" dom0 name ", with: " ") }
    }

    @Test(arguments: [
        ([], ["btrfs.Optimize+ dom0"]), (["--all"], ["btrfs.Optimize+ dom0"]),
        (["dom0"], ["btrfs.Optimize+ dom0"]), (["work"], ["btrfs.Optimize+ work"]),
        (["work:private"], ["btrfs.Optimize+private work"]),
        (["dom0:system"], ["btrfs.Optimize+system dom0"]),
        (["dom0:pool.varlibqubes"], ["btrfs.Optimize+pool.varlibqubes dom0"]),
        (
            ["work", "personal:root", "work"],
            ["btrfs.Optimize+ work", "btrfs.Optimize+root personal"]
        ),
    ])
    func eachPlaceIsACall(words: [String], calls: [String]) throws {
        let run = try Run(
            ["optimize", "--no-wait"] + words, Array(repeating: accepted, count: calls.count))
        #expect(run.status == .done)
        #expect(targets(run) == calls)
    }

    @Test(arguments: [
        "optimize", "compress", "dedupe", "defragment", "sparsify", "estimate", "verify",
    ])
    func whatIsLeftOutIsAskedOfTheService(command: String) throws {
        let run = try Run(
            [command, "--no-wait", "--all", "--exclude", "vault", "--exclude", "dom0"], [accepted])
        #expect(run.calls[0].contains(#""exclude":["vault","dom0"]"#))
    }

    @Test(arguments: [["dom0:system"], ["work", "dom0:system"]])
    func noHolesAreMadeInDom0sOwnFiles(words: [String]) throws {
        let run = try Run(["sparsify", "--no-wait"] + words)
        #expect(run.status == .usage)
        #expect(run.calls.isEmpty)
        let text = run.error.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(text.hasPrefix("Error: Holes are made in images of volumes, not in dom0's own"))
        // All volumes, a pool of them, and a qube's volume that has the name.
        for place in ["dom0", "dom0:pool.varlibqubes", "work:system"] {
            #expect(try Run(["sparsify", "--no-wait", place], [accepted]).status == .done)
        }
    }

    @Test func oneThatIsNotThereDoesNotKeepTheOthersFromBeingDone() throws {
        let missing = Envelope.exception(.init(.noSuchQube, "There is no such qube."))
        let run = try Run(
            ["dedupe", "gone", "work", "--no-wait"], [.answer(missing.encoded()), accepted])
        #expect(run.status == .notFound)
        #expect(run.error.contains("qvm-btrfs: gone: There is no such qube."))
        #expect(run.output == "\(Sample.job)\n")
    }

    @Test func whatWasNotBegunIsNamed() throws {
        let interruption = Interruption()
        let run = try Run(
            ["dedupe", "first", "two", "three:root"],
            [
                accepted,
                .hold(
                    try Envelope.event(.state, Sample.record(.running)).encoded(),
                    { _ = interruption.interrupt() }),
            ], interruption: interruption)
        #expect(run.status == .interrupted)
        #expect(run.calls.count == 2)
        let text = run.error.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(text.contains("The job goes on. Watch it again: qvm-btrfs watch \(Sample.job)"))
        // As one line, which can be copied.
        #expect(run.error.contains("\n  qvm-btrfs watch \(Sample.job) --qube first\n"))
        #expect(text.hasSuffix("Not begun: two, three:root."))
    }

    @Test func aVolumeThatLooksLikeAQubeIsExplained() throws {
        let run = try Run(["compress", "work", "private"])
        #expect(run.status == .usage)
        #expect(run.error.contains("'work:private'"))
    }

    @Test func whoWantsQuietHearsResultsAndErrorsAlone() throws {
        let stream =
            try Envelope.event(.state, Sample.record(.running)).encoded()
            + Envelope.event(.progress, Sample.progress(.survey, done: 1, of: 2, at: 0)).encoded()
            + Envelope.answer(Sample.record(.done)).encoded()
        let run = try Run(["compress", "work", "--quiet"], [accepted, .answer(stream)])
        #expect(run.status == .done)
        #expect(run.error == "")
        #expect(run.output.contains("is done"))
        let busy = Envelope.exception(.init(.busy, "later")).encoded()
        let refused = try Run(["compress", "work", "-q"], [.answer(busy)])
        #expect(refused.error == "qvm-btrfs: later\n")
    }

    @Test func whoWantsToKnowIsToldOfEachCall() throws {
        let run = try Run(["compress", "work:root", "--no-wait", "-v"], [accepted])
        #expect(run.error.hasPrefix("Calls btrfs.Compress+root about work.\n"))
    }

    @Test func answersAboutSeveralStandApart() throws {
        let check = try Envelope.answer(CheckReport(checkedAt: 0, findings: [])).encoded()
        let run = try Run(["check", "work", "vault"], [.answer(check), .answer(check)])
        let summary = "\nNothing needs to be mended.\n"
        #expect(run.output == summary + "\n" + summary)
        let report = try Envelope.answer(Sample.report([])).encoded()
        let reports = try Run(["report", "work", "vault"], [.answer(report), .answer(report)])
        let text = "The qube has no volume on a Btrfs pool.\n"
        #expect(reports.output == text + "\n" + text)
        let job = ScriptedService.Step.answer(
            try Envelope.answer(Sample.record(.done)).encoded())
        let jobs = try Run(["dedupe", "work", "vault"], [accepted, job, accepted, job])
        #expect(jobs.output.hasPrefix("Job \(Sample.job): "))
        #expect(jobs.output.contains("\n\nJob \(Sample.job): "))
    }

    @Test(arguments: [["rport"], ["rport", "work", "--json"], ["private", "-v"]])
    func aCommandThatIsNoneIsNamed(words: [String]) throws {
        let run = try Run(words)
        #expect(run.status == .usage)
        #expect(run.error.hasPrefix("Error: There is no command '\(words[0])'."))
        #expect(run.output.isEmpty)
    }

    @Test(arguments: ["report", "new-data"])
    func valuesAreListedByHelpAndByWhatIsWrong(command: String) throws {
        let capture = Capture()
        let program = Program(
            console: capture.console(), interruption: Interruption(), environment: [:],
            isDom0: true, clock: .system)
        #expect(program.run(["help", command]) == .done)
        let words = command == "report" ? ReportSort.allCases.map(\.rawValue) : ["zstd", "default"]
        for word in words { #expect(capture.output.contains(word)) }
    }
}
