// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Client

/// What is said of a job whose time was over.
@Suite struct RemainderLinesTests {
    private func record(_ left: JobRemainder) -> JobRecord {
        var record = Sample.record(.done)
        record.result?.left = left
        return record
    }

    private var left: JobRemainder {
        JobRemainder(
            forSeconds: 7200, plannedBytes: 120 * Sample.gibibyte,
            leftBytes: 36 * Sample.gibibyte, leftContentBytes: 72 * Sample.gibibyte,
            predictedBytes: Sample.gibibyte, restSeconds: 3780)
    }

    private func prose(_ left: JobRemainder) -> String {
        RemainderLines.all(left).texts.joined(separator: " ")
            .split(separator: " ").joined(separator: " ")
    }

    @Test func itStoppedAsAskedAndSaysWhatIsLeft() throws {
        let lines = JobLines.result(record(left)).texts
        #expect(
            lines.prefix(2) == [
                "Job 0123456789abcdef0123: compress work:private stopped after 2 h 0 min, as",
                "  asked",
            ])
        // What there was no time for could not be saved.
        #expect(lines.contains("Saved: 2.00 GiB (predicted: 2.00 GiB)"))
        #expect(
            prose(left)
                == "Left: 36.0 GiB of 120 GiB, which would save 1.00 GiB, about 1 h 3 min at this "
                + "rate. The same command goes on there.")
        #expect(lines.allSatisfy { $0.count <= 80 })
        #expect(record(left).exitStatus == .done)
    }

    @Test func whatIsNotKnownIsNotSaid() {
        var left = left
        left.predictedBytes = nil
        left.restSeconds = nil
        #expect(prose(left) == "Left: 36.0 GiB of 120 GiB. The same command goes on there.")
    }

    @Test func beforeAnythingWasMovedItSaysWhatIsKnown() {
        var left = JobRemainder(forSeconds: 60, unplannedFileSystems: 1)
        #expect(prose(left).hasPrefix("Nothing was moved yet. What every run does first"))
        left.toKnowBytes = 4 * Sample.gibibyte
        left.knownBytes = Sample.gibibyte
        #expect(
            prose(left).hasPrefix(
                "Nothing was moved yet: of 4.00 GiB of content it knows 1.00 GiB by now."))
        #expect(prose(left).contains("give it more time"))
    }

    @Test func ofSeveralFileSystemsOneMayNotHaveBeenComeTo() {
        var left = left
        left.unplannedFileSystems = 2
        #expect(prose(left).contains("On 2 file systems nothing was moved yet."))
    }

    @Test func theListOfJobsShowsHowFarItCame() {
        let list = JobList(jobs: [
            record(left), record(JobRemainder(forSeconds: 60, unplannedFileSystems: 1)),
        ])
        let lines = JobLines.table(list, now: 302).texts
        #expect(lines[1].contains("  done 70 %  "))
        #expect(lines[3].contains("   done 0 %  "))
        #expect(lines.allSatisfy { $0.count <= 80 })
    }

    @Test func figuresThatCannotBeDoNotTrap() {
        var left = JobRemainder(
            forSeconds: .max, plannedBytes: 1, leftBytes: .max, leftContentBytes: .max,
            predictedBytes: .max, restSeconds: .infinity, unplannedFileSystems: .max)
        left.knownBytes = .max
        left.toKnowBytes = 1
        #expect(!JobLines.result(record(left)).isEmpty)
        left.unplannedFileSystems = .min
        #expect(!JobLines.result(record(left)).isEmpty)
    }
}
