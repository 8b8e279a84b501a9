// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// What changed from one report to a later one.
struct ReportComparison: Encodable, Equatable {
    /// A figure before and after.
    struct Change: Encodable, Equatable {
        var before: UInt64
        var after: UInt64

        /// How much it grew.
        var text: String { ByteText.change(from: before, to: after) }
        var isNone: Bool { before == after }
    }

    /// One qube, or all together.
    struct Row: Encodable, Equatable {
        /// The qube's name.
        var name: String
        /// `kept`, `new` or `gone`.
        var state: String
        var dataBytes: Change
        var diskBytes: Change
        var exclusiveBytes: Change
        var revisionsBytes: Change

        init(_ name: String, _ before: Figures?, _ after: Figures?) {
            self.name = name
            state = before == nil ? "new" : after == nil ? "gone" : "kept"
            let (old, new) = (before ?? Figures(), after ?? Figures())
            dataBytes = Change(before: old.dataBytes, after: new.dataBytes)
            diskBytes = Change(before: old.diskBytes, after: new.diskBytes)
            exclusiveBytes = Change(before: old.exclusiveBytes, after: new.exclusiveBytes)
            revisionsBytes = Change(before: old.revisionsBytes, after: new.revisionsBytes)
        }

        var isChanged: Bool {
            state != "kept"
                || !(dataBytes.isNone && diskBytes.isNone && exclusiveBytes.isNone
                    && revisionsBytes.isNone)
        }
    }

    /// The version of this object.
    var version = ProtocolVersion.current
    /// When the earlier report was made, seconds since 1970.
    var fromAt: Int64
    /// When the later one was made.
    var toAt: Int64
    /// The qubes that changed, the largest change on disk first.
    var qubes: [Row]
    /// How many qubes are as they were.
    var unchanged: Int
    /// All together.
    var total: Row
    /// What data takes, by the file systems' own count; where both reports have it.
    var dataUsedBytes: Change?

    init(from old: Report, to new: Report) {
        fromAt = old.generatedAt
        toAt = new.generatedAt
        let before = Self.byName(old)
        let after = Self.byName(new)
        let rows = Set(before.keys).union(after.keys).map { Row($0, before[$0], after[$0]) }
        qubes = rows.filter(\.isChanged).sorted {
            (Self.size($1.diskBytes), $0.name) < (Self.size($0.diskBytes), $1.name)
        }
        unchanged = rows.count - qubes.count
        total = Row("total", old.total, new.total)
        if !old.fileSystems.isEmpty && !new.fileSystems.isEmpty {
            dataUsedBytes = Change(
                before: HistoryPoint(at: 0, old.fileSystems).dataUsedBytes,
                after: HistoryPoint(at: 0, new.fileSystems).dataUsedBytes)
        }
    }

    private static func byName(_ report: Report) -> [String: Figures] {
        Dictionary(
            report.qubes.map { ($0.name, $0.figures) }, uniquingKeysWith: { first, _ in first })
    }

    private static func size(_ change: Change) -> UInt64 {
        max(change.before, change.after) - min(change.before, change.after)
    }

    /// As text of 80 columns.
    var lines: [Line] {
        let heading = Line(
            "From \(Moment.minute(fromAt)) to \(Moment.minute(toAt))", .heading)
        if qubes.isEmpty { return [heading, "No qube has changed."] + fileSystemLines }
        let table = TextTable(
            first: "QUBE",
            others: [("DATA", 9), ("DISK", 9), ("IS NOW", 8), ("EXCLUSIVE", 9), ("REVISIONS", 9)])
        func row(_ row: Row, _ style: Line.Style) -> Line {
            let name = row.state == "kept" ? row.name : "\(row.name) (\(row.state))"
            return table.row(
                [
                    name, row.dataBytes.text, row.diskBytes.text,
                    ByteText.size(row.diskBytes.after), row.exclusiveBytes.text,
                    row.revisionsBytes.text,
                ], style: style)
        }
        var total = total
        total.name = "Total"
        var lines = [heading, "", table.heading] + qubes.map { row($0, .plain) }
        lines.append(row(total, .heading))
        if unchanged > 0 {
            lines.append(
                "\(unchanged) \(unchanged == 1 ? "qube is as it was" : "qubes are as they were").")
        }
        return lines + fileSystemLines
    }

    private var fileSystemLines: [Line] {
        guard let used = dataUsedBytes else { return [] }
        return [
            "",
            Line(
                "By the file system's own count data takes \(ByteText.size(used.after)), "
                    + "which is \(used.isNone ? "as before" : used.text)."),
        ]
    }
}
