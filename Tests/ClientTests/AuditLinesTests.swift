// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Client

/// What became of a call, in words.
@Suite struct AuditLinesTests {
    private typealias Sample = AuditSample

    /// Both lines of the only call, with their moment left out.
    private func text(_ journal: [JournalEntry], mayLack: Bool = false) -> String {
        AuditLines.history(AuditHistory.entries(journal), mayLack: mayLack).map(\.text)
            .joined(separator: "\n").replacing(Moment.second(Sample.start) + "  ", with: "")
    }

    private func ended(
        _ service: String, as outcome: String, at seconds: Double = 0.1, detail: String = ""
    ) -> [JournalEntry] {
        [
            Sample.policy(0, service, ""),
            Sample.service(0, .request, service, "", detail: detail, call: "a"),
            Sample.service(seconds, .callEnd, service, "", outcome: outcome, call: "a"),
        ]
    }

    @Test func aCallWithoutACallerIsSaidInWords() {
        let call = Sample.service(
            0, .request, "", "", caller: "", target: "", outcome: "QubesValueError", detail: "late")
        #expect(
            text([call]) == """
                somebody called, and was gone before saying what
                  refused by the service: QubesValueError (late)
                """)
    }

    @Test(arguments: [
        (false, "nothing shows that it came to the service"),
        (true, "it never came to the service, or the record of it is lost"),
    ])
    func whatTheJournalLacksIsNotTakenForWhatNeverWas(mayLack: Bool, words: String) {
        #expect(
            text([Sample.policy(0)], mayLack: mayLack) == """
                mgmt called btrfs.Compress+private for work
                  allowed by policy; \(words)
                """)
    }

    @Test func aSetterReadsAsOne() {
        #expect(
            text(ended("btrfs.NewData", as: "done", detail: "zstd")) == """
                mgmt called btrfs.NewData for work, to set compress=zstd
                  allowed by policy; answered
                """)
        #expect(!text(ended("btrfs.NewData", as: "done")).contains("set"))
    }

    @Test func anEstimateReadsAsOne() {
        let estimate = [
            Sample.service(0, .request, "btrfs.Estimate", "", job: Sample.job),
            Sample.service(0, .jobStart, "btrfs.Estimate", "", job: Sample.job),
            Sample.service(
                1, .jobEnd, "btrfs.Estimate", "", job: Sample.job, outcome: "done", savedBytes: 0),
        ]
        let lines = text(estimate).replacing("\n   ", with: "")
        #expect(lines.contains("ended as done after 1 s, an estimate: nothing was changed"))
        #expect(!lines.contains("saved"))
    }

    @Test(arguments: [
        ("done", 0.1, "answered"), ("done", 12, "answered after 12 s"),
        ("gone", 12, "its caller went away after 12 s"),
        ("BtrfsError", 2, "it failed after 2 s: BtrfsError"),
    ])
    func aCallThatStartsNoJobSaysHowItEnded(outcome: String, seconds: Double, words: String) {
        let entries = ended("btrfs.Report", as: outcome, at: seconds)
        #expect(text(entries).hasSuffix("allowed by policy; \(words)"))
    }

    @Test func whatHasNoEndSaysSo() {
        #expect(text([Sample.service(0, call: "a")]).contains("its end is not in the journal"))
        #expect(text([Sample.service(0)]).hasSuffix("answered"))
        #expect(text(Array(Sample.wholeCall.prefix(3))).contains("its end is not in the"))
    }
}

@Suite struct AuditLossesTests {
    private typealias Sample = AuditSample

    private func records(_ daemon: String, _ numbers: UInt64...) -> [JournalEntry] {
        numbers.map { Sample.service(0, daemon: daemon, sequence: $0) }
    }

    @Test func gapsAreCountedForEachDaemon() {
        #expect(AuditLosses(records("a", 7, 8, 9) + records("b", 1, 2)).isEmpty)
        #expect(AuditLosses(records("a", 9, 4, 5) + records("b", 1, 3)).lostRecords == 4)
        #expect(AuditLosses(records("a", 1, .max) + records("b", 1, .max)).lostRecords == .max)
        #expect(AuditLosses([Sample.service(0), Sample.service(1)]).isEmpty)
        #expect(AuditLosses([]).sentences == [])
    }

    @Test func callsThatWereOnlyCountedAreSaid() {
        let losses = AuditLosses([
            Sample.service(0, .omitted, "", "", caller: "mgmt", detail: "35 more calls"),
            Sample.service(1, .omitted, "", "", caller: "mgmt", detail: "5 more calls"),
            Sample.service(1, .omitted, "", "", caller: "", detail: "1 more calls"),
        ])
        #expect(losses.countedCalls == ["mgmt": 40, "": 1])
        #expect(losses.sentences.count == 2)
        #expect(losses.sentences[1].hasPrefix("40 more calls of mgmt are only counted"))
    }
}
