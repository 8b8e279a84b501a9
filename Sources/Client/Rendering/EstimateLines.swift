// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// An estimate as text of 80 columns.
enum EstimateLines {
    /// The least of a figure that its error must be for the figure to be marked: a tenth.
    private static let doubtfulPart = 10.0

    /// What all jobs would save, then by qube, or by volume where there is one qube.
    static func all(_ estimate: Estimate) -> [Line] {
        summary(estimate)
            + table(
                estimate, "By compress alone, at each level:", second: "DISK",
                { ByteText.size($0.diskBytes) }, \.compress)
            + table(
                estimate, "By optimize, which is dedupe and compress in one, at each level:",
                second: "DEDUPE", { text($0.dedupe) }, \.optimize)
            + notes(estimate)
    }

    /// What an estimate had said before a job.
    static func before(_ before: EstimatedBefore) -> [Line] {
        Line.wrapped(
            "Estimated before: \(bounded(before.saving)), by job \(before.job)", indent: 2)
    }

    /// `1.23 GiB ± 12.0 MiB`, or the figure alone where it is exact.
    static func bounded(_ saving: Estimate.Saving) -> String {
        ByteText.size(saving.savedBytes)
            + (saving.errorBytes == 0 ? "" : " ± \(ByteText.size(saving.errorBytes))")
    }

    private static func summary(_ estimate: Estimate) -> [Line] {
        var rows = [("dedupe", estimate.total.dedupe)]
        if let level = estimate.total.level(nil) {
            rows = [("compress", level.compress)] + rows + [("optimize", level.optimize)]
        }
        let disk = ByteText.size(estimate.total.diskBytes)
        return [
            "", Line("Of \(disk) on disk, at the levels that are set, each would save:", .heading),
        ]
            + rows.map { Line("  \($0.leading(10))\(bounded($1))") }
    }

    private static func table(
        _ estimate: Estimate, _ title: String, second: String,
        _ secondCell: (Estimate.Figures) -> String,
        _ part: (Estimate.Level) -> Estimate.Saving
    ) -> [Line] {
        let levels = estimate.total.levels.compactMap(\.level).prefix(4)
        let width = ByteText.width + 1
        let isOne = estimate.qubes.count == 1
        let table = TextTable(
            first: isOne ? "VOLUME" : "QUBE",
            others: [(second, width)] + levels.map { ("ZSTD \($0)", width) })
        func row(_ name: String, _ figures: Estimate.Figures, _ style: Line.Style) -> Line {
            let cells = levels.map { level in
                figures.level(level).map { text(part($0)) } ?? "-"
            }
            return table.row([name, secondCell(figures)] + cells, style: style)
        }
        var rows: [Line] = []
        if isOne, let qube = estimate.qubes.first {
            rows = qube.volumes.map { row($0.name, $0.figures, .plain) }
        } else {
            rows = estimate.qubes.map { row($0.name, $0.figures, .plain) }
        }
        let bounds = levels.map { level in
            estimate.total.level(level).map { ByteText.size(part($0).errorBytes) } ?? "-"
        }
        return ["", Line(title, .heading), table.heading] + rows
            + [row("Total", estimate.total, .heading), table.row(["±", ""] + bounds)]
    }

    private static func notes(_ estimate: Estimate) -> [Line] {
        var lines: [Line] = []
        if estimate.qubesLeftOut > 0 {
            lines += Line.wrapped(
                "\(estimate.qubesLeftOut) qubes that take less are in the total alone.", indent: 0)
        }
        let all =
            estimate.qubes.flatMap { [$0.figures] + $0.volumes.map(\.figures) } + [estimate.total]
        if all.flatMap(\.levels).contains(where: {
            isDoubtful($0.compress) || isDoubtful($0.optimize)
        }) {
            lines += Line.wrapped(
                "~ stands before what may be wrong by more than a tenth. --json has each bound.",
                indent: 0)
        }
        return lines.isEmpty ? [] : [""] + lines
    }

    private static func text(_ saving: Estimate.Saving) -> String {
        (isDoubtful(saving) ? "~" : "") + ByteText.size(saving.savedBytes)
    }

    private static func isDoubtful(_ saving: Estimate.Saving) -> Bool {
        saving.savedBytes > 0
            && Double(saving.errorBytes) * doubtfulPart > Double(saving.savedBytes)
    }
}
