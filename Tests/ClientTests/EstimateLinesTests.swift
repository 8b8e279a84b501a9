// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Client

@Suite struct EstimateLinesTests {
    private static func saving(_ bytes: UInt64, error: UInt64 = 0) -> Estimate.Saving {
        Estimate.Saving(savedBytes: bytes, errorBytes: error)
    }

    private static func figures(_ gibibytes: UInt64, error: UInt64 = 0) -> Estimate.Figures {
        let unit = gibibytes * Sample.gibibyte / 8
        let levels: [Int?] = [nil, 1, 3, 9, 15]
        return Estimate.Figures(
            diskBytes: 8 * unit, dedupe: saving(unit),
            levels: levels.map { level in
                .init(
                    level: level, compress: saving(2 * unit, error: error),
                    optimize: saving(3 * unit, error: error))
            })
    }

    private static func record(_ estimate: Estimate) -> JobRecord {
        var record = Sample.record(.done)
        record.operation = .estimate
        record.result?.estimate = estimate
        record.result?.problems = []
        return record
    }

    private static func qube(_ name: String, _ gibibytes: UInt64) -> Estimate.Qube {
        Estimate.Qube(
            name: name, figures: figures(gibibytes, error: Sample.gibibyte / 8),
            volumes: [
                .init(name: "root", figures: figures(gibibytes)),
                .init(name: "private", figures: figures(gibibytes)),
            ])
    }

    @Test func anEstimateOfTheMachineHasARowForEachQube() {
        let estimate = Estimate(
            total: Self.figures(80, error: Sample.gibibyte / 4),
            qubes: [Self.qube("work", 64), Self.qube(Sample.longName, 2)], qubesLeftOut: 3,
            sampledFrames: 5)
        let lines = JobLines.result(Self.record(estimate)).texts
        #expect(
            lines == [
                "Job 0123456789abcdef0123: estimate work:private is done in 3 min 12 s",
                "",
                "Of 80.0 GiB on disk, at the levels that are set, each would save:",
                "  compress  20.0 GiB ± 256 MiB",
                "  dedupe    10.0 GiB",
                "  optimize  30.0 GiB ± 256 MiB",
                "",
                "By compress alone, at each level:",
                "QUBE                            DISK     ZSTD 1     ZSTD 3     ZSTD 9    ZSTD 15",
                "work                        64.0 GiB   16.0 GiB   16.0 GiB   16.0 GiB   16.0 GiB",
                "a-name-of-thirty-one-cha…   2.00 GiB   ~512 MiB   ~512 MiB   ~512 MiB   ~512 MiB",
                "Total                       80.0 GiB   20.0 GiB   20.0 GiB   20.0 GiB   20.0 GiB",
                "±                                       256 MiB    256 MiB    256 MiB    256 MiB",
                "",
                "By optimize, which is dedupe and compress in one, at each level:",
                "QUBE                          DEDUPE     ZSTD 1     ZSTD 3     ZSTD 9    ZSTD 15",
                "work                        8.00 GiB   24.0 GiB   24.0 GiB   24.0 GiB   24.0 GiB",
                "a-name-of-thirty-one-cha…    256 MiB   ~768 MiB   ~768 MiB   ~768 MiB   ~768 MiB",
                "Total                       10.0 GiB   30.0 GiB   30.0 GiB   30.0 GiB   30.0 GiB",
                "±                                       256 MiB    256 MiB    256 MiB    256 MiB",
                "",
                "3 qubes that take less are in the total alone.",
                "~ stands before what may be wrong by more than a tenth. --json has each bound.",
            ])
    }

    @Test func anEstimateOfAQubeHasARowForEachVolume() {
        let estimate = Estimate(
            total: Self.figures(8), qubes: [Self.qube("work", 8)], qubesLeftOut: 0,
            sampledFrames: 5)
        let lines = EstimateLines.all(estimate).texts
        #expect(lines.contains { $0.hasPrefix("VOLUME ") })
        #expect(lines.contains { $0.hasPrefix("private ") })
        #expect(!lines.contains { $0.hasPrefix("work ") })
    }

    @Test func aJobShowsWhatWasEstimatedBeforeIt() {
        var record = Sample.record(.done)
        record.result?.estimatedBefore = EstimatedBefore(
            job: Sample.otherJob, endedAt: 5,
            saving: Self.saving(2 * Sample.gibibyte, error: Sample.gibibyte / 64))
        let lines = JobLines.result(record).texts
        let saved = lines.firstIndex { $0.hasPrefix("Saved: 2.00 GiB") }
        #expect(saved != nil)
        #expect(
            saved.map { lines[$0 + 1] }
                == "Estimated before: 2.00 GiB ± 16.0 MiB, by job 0123ffffffffffffffff")
    }

    @Test func theTableOfJobsClaimsNoSavingForAnEstimate() {
        let estimate = Estimate(
            total: Self.figures(8), qubes: [], qubesLeftOut: 0, sampledFrames: 5)
        let lines = JobLines.table(JobList(jobs: [Self.record(estimate)]), now: 0).texts
        #expect(lines[1].hasSuffix("done          -"))
    }

    @Test func whatAServiceSendsMovesNoTerminal() {
        let estimate = Estimate(
            total: Self.figures(8), qubes: [Self.qube(Sample.hostile, 8), Self.qube("work", 1)],
            qubesLeftOut: 0, sampledFrames: 5)
        for line in EstimateLines.all(estimate).texts {
            #expect(line.count <= TextTable.columns)
            #expect(!line.unicodeScalars.contains("\u{1b}"))
        }
    }
}
