// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

extension ReportLines {
    /// The qubes by template: each family with its members below it.
    static func tree(
        _ report: Report, sort: ReportSort = .disk, isReversed: Bool = false
    ) -> [Line] {
        let qubes = Dictionary(
            report.qubes.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        let sets = report.families ?? []
        if sets.isEmpty { return machine(report, sort: sort, isReversed: isReversed) }
        let table = figuresTable(first: "TEMPLATE AND QUBES")
        var lines = [table.heading]
        let order = sort.sorted(
            sets.map { Report.Qube(name: $0.name, kind: "", figures: $0.figures, volumes: []) },
            reversed: isReversed)
        for family in order {
            guard let set = sets.first(where: { $0.name == family.name }) else { continue }
            let members = sort.sorted(
                set.qubes.compactMap { qubes[$0] }, reversed: isReversed)
            if members.count == 1, let only = members.first {
                lines.append(table.row([only.name] + cells(only.figures)))
                continue
            }
            lines.append(
                table.row(["\(set.name) (\(members.count))"] + cells(set.figures), style: .heading))
            for (index, qube) in members.enumerated() {
                let branch = index == members.count - 1 ? "└ " : "├ "
                lines.append(table.row([branch + qube.name] + cells(qube.figures)))
            }
        }
        return lines + [totalRow(report, table)] + rest(report)
    }

    /// Every revision, the oldest first, and what comes back if all of them go.
    /// - Parameter now: seconds since 1970.
    static func revisions(_ report: Report, now: Int64) -> [Line] {
        struct Row {
            let volume: String
            let image: Report.Image
        }
        var rows: [Row] = []
        for qube in report.qubes {
            for volume in qube.volumes {
                rows += volume.images.filter { $0.role == "revision" }.map {
                    Row(volume: "\(qube.name):\(volume.name)", image: $0)
                }
            }
        }
        if rows.isEmpty {
            let names = report.qubes.map(\.name.sanitised)
            let whose = names.count == 1 ? "\(names[0]) has no revision." : "There is no revision."
            return [Line(whose)] + problems(report.problems)
        }
        rows.sort {
            ($0.image.createdAt ?? 0, $0.image.path) < ($1.image.createdAt ?? 0, $1.image.path)
        }
        let table = TextTable(
            first: "VOLUME",
            others: [("CREATED", 16), ("AGE", 6), ("DISK", 8), ("ONLY THERE", 10)])
        return [table.heading]
            + rows.map { row in
                let figures = row.image.figures ?? Figures()
                return table.row([
                    row.volume, row.image.createdAt.map(Moment.minute) ?? "-",
                    row.image.createdAt.map { Moment.age($0, now: now) } ?? "-",
                    ByteText.size(figures.diskBytes), ByteText.size(figures.exclusiveBytes),
                ])
            }
            + Line.wrapped(
                together(rows.count, bringing: ByteText.size(report.total.revisionsBytes)),
                indent: 0, style: .heading)
            + problems(report.problems)
    }

    private static func together(_ count: Int, bringing size: String) -> String {
        count == 1
            ? "If it goes, \(size) come back."
            : "If all \(count) go together, \(size) come back: what two revisions share is in "
                + "neither row."
    }

    /// How one qube is stored, and each of its images.
    static func storageLines(_ qube: Report.Qube) -> [Line] {
        guard qube.figures.diskBytes > 0, !qube.figures.storage.isEmpty else { return [] }
        var lines: [Line] = [""] + Line.wrapped(PageTables.storage(qube.figures), indent: 2)
        let images = qube.volumes.flatMap { volume in
            volume.images.map { (volume.name, $0) }
        }
        guard images.contains(where: { $0.1.figures != nil }) else { return lines }
        let table = TextTable(
            first: "IMAGE", others: [("SIZE", 8), ("DATA", 8), ("DISK", 8), ("ONLY THERE", 10)])
        lines += ["", table.heading]
        for (volume, image) in images {
            let figures = image.figures ?? Figures()
            lines.append(
                table.row(
                    ["\(volume), \(PageTables.name(image))", ByteText.size(image.sizeBytes)]
                        + [figures.dataBytes, figures.diskBytes, figures.exclusiveBytes].map(
                            ByteText.size)))
        }
        return lines
    }
}

/// A report as comma-separated values (RFC 4180): a row for each volume, and the first for names.
enum ReportCSV {
    private static let columns = [
        "qube", "class", "template", "running", "volume", "pool", "sizeBytes", "dataBytes",
        "diskBytes", "exclusiveBytes", "sharedBytes", "revisionsBytes", "compressedDiskBytes",
        "compressedDataBytes", "unreachableBytes", "extents",
    ]

    /// All rows. A qube's own row has no volume: volumes may share, so that they do not add up.
    static func text(
        _ report: Report, sort: ReportSort = .disk, isReversed: Bool = false
    ) -> String {
        var rows = [columns]
        for qube in sort.sorted(report.qubes, reversed: isReversed) {
            let running = qube.isRunning.map { $0 ? "yes" : "no" } ?? ""
            let about = [qube.name, qube.kind, qube.template ?? "", running]
            rows.append(about + ["", ""] + cells(qube.figures))
            rows += qube.volumes.map { about + [$0.name, $0.pool] + cells($0.figures) }
        }
        return rows.map { $0.map(field).joined(separator: ",") }.joined(separator: "\r\n")
    }

    private static func cells(_ figures: Figures) -> [String] {
        [
            figures.sizeBytes, figures.dataBytes, figures.diskBytes, figures.exclusiveBytes,
            figures.sharedBytes, figures.revisionsBytes, figures.compressedDiskBytes,
            figures.compressedDataBytes, figures.unreachableBytes, figures.extents,
        ].map(String.init)
    }

    /// A spreadsheet takes what begins with one of a few signs for a formula.
    private static func field(_ text: String) -> String {
        let safe = text.sanitised
        let guarded = safe.first.map { "=+-@".contains($0) } == true ? "'" + safe : safe
        guard guarded.contains(where: { ",\"".contains($0) }) else { return guarded }
        return "\"" + guarded.replacing("\"", with: "\"\"") + "\""
    }
}
