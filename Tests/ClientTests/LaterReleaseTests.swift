// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import Testing

@testable import Client

/// A service of a later release, and a client of this one.
@Suite struct LaterReleaseTests {
    private func laterRecord(_ state: String = "waning") -> JobRecord {
        var record = Sample.record(.done)
        record.operation = .unknown("rebalance-metadata")
        record.state = .unknown(state)
        return record
    }

    /// Without the ends of lines.
    private func prose(_ text: String) -> String {
        text.split(separator: "\n").map { $0.trimmingPrefix("  ") }.joined(separator: " ")
    }

    @Test func theOtherJobsAreShownAndTheUnknownWordIsNamed() throws {
        let list = JobList(jobs: [laterRecord(), Sample.record(.done)])
        let run = try Run(["jobs"], [.answer(Envelope.answer(list).encoded())])
        #expect(run.status == .done)
        #expect(run.output.contains("compress"))
        #expect(prose(run.output).contains("this one does not know: rebalance-metadata, waning."))
    }

    @Test func aListThatIsKnownSaysNothingOfIt() throws {
        let run = try Run(
            ["jobs"], [.answer(Envelope.answer(JobList(jobs: [Sample.record(.done)])).encoded())])
        #expect(!run.output.contains("later release"))
    }

    @Test func aJobThatEndsInAnUnknownWayIsFollowedToItsEnd() throws {
        var progress = Sample.progress(done: 1, of: 2, at: 1)
        progress.stage = .unknown("polish")
        progress.pacing = Pacing(state: .unknown("dozing"), reason: .unknown("moonlight"))
        let stream =
            try Envelope.event(.state, laterRecord("waxing")).encoded()
            + Envelope.event(.progress, progress).encoded()
            + Envelope.answer(laterRecord()).encoded()
        let run = try Run(["watch", Sample.job], [.answer(stream)])
        #expect(run.status == .failed)
        #expect(run.error.contains("polish"))
        #expect(run.error.contains("dozing: moonlight"))
        #expect(prose(run.output).contains("state that this release does not know: waning"))
    }

    @Test func aFindingOfAnUnknownLevelIsShown() throws {
        let finding = CheckReport.Finding(.unknown("disaster"), "t", "the disk", "is on fire")
        let run = try Run(
            ["check"],
            [.answer(Envelope.answer(CheckReport(checkedAt: 1, findings: [finding])).encoded())])
        #expect(run.status == .findings)
        #expect(run.output.contains("disaster the disk: is on fire"))
        #expect(run.output.contains("To mend: 1 finding of a later release."))
    }

    @Test func anUnknownReasonIsSaid() {
        let newData = NewData(
            isCompressed: true, reason: .unknown("magic"), isCompressedLater: true,
            directoryProperty: nil)
        let lines = NewDataLines.all(NewDataReply(volumes: [.init(name: "root", newData: newData)]))
        let text = lines.map(\.text).joined()
        #expect(text.contains("for a reason that this release does not know: magic"))
    }

    @Test func noUnknownWordMovesATerminalOrFillsIt() throws {
        var record = laterRecord("\u{1b}[2J\u{202e}" + String(repeating: "x", count: 1000))
        record.operation = .unknown("\u{1b}[2J\n" + String(repeating: "y", count: 1000))
        let run = try Run(["jobs"], [.answer(Envelope.answer(JobList(jobs: [record])).encoded())])
        #expect(run.output.utf8.allSatisfy { $0 >= 0x20 || $0 == 0x0a })
        #expect(run.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
        #expect(run.output.count < 1000)
    }
}
