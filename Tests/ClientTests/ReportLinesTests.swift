// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Client

@Suite struct ReportLinesTests {
    private let heading =
        "QUBE                       DATA      DISK  EXCLUSIVE    SHARED  REVISIONS  RATIO"

    @Test func theLargestQubeComesFirstAndTheTotalLast() {
        let lines = ReportLines.machine(
            Sample.report([
                Sample.qube("small", bytes: 0),
                Sample.qube(Sample.longName, bytes: 16 * Sample.tebibyte),
            ])
        ).texts
        #expect(
            lines.prefix(4) == [
                heading,
                "a-name-of-thirty-one…  16.0 TiB  8.00 TiB   4.00 TiB  4.00 TiB   2.00 TiB   2.00",
                "small                       0 B       0 B        0 B       0 B        0 B      -",
                "Total (2 qubes)        16.0 TiB  8.00 TiB   4.00 TiB  4.00 TiB   2.00 TiB   2.00",
            ])
    }

    @Test func aReportOfDom0IsTheOneOfTheMachine() throws {
        let answer = try Envelope.answer(
            Sample.report(
                [Sample.qube("work", bytes: 4096)],
                fileSystems: [Sample.usage(dataUsedBytes: Sample.gibibyte)])
        ).encoded()
        let machine = try Run(["report"], [.answer(answer)])
        let dom0 = try Run(["report", "dom0"], [.answer(answer)])
        #expect(dom0.calls == machine.calls)
        #expect(dom0.output == machine.output)
        #expect(machine.output.contains("\nTotal (1 qube) "))
    }

    @Test func whatIsBeingDeletedIsARowOfItsOwn() {
        var report = Sample.report([Sample.qube("work", bytes: 4096)])
        report.machine = MachineFigures(
            everything: Figures(), others: Figures(), savedByCompressionBytes: 0,
            savedBySharingBytes: 0)
        func rows() -> [String] {
            ReportLines.machine(report).texts.filter { $0.contains("deleted") }
        }
        #expect(rows().isEmpty)
        report.machine?.deletedSubvolumes = 2
        report.machine?.deletedSubvolumesBytes = 3 << 30
        #expect(
            rows() == ["  in deleted subvolumes        3.00 GiB  2, comes back by itself"])
    }

    @Test func qubesOfOneSizeAreSortedByName() {
        let names = ["c", "a", "b"]
        let lines = ReportLines.machine(
            Sample.report(names.map { Sample.qube($0, bytes: 4096) })
        ).texts
        #expect(lines[1...3].map { $0.prefix(1) } == ["a", "b", "c"])
    }

    @Test func everyRowIs80ColumnsWideForEveryFigure() {
        let figures = Figures(
            sizeBytes: .max, dataBytes: .max, diskBytes: 1, exclusiveBytes: 1, revisionsBytes: .max)
        var qube = Sample.qube(Sample.longName, bytes: 1)
        qube.figures = figures
        var report = Sample.report([qube])
        report.total = figures
        for line in ReportLines.machine(report).prefix(3) { #expect(line.text.count == 80) }
        for line in ReportLines.machine(report) { #expect(line.text.count <= 80) }
    }

    @Test func anEmptyReportSaysSo() {
        #expect(
            ReportLines.machine(Sample.report([])).texts
                == ["No qube that you may see has a volume on a Btrfs pool."])
        // None of them runs, as it may be.
        #expect(
            ReportLines.machine(Sample.report([]), whose: "that is running").texts
                == ["No qube that is running has a volume on a Btrfs pool."])
        #expect(
            ReportLines.volumes(Sample.report([])).texts
                == ["The qube has no volume on a Btrfs pool."])
    }

    @Test func fileSystemsComeWithTheirOwnAccount() {
        let lines = ReportLines.machine(
            Sample.report(
                [], fileSystems: [Sample.usage(dataUsedBytes: 512 * Sample.gibibyte)])
        ).texts
        #expect(
            lines.suffix(4) == [
                "File system of pool varlibqubes",
                "  data         512 GiB used of 1.00 TiB  50 %",
                "  metadata    1.00 GiB used of 4.00 GiB  25 %",
                "  unallocated 1.00 TiB      of 16.0 TiB",
            ])
    }

    @Test func problemsComeLastAndAreWrapped() {
        let problem = Report.Problem(
            subject: "pool-of-a-name", message: String(repeating: "many words ", count: 20))
        let lines = ReportLines.machine(
            Sample.report([Sample.qube("work", bytes: 1)], problems: [problem])
        ).texts
        #expect(lines.contains("Problems:"))
        #expect(lines.suffix(2).allSatisfy { $0.count <= 80 && $0.hasPrefix("    ") })
    }

    @Test func aQubeIsShownByItsVolumes() {
        var qube = Sample.qube("work", bytes: Sample.gibibyte)
        qube.volumes.insert(
            .init(name: "root", pool: "varlibqubes", figures: Sample.figures(0), images: []), at: 0)
        let lines = ReportLines.volumes(Sample.report([qube])).texts
        #expect(lines[0] == "work (AppVM)")
        #expect(lines[1].hasPrefix("VOLUME "))
        #expect(lines[2].hasPrefix("root "))
        #expect(lines[3].hasPrefix("private "))
        #expect(lines[4].hasPrefix("Total "))
        #expect(lines[1...4].allSatisfy { $0.count == 80 })
    }

    @Test func aQubeWithOneVolumeNeedsNoTotal() {
        let lines = ReportLines.volumes(Sample.report([Sample.qube("work", bytes: 1)])).texts
        #expect(!lines.contains { $0.hasPrefix("Total") })
    }

    @Test func theMachineCountsNOCOWImagesAndAQubeNamesThem() {
        let report = Sample.report([Sample.qube("work", bytes: 4096, nocow: true)])
        #expect(ReportLines.machine(report).texts.contains { $0.hasPrefix("1 image is NOCOW") })
        #expect(
            ReportLines.volumes(report).texts
                .contains("  appvms/work/private.img (clean, 4.00 KiB)"))
    }

    @Test func whatHasGrownForWeeksIsNamedOnceWithTheCommand() {
        func qube(_ name: String, _ mebibytes: UInt64?, isRunning: Bool = true) -> Report.Qube {
            var volume = Report.Volume(
                name: "private", pool: "p", figures: Figures(), images: [])
            volume.growth = mebibytes.map {
                .init(sinceAt: 0, lastAt: 30 * 86400, grownBytes: $0 << 20, looks: 5)
            }
            var qube = Report.Qube(
                name: name, kind: "AppVM", figures: Figures(), volumes: [volume])
            qube.isRunning = isRunning
            return qube
        }
        func words(_ qubes: [Report.Qube]) -> [String] {
            ReportLines.growthHint(qubes).map {
                $0.text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            }
        }
        #expect(words([qube("work", nil)]).isEmpty)
        #expect(
            words([
                qube("a", 300), qube("work", 900), qube("b", 400), qube("c", 500), qube("d", nil),
            ]) == [
                "", "Grown for weeks, and never seen to shrink:",
                "work:private by 900 MiB in 30 days (5 looks)",
                "c:private by 500 MiB in 30 days (5 looks)",
                "b:private by 400 MiB in 30 days (5 looks)", "and 1 more, which have grown less",
                "Nothing was deleted in them, or nothing of that came back. This tells which:",
                "qvm-btrfs trim work c b",
            ])
        #expect(words([qube("work", 900, isRunning: false)]).last == "qvm-btrfs trim work --start")
        let hostile = qube(Sample.hostile, 900)
        for line in ReportLines.growthHint([hostile, qube(Sample.longName, 900)]) {
            #expect(line.text.count <= TextTable.columns, "\(line.text)")
        }
    }
}
