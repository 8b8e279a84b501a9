// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Client

@Suite struct VerificationLinesTests {
    private static func counts(
        _ verdicts: [Verification.Verdict], bytes: UInt64 = Sample.gibibyte
    ) -> Verification.Counts {
        verdicts.reduce(into: .init()) {
            $0.add($1, sizeBytes: bytes, takenAt: 1_764_000_000)
        }
    }

    private static func record(_ verification: Verification) -> JobRecord {
        var record = Sample.record(.done)
        record.operation = .verify
        record.argument = ""
        record.target = "dom0"
        record.result?.verification = verification
        record.result?.problems = []
        return record
    }

    private static let whole = Verification(
        volumes: [
            .init(qube: "vault", name: "private", counts: counts([.equal, .written, .inUse])),
            .init(qube: "work", name: "private", counts: counts([.equal, .new])),
            .init(qube: "work", name: "root", counts: counts([.equal])),
        ], different: [], readBytes: 192 * Sample.gibibyte)

    private static let different = Verification(
        volumes: [.init(qube: "work", name: "private", counts: counts([.equal, .different]))],
        different: [
            .init(
                qube: "work", volume: "private", image: "appvms/work/private.img",
                sizeBytes: 1, takenAt: 1_764_000_000)
        ], readBytes: 1)

    @Test func aVerificationOfTheMachineHasARowForEachQube() {
        let since = Moment.minute(1_764_000_000)
        let day = Moment.day(1_764_000_000)
        #expect(
            JobLines.result(Self.record(Self.whole)).texts == [
                "Job 0123456789abcdef0123: verify dom0 is done in 3 min 12 s",
                "",
                "Compared: 3 images, 3.00 GiB, with digests of \(since) and later. Not a",
                "  byte has changed.",
                "Images: 3 equal, 1 written to since, 1 new, 1 in use.",
                "Read from the disk: 192 GiB, 1.00 GiB/s.",
                "",
                "QUBE               EQUAL  WRITTEN   NEW  IN USE  DIFFERENT  COMPARED       SINCE",
                "vault                  1        1     -       1          -  1.00 GiB  \(day)",
                "work                   2        -     1       -          -  2.00 GiB  \(day)",
                "Total                  3        1     1       1          -  3.00 GiB  \(day)",
            ])
    }

    @Test func aVerificationOfAQubeHasARowForEachVolume() {
        let lines = VerificationLines.all(Self.different, seconds: 1).texts
        #expect(lines.contains { $0.hasPrefix("VOLUME ") })
        #expect(lines.contains { $0.hasPrefix("private ") })
    }

    @Test func whatIsDifferentComesFirstWithWhatToDo() throws {
        let answer = try Envelope.answer(Self.record(Self.different)).encoded()
        let run = try Run(["watch", Sample.job], [.answer(answer)])
        #expect(run.status == .different)
        let text = run.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(text.contains("is done, and something is DIFFERENT"))
        #expect(text.contains("work:private, appvms/work/private.img: not as on"))
        #expect(text.contains("Run no job until you know why"))
        #expect(text.contains("verify --accept QUBE"))
        #expect(!text.contains("Not a byte has changed"))
        #expect(run.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
    }

    @Test func whatIsDifferentIsSaidWhateverElseBecameOfTheJob() throws {
        var record = Self.record(Self.different)
        record.result?.unreadable = Sample.unreadable
        for state in [JobState.done, .cancelled] {
            record.state = state
            let answer = try Envelope.answer(record).encoded()
            #expect(try Run(["watch", Sample.job], [.answer(answer)]).status == .different)
        }
    }

    @Test func whatWasAcceptedIsDone() throws {
        var verification = Self.different
        verification.accepted = true
        let answer = try Envelope.answer(Self.record(verification)).encoded()
        let run = try Run(["watch", Sample.job], [.answer(answer)])
        #expect(run.status == .done)
        #expect(run.output.contains("Accepted: "))
        #expect(!run.output.contains("Run no job"))
    }

    @Test func oneLineForALogHasAllVerdicts() {
        #expect(
            JobLines.summary(Self.record(Self.whole)).text
                == "verify dom0 is done: Images: 3 equal, 1 written to since, 1 new, 1 in use."
                + " Job 0123456789abcdef0123.")
        #expect(JobNotification(Self.record(Self.different)).isUrgent)
    }

    @Test func theTableOfJobsClaimsNoSavingForIt() {
        let lines = JobLines.table(JobList(jobs: [Self.record(Self.whole)]), now: 0).texts
        #expect(lines[1].hasSuffix("done          -"))
    }

    @Test func whatAServiceSendsMovesNoTerminal() {
        let hostile = Verification(
            volumes: [
                .init(qube: Sample.hostile, name: Sample.hostile, counts: Self.counts([.equal])),
                .init(qube: Sample.longName, name: "root", counts: Self.counts([.equal])),
            ],
            different: [
                .init(
                    qube: Sample.hostile, volume: Sample.hostile, image: Sample.hostile,
                    sizeBytes: .max, takenAt: .min)
            ], readBytes: .max)
        for line in VerificationLines.all(hostile, seconds: 1e-9).texts {
            #expect(line.count <= TextTable.columns)
            #expect(!line.unicodeScalars.contains("\u{1b}"))
        }
    }

    @Test(arguments: [
        ["verify", "--accept"], ["verify", "--accept", "--all"], ["verify", "--accept", "dom0"],
        ["verify", "dom0:system"], ["verify", "work", "--running"], ["verify", "--for", "2h"],
    ])
    func whatMakesNoSenseIsWrongUsage(words: [String]) throws {
        #expect(try Run(words).status == .usage)
    }

    @Test func whatIsAskedForIsSaid() throws {
        let accepted = try Envelope.answer(JobAccepted(job: Sample.job)).encoded()
        let words = ["verify", "work", "--accept", "--battery", "--no-wait"]
        let run = try Run(words, [.answer(accepted)])
        #expect(run.status == .done)
        let call = try #require(run.calls.first)
        #expect(call.hasPrefix("btrfs.Verify+ dom0 name work\0"))
        #expect(call.contains(#""accept":true"#) && call.contains(#""battery":true"#))
    }
}
