// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Client

/// The ways to show a report.
@Suite struct ReportViewTests {
    private let report = SampleMachine.report

    @Test func everyColumnSortsTheLargestFirstAndNamesFromAOn() {
        for sort in ReportSort.allCases {
            let qubes = sort.sorted(report.qubes)
            #expect(
                sort.sorted(report.qubes, reversed: true).map(\.name)
                    == qubes.map(\.name).reversed())
        }
        #expect(ReportSort.disk.sorted(report.qubes).first?.name == "personal")
        #expect(ReportSort.shared.sorted(report.qubes).first?.name == "work-clone")
        #expect(ReportSort.ratio.sorted(report.qubes).first?.name == "debian-13-minimal")
        #expect(ReportSort.name.sorted(report.qubes).first?.name == "debian-13")
    }

    @Test func aTreeHasEachQubeBelowItsTemplate() throws {
        let lines = ReportLines.tree(report).texts
        let family = try #require(lines.firstIndex { $0.hasPrefix("fedora-43 (4) ") })
        #expect(lines[family + 1].hasPrefix("├ personal "))
        #expect(lines[family + 4].hasPrefix("└ fedora-43 "))
        // One that stands alone needs no heading.
        #expect(lines.contains { $0.hasPrefix("windows-11 ") })
        #expect(!lines.contains { $0.hasPrefix("windows-11 (") })
        #expect(lines.allSatisfy { $0.count <= 80 })
    }

    @Test func revisionsComeWithTheirAgeAndWhatAllOfThemBring() throws {
        let lines = ReportLines.revisions(report, now: SampleMachine.now).texts
        #expect(lines[0].hasPrefix("VOLUME "))
        let row = try #require(lines.first { $0.hasPrefix("personal:private ") })
        #expect(row.contains("2026-11-20 08:00") && row.contains(" 2 d "))
        #expect(lines.contains { $0.hasPrefix("If all 11 go together, 21.8 GiB") })
        // Moments are in the time of this machine, as everywhere.
        #expect(!lines[0].contains("UTC") && !Page.text(report).contains("(UTC)"))
    }

    @Test func oneExtentIsOne() {
        var figures = Figures()
        figures.extents = 1
        #expect(PageTables.storage(figures) == "Nothing on disk; 1 extent.")
        figures.extents = 2
        #expect(PageTables.storage(figures) == "Nothing on disk; 2 extents.")
    }

    @Test func oneRevisionAndNoneAreSaidAsWhatTheyAre() throws {
        var report = report
        report.qubes = [try #require(report.qubes.first { $0.name == "personal" })]
        let volume = report.qubes[0].volumes[0]
        let revision = try #require(volume.images.first { $0.role == "revision" })
        report.qubes[0].volumes = [volume]
        report.qubes[0].volumes[0].images = [revision]
        let one = ReportLines.revisions(report, now: SampleMachine.now).texts
        #expect(one.contains { $0.hasPrefix("If it goes, ") })
        report.qubes[0].volumes = []
        let none = ReportLines.revisions(report, now: SampleMachine.now).texts
        #expect(none.first == "personal has no revision.")
    }

    @Test func adviceNamesThreeQubesAndWhatItBrings() {
        let advice = Advice.best(of: report)
        #expect(advice.map(\.qube) == ["personal", "windows-11", "work"])
        #expect(advice[0].steps.map(\.isEstimate) == [true, false])
        #expect(
            advice[0].steps[1].bytes
                == report.qubes.first { $0.name == "personal" }?
                .figures.revisionsBytes)
        let lines = ReportLines.advice(report).texts
        #expect(lines.contains { $0.contains("qvm-btrfs compress personal") })
        #expect(lines.allSatisfy { $0.count <= 80 })
    }

    @Test func adviceFollowsAnEstimateAndLeavesWhatCannotBeCompressed() throws {
        var report = report
        let index = try #require(report.qubes.firstIndex { $0.name == "vault" })
        report.qubes[index].gains = [
            Gain(operation: "optimize", bytes: 1 << 40, measuredAt: 1),
            Gain(operation: "dedupe", bytes: 1 << 39, measuredAt: 1),
        ]
        let first = try #require(Advice.best(of: report).first)
        #expect(first.qube == "vault" && first.steps[0].command == "qvm-btrfs optimize vault")
        let personal = try #require(report.qubes.firstIndex { $0.name == "personal" })
        report.qubes[personal].volumes[0].images[0].nocow = true
        let steps = Advice.best(of: report).first { $0.qube == "personal" }?.steps ?? []
        #expect(steps.allSatisfy { !$0.isEstimate })
    }

    @Test func whatWasNeverWrittenIsGivenBackWhereNoQubeRunsAndNoEstimateHasIt() throws {
        var report = report
        let index = try #require(report.qubes.firstIndex { $0.name == "vault" })
        report.qubes[index].isRunning = false
        report.qubes[index].gains = nil
        report.qubes[index].figures.storage.append(
            Figures.Storage(
                kind: "preallocated", diskBytes: 1 << 42, contentBytes: 1 << 42,
                dataBytes: 1 << 42))
        func steps() -> [Advice.Step] {
            Advice.best(of: report).flatMap(\.steps).filter { $0.command.contains("sparsify") }
        }
        #expect(steps().map(\.command) == ["qvm-btrfs sparsify vault"])
        #expect(steps().map(\.bytes) == [1 << 42] && steps().allSatisfy { !$0.isEstimate })
        report.qubes[index].isRunning = true
        #expect(steps().isEmpty)
        report.qubes[index].isRunning = false
        report.qubes[index].gains = [Gain(operation: "optimize", bytes: 1 << 43, measuredAt: 1)]
        #expect(steps().isEmpty)
    }

    @Test func whatTheCommandDropsIsWhatItIsSaidToBring() throws {
        var report = report
        let index = try #require(report.qubes.firstIndex { $0.name == "personal" })
        let named = report.qubes[index].volumes[0]
        // Another volume of it has revisions as well.
        var other = named
        other.name = "data"
        other.figures.revisionsBytes = named.figures.revisionsBytes / 2
        report.qubes[index].volumes.append(other)
        report.qubes[index].figures.revisionsBytes += other.figures.revisionsBytes
        let advice = try #require(Advice.best(of: report).first { $0.qube == "personal" })
        let step = try #require(advice.steps.first { $0.command.contains("revisions_to_keep 0") })
        #expect(step.command.contains("personal:\(named.name) "))
        #expect(step.bytes == named.figures.revisionsBytes)
        // Of the two that the qube has, one.
        #expect(step.reason.hasPrefix("drop the revision of \(named.name):"))
    }

    @Test func aGainThatOnlyALaterClientCanHaveIsNoAdvice() throws {
        var report = report
        let index = try #require(report.qubes.firstIndex { $0.name == "vault" })
        report.qubes[index].gains = [
            Gain(operation: "rebalance", bytes: 1 << 50, measuredAt: 1)
        ]
        let commands = Advice.best(of: report).flatMap(\.steps).map(\.command)
        #expect(!commands.contains { $0.contains("rebalance") })
    }

    @Test func withoutAnythingCompressedNothingIsReckonedButSaid() {
        var report = report
        report.machine = nil
        report.total.compressedDiskBytes = 0
        #expect(Advice.best(of: report).flatMap(\.steps).allSatisfy { !$0.isEstimate })
        #expect(ReportLines.adviceHint(report)?.contains("is stored as it is") == true)
    }

    @Test func aFullMetadataIsSaidLoudly() throws {
        var usage = try #require(report.fileSystems.first)
        #expect(ReportLines.metadataWarning(usage) == nil)
        usage.unallocatedBytes = 1 << 20
        usage.metadataUsedBytes = usage.metadataTotalBytes / 10 * 9
        let warning = try #require(ReportLines.metadataWarning(usage))
        #expect(warning.contains("runs out first") && warning.contains("balance"))
    }

    @Test func valuesOfCSVAreQuotedAndNoFormula() {
        var report = Sample.report([Sample.qube("work", bytes: 4096)])
        report.qubes[0].kind = "a,\"b\""
        report.qubes[0].volumes[0].pool = "=cmd()"
        let lines = ReportCSV.text(report).split(separator: "\r\n")
        #expect(lines.count == 3)
        #expect(lines[0].hasPrefix("qube,class,template,running,volume,pool,sizeBytes,"))
        #expect(lines[1].hasPrefix("work,\"a,\"\"b\"\"\",,,,,4096,4096,2048,1024,1024,512,"))
        #expect(lines[2].hasPrefix("work,\"a,\"\"b\"\"\",,,private,'=cmd(),4096,"))
        for sign in ["+", "-", "@", "\t", "\r"] {
            report.qubes[0].volumes[0].pool = sign + "1\u{1b}"
            let text = ReportCSV.text(report)
            #expect(!text.contains("," + sign) && !text.contains("\u{1b}"), "\(sign)")
        }
    }

    @Test func aComparisonNamesWhatIsNewGoneAndChanged() {
        let old = Sample.report([
            Sample.qube("same", bytes: 1 << 30), Sample.qube("gone", bytes: 2 << 30),
            Sample.qube("grown", bytes: 1 << 30),
        ])
        let new = Sample.report(
            [
                Sample.qube("same", bytes: 1 << 30), Sample.qube("new", bytes: 8 << 30),
                Sample.qube("grown", bytes: 3 << 30),
            ])
        let comparison = ReportComparison(from: old, to: new)
        #expect(comparison.qubes.map(\.name) == ["new", "gone", "grown"])
        #expect(comparison.qubes.map(\.state) == ["new", "gone", "kept"])
        #expect(comparison.unchanged == 1)
        let lines = comparison.lines.texts
        #expect(lines.contains { $0.hasPrefix("new (new) ") && $0.contains("+4.00 GiB") })
        #expect(lines.contains { $0.hasPrefix("gone (gone) ") && $0.contains("-1.00 GiB") })
        #expect(lines.contains("1 qube is as it was."))
        #expect(ReportComparison(from: old, to: old).lines.texts[1] == "No qube has changed.")
    }

    @Test func ofCheckEachFindingHasReasonAndCommandAndTheWorstIsFirst() {
        let check = CheckReport(
            checkedAt: 0,
            findings: [
                .init(
                    .problem, "a", "varlibqubes", String(repeating: "many words ", count: 12),
                    reason: "It matters.", command: "mend it"),
                .init(.good, "b", "dom0", "the kernel is 6.12"),
            ])
        let lines = CheckLines.lines(check).texts
        #expect(lines[0].hasPrefix("PROBLEM  varlibqubes: many words"))
        #expect(lines.contains("         It matters.") && lines.contains("           mend it"))
        #expect(lines.contains("ok       dom0: the kernel is 6.12"))
        #expect(lines.last == "To mend: 1 problem.")
        #expect(lines.allSatisfy { $0.count <= 80 })
        #expect(
            CheckLines.lines(CheckReport(checkedAt: 0, findings: [])).texts.last
                == "Nothing needs to be mended.")
    }
}
