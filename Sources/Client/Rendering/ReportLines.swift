// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// `btrfs.Report` as text of 80 columns.
enum ReportLines {
    /// The machine: a row for each qube, the largest first.
    static func machine(_ report: Report) -> [Line] {
        var lines: [Line] = []
        if report.qubes.isEmpty {
            lines.append("No qube that you may see has a volume on a Btrfs pool.")
        } else {
            let table = figuresTable(first: "QUBE")
            lines.append(table.heading)
            lines += report.qubes.sorted(by: isLarger).map {
                table.row([$0.name] + cells($0.figures))
            }
            let count = report.qubes.count
            lines.append(
                table.row(
                    ["Total (\(count) \(count == 1 ? "qube" : "qubes"))"] + cells(report.total),
                    style: .heading))
        }
        lines += nocowHint(report)
        lines += fileSystems(report.fileSystems)
        return lines + problems(report.problems)
    }

    /// One qube, or several: a row for each volume, and the images that cannot be worked on.
    static func volumes(_ report: Report) -> [Line] {
        var lines: [Line] = []
        for qube in report.qubes {
            let table = figuresTable(first: "VOLUME")
            if !lines.isEmpty { lines.append("") }
            lines.append(Line("\(qube.name.sanitised) (\(qube.kind.sanitised))", .heading))
            lines.append(table.heading)
            lines += qube.volumes.map { table.row([$0.name] + cells($0.figures)) }
            if qube.volumes.count != 1 {
                lines.append(table.row(["Total"] + cells(qube.figures), style: .heading))
            }
            lines += nocowImages(qube)
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

    private static func isLarger(_ one: Report.Qube, _ other: Report.Qube) -> Bool {
        let (oneDisk, otherDisk) = (one.figures.diskBytes, other.figures.diskBytes)
        return oneDisk == otherDisk ? one.name < other.name : oneDisk > otherDisk
    }

    private static func figuresTable(first: String) -> TextTable {
        let sizes = ["DATA", "DISK", "EXCLUSIVE", "SHARED", "REVISIONS"]
        return TextTable(
            first: first,
            others: sizes.map { ($0, max(ByteText.width, $0.count)) }
                + [("RATIO", ByteText.ratioWidth)])
    }

    private static func cells(_ figures: Figures) -> [String] {
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

    private static func fileSystems(_ usages: [FileSystemUsage]) -> [Line] {
        usages.flatMap { usage in
            ["", fileSystemHeading(usage)] + [
                part("data", used: usage.dataUsedBytes, total: usage.dataTotalBytes),
                part("metadata", used: usage.metadataUsedBytes, total: usage.metadataTotalBytes),
                Line(
                    "  \("unallocated".leading(12))"
                        + ByteText.size(usage.unallocatedBytes).trailing(ByteText.width)
                        + "      of "
                        + ByteText.size(usage.deviceBytes).trailing(ByteText.width)),
            ]
        }
    }

    /// Names the pools that lie on a file system.
    static func fileSystemHeading(_ usage: FileSystemUsage) -> Line {
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
