// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// `btrfs.Report` as text of 80 columns.
enum ReportLines {
    /// The machine: a row for each qube, the largest first.
    /// - Parameter whose: which qubes it is about, for where there are none.
    static func machine(
        _ report: Report, sort: ReportSort = .disk, isReversed: Bool = false,
        whose: String = "that you may see"
    ) -> [Line] {
        if report.qubes.isEmpty {
            return [Line("No qube \(whose) has a volume on a Btrfs pool.")] + rest(report)
        }
        let table = figuresTable(first: "QUBE")
        return [table.heading]
            + sort.sorted(report.qubes, reversed: isReversed).map {
                table.row([$0.name] + cells($0.figures))
            } + [totalRow(report, table)] + rest(report)
    }

    static func totalRow(_ report: Report, _ table: TextTable) -> Line {
        let count = report.qubes.count
        return table.row(
            ["Total (\(count) \(count == 1 ? "qube" : "qubes"))"] + cells(report.total),
            style: .heading)
    }

    /// What stands below the table of the machine.
    static func rest(_ report: Report) -> [Line] {
        advice(report) + growthHint(report) + nocowHint(report) + machineLines(report)
            + fileSystems(report.fileSystems) + problems(report.problems)
    }

    /// One qube, or several: a row for each volume, and the images that cannot be worked on.
    static func volumes(_ report: Report) -> [Line] {
        var lines: [Line] = []
        for qube in report.qubes {
            let table = figuresTable(first: "VOLUME")
            if !lines.isEmpty { lines.append("") }
            lines += Line.wrapped("\(qube.name) (\(qube.kind))", indent: 2, style: .heading)
            lines.append(table.heading)
            lines += qube.volumes.map { table.row([$0.name] + cells($0.figures)) }
            if qube.volumes.count != 1 {
                lines.append(table.row(["Total"] + cells(qube.figures), style: .heading))
            }
            lines += storageLines(qube)
            lines += nocowImages(qube)
            lines += NewDataLines.report(qube)
            lines += growthHint([qube])
            lines += settings(qube)
        }
        if lines.isEmpty { lines.append("The qube has no volume on a Btrfs pool.") }
        lines += fileSystems(report.fileSystems)
        return lines + problems(report.problems)
    }

    /// What could not be looked at, or was left; nothing when there is none.
    static func problems(_ problems: [Report.Problem]) -> [Line] {
        if problems.isEmpty { return [] }
        return ["", Line("Problems:", .warning)]
            + problems.flatMap {
                Line.wrapped(
                    "\($0.subject): \($0.message)", after: "  ", indent: 4, style: .warning)
            }
    }

    static func figuresTable(first: String) -> TextTable {
        let sizes = ["DATA", "DISK", "EXCLUSIVE", "SHARED", "REVISIONS"]
        return TextTable(
            first: first,
            others: sizes.map { ($0, max(ByteText.width, $0.count)) }
                + [("RATIO", ByteText.ratioWidth)])
    }

    static func cells(_ figures: Figures) -> [String] {
        [
            figures.dataBytes, figures.diskBytes, figures.exclusiveBytes, figures.sharedBytes,
            figures.revisionsBytes,
        ].map(ByteText.size) + [ByteText.ratio(figures.ratio)]
    }

    private static func nocowHint(_ report: Report) -> [Line] {
        let count = report.qubes.flatMap(\.volumes).flatMap(\.images).count { $0.nocow }
        if count == 0 { return [] }
        let images = count == 1 ? "1 image is" : "\(count) images are"
        return [""]
            + Line.wrapped(
                "\(images) NOCOW: not to be compressed or shared. "
                    + "'qvm-btrfs report QUBE' names them.",
                indent: 0, style: .warning)
    }

    private static func nocowImages(_ qube: Report.Qube) -> [Line] {
        let images = qube.volumes.flatMap(\.images).filter(\.nocow)
        if images.isEmpty { return [] }
        return ["", Line("NOCOW, not to be compressed or shared:", .warning)]
            + images.flatMap {
                Line.wrapped(
                    "\($0.path) (\($0.role), \(ByteText.size($0.sizeBytes)))", after: "  ",
                    indent: 4)
            }
    }

    /// What features say; nothing when the service says nothing.
    private static func settings(_ qube: Report.Qube) -> [Line] {
        let known = qube.volumes.compactMap { volume in
            volume.settings.map { (volume.name, $0) }
        }
        if known.isEmpty { return [] }
        return ["", Line("Settings:", .heading)]
            + Report.Settings.sentences(known).flatMap {
                Line.wrapped("\($0).", after: "  ", indent: 4)
            }
    }

    private static func fileSystems(_ usages: [FileSystemUsage]) -> [Line] {
        usages.flatMap(fileSystem)
    }

    private static func fileSystem(_ usage: FileSystemUsage) -> [Line] {
        var lines: [Line] = ["", fileSystemHeading(usage)]
        if usage.isMixed == true {
            // Both in the same chunks, on file systems of a few GiB.
            lines.append(part("both", used: usage.dataUsedBytes, total: usage.dataTotalBytes))
        } else {
            lines.append(part("data", used: usage.dataUsedBytes, total: usage.dataTotalBytes))
            lines.append(
                part("metadata", used: usage.metadataUsedBytes, total: usage.metadataTotalBytes))
        }
        lines += system(usage)
        let room = ByteText.size(usage.unallocatedBytes).trailing(ByteText.width)
        let device = ByteText.size(usage.deviceBytes).trailing(ByteText.width)
        lines.append(Line("  \("unallocated".leading(12))\(room)      of \(device)"))
        lines += mountOptions(usage)
        if let warning = metadataWarning(usage) {
            lines += Line.wrapped(warning, after: "  ", indent: 2, style: .warning)
        }
        return lines
    }

    private static func system(_ usage: FileSystemUsage) -> [Line] {
        guard let used = usage.systemUsedBytes, let total = usage.systemTotalBytes else {
            return []
        }
        return [part("system", used: used, total: total)]
    }

    private static func mountOptions(_ usage: FileSystemUsage) -> [Line] {
        guard let options = usage.mountOptions else { return [] }
        return Line.wrapped(
            options.isEmpty ? "none of interest" : options.joined(separator: ", "),
            after: "  \("mounted".leading(12))", indent: 14)
    }

    /// Names the pools that lie on a file system.
    static func fileSystemHeading(_ usage: FileSystemUsage) -> Line {
        if usage.pools.isEmpty { return Line("File system of dom0's own files", .heading) }
        let pools = usage.pools.map(\.sanitised).joined(separator: ", ")
        let kind = usage.pools.count == 1 ? "pool" : "pools"
        return Line(
            "File system of \(kind) \(pools)".shortened(to: TextTable.columns), .heading)
    }

    private static func part(_ name: String, used: UInt64, total: UInt64) -> Line {
        let share = ByteText.percent(used, of: total)
        return Line(
            "  \(name.leading(12))" + ByteText.size(used).trailing(ByteText.width) + " used of "
                + ByteText.size(total).trailing(ByteText.width)
                + (share.isEmpty ? "" : "  \(share)"))
    }
}
