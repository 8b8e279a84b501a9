// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Client

@Suite struct JobLinesTests {
    @Test func theTableShowsEachJobWithWhatItSaved() {
        var running = Sample.record(.running)
        running.progress = Sample.progress(
            done: 43, of: 100, saved: 5 * Sample.gibibyte, at: 50)
        var queued = Sample.record(.queued)
        queued.target = Sample.longName
        let lines = JobLines.table(
            JobList(jobs: [queued, running, Sample.record(.interrupted)]), now: 302
        ).texts
        #expect(
            lines == [
                "JOB                                 STARTED         TOOK        STATE      SAVED",
                "0123456789abcdef0123                      -            -       queued          -",
                "  compress a-name-of-thirty-one-characters:private, for dom0 at 1970-01-01 00:01",
                "0123456789abcdef0123       1970-01-01 00:01   3 min 12 s     run 43 %  ~5.00 GiB",
                "  compress work:private, for dom0",
                "0123456789abcdef0123       1970-01-01 00:01   3 min 12 s  interrupted   2.00 GiB",
                "  compress work:private, for dom0",
                "",
                "'qvm-btrfs watch 0123456789abcdef0123 --qube work' follows the one that runs.",
            ])
    }

    @Test func theTableSaysForWhomAJobHoldsAndNothingOfOneThatGoesOn() {
        var record = Sample.record(.running)
        record.progress = Sample.progress(done: 43, of: 100, at: 50)
        record.progress?.pacing = Pacing(state: .held, reason: .trim, heldAt: 60, qube: "work")
        let lines = JobLines.table(JobList(jobs: [record]), now: 302).texts
        #expect(lines[1].contains(" held "))
        let text = lines.joined(separator: " ").split(separator: " ").joined(separator: " ")
        #expect(text.contains(" is held since 00:01: work is being trimmed. It goes on by"))
        #expect(lines.allSatisfy { $0.count <= 80 })
        record.state = .paused
        #expect(!JobLines.table(JobList(jobs: [record]), now: 302).texts.joined().contains("trim"))
    }

    @Test func whatIsLeftOutOfTheMachineIsNamed() {
        var record = Sample.record(.done)
        record.target = "dom0"
        record.argument = ""
        record.exclude = ["vault", "dom0"]
        #expect(JobLines.title(record) == "compress dom0 without vault, dom0's own files")
    }

    @Test func anEmptyQueueSaysSo() {
        #expect(JobLines.table(JobList(jobs: []), now: 0).texts == ["No jobs that you may see."])
    }

    @Test func theResultOfADoneJobIsMeasuredByTheFileSystem() {
        #expect(
            JobLines.result(Sample.record(.done)).texts == [
                "Job 0123456789abcdef0123: compress work:private is done in 3 min 12 s",
                "",
                "File system of pool varlibqubes",
                "  MEASURED BY THE FILE SYSTEM                     BEFORE       AFTER      CHANGE",
                "  data used                                     10.0 GiB    8.00 GiB   -2.00 GiB",
                "  metadata used                                 1.00 GiB    1.00 GiB         0 B",
                "  unallocated                                   1.00 TiB    1.00 TiB         0 B",
                "",
                "Saved: 2.00 GiB (predicted: 3.00 GiB)",
                "Extents: 1 234 567 seen, 1 000 replaced; 2 500 references moved",
                "",
                "Left alone:",
                "  4.00 KiB  only running qubes use them (12)",
                "",
                "Problems:",
                "  work: NOCOW",
            ])
    }

    @Test func aFailedJobSaysWhy() {
        let lines = JobLines.result(Sample.record(.failed))
        #expect(lines.texts.joined(separator: " ").contains("failed after 3 min 12 s:"))
        #expect(lines.first?.style == .warning)
    }

    @Test func anInterruptedJobSaysThatItCanBeStartedAgain() {
        let text = JobLines.result(Sample.record(.interrupted)).texts.joined(separator: " ")
        #expect(text.contains("can be started again"))
    }

    @Test func aJobWithoutAResultHasItsHeadlineAlone() {
        var record = Sample.record(.failed)
        record.result = nil
        #expect(JobLines.result(record).count == 1)
    }

    @Test func whatOthersWroteMeanwhileIsNoSaving() {
        var record = Sample.record(.done)
        record.result = Sample.result(before: Sample.gibibyte, after: 3 * Sample.gibibyte)
        let text = JobLines.result(record).texts.joined(separator: "\n")
        #expect(text.contains("Saved: nothing to be seen, 2.00 GiB more were written meanwhile"))
    }

    @Test func whatBecamePlainHasGrown() {
        var record = Sample.record(.done)
        record.result = Sample.result(before: Sample.gibibyte, after: 3 * Sample.gibibyte)
        record.result?.own = JobCount(
            freedBytes: UInt64(Sample.gibibyte), writtenBytes: UInt64(3 * Sample.gibibyte))
        let text = JobLines.result(record).texts.joined(separator: "\n")
        #expect(text.contains("Grown by 2.00 GiB: what was compressed is plain now."))
    }

    @Test func whatCouldNotBeReadIsNamedWithWhereItStillLies() {
        var record = Sample.record(.done)
        record.result?.unreadable = Sample.unreadable
        record.result?.unreadableCount = 70
        record.result?.deviceErrors = [DeviceErrorCounts(device: "/dev/sda2", reads: 2)]
        let texts = JobLines.result(record).texts
        let start = texts.firstIndex { $0.hasPrefix("Unreadable") } ?? 0
        #expect(
            Array(texts[start...].prefix(15)) == [
                "Unreadable on the disk (70 places):",
                "  work:private, appvms/work/private.img: 4.00 KiB at byte 25165824",
                "    the same content lies in backup:private, appvms/backup/private.img at 8192",
                "  a-name-of-thirty-one-characters:private,",
                "    appvms/a-name-of-thirty-one-characters/private-precache.img: 16.0 EiB at",
                "    byte 18446744073709551615",
                "  inode 300 of subvolume 5: 8.00 KiB at byte 0",
                "  ... and 67 more",
                "  /dev/sda2: 2 read errors while the job ran",
                "  Nothing was pointed at what could not be read. Restore these places, from a",
                "  backup or from where the same content lies, and look after the disk: btrfs",
                "  device stats, then btrfs scrub start.",
                "",
                "Problems:",
                "  work: NOCOW",
            ])
        for text in texts { #expect(text.count <= 80) }
    }

    @Test func whatTheOtherCopyHasMendedIsCountedAndNoFault() {
        var record = Sample.record(.done)
        record.result?.deviceErrors = [DeviceErrorCounts(device: "/dev/sda2", corruptions: 1)]
        let lines = JobLines.result(record)
        #expect(
            lines.texts.contains("  /dev/sda2: 1 wrong checksum while the job ran"))
        #expect(lines.texts.contains { $0.contains("The images are whole") })
        #expect(lines.first?.style == .good)
    }

    @Test(arguments: JobState.allCases)
    func noLineIsWiderThan80Columns(state: JobState) {
        var record = Sample.record(state)
        record.target = Sample.longName
        record.error = String(repeating: "word", count: 100)
        record.result = Sample.result(before: .max, after: 0)
        let lines = JobLines.result(record) + JobLines.table(JobList(jobs: [record]), now: .max)
        for line in lines { #expect(line.text.count <= 80) }
    }
}
