// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

extension ReportLines {
    /// The qubes to act on, what to do, and what it brings.
    static func advice(_ report: Report) -> [Line] {
        let best = Advice.best(of: report)
        var lines: [Line] = best.isEmpty ? [] : ["", Line("What would bring most:", .heading)]
        for advice in best {
            for (index, step) in advice.steps.enumerated() {
                let name = index == 0 ? advice.qube.sanitised.shortened(to: 20) : ""
                let size = (step.isEstimate ? "~" : "") + ByteText.size(step.bytes)
                let margin = "  \(name.leading(20)) \(size.trailing(9))  "
                lines += Line.wrapped(step.reason, after: margin, indent: margin.count)
                lines += Line.wrapped(
                    step.command, after: String(repeating: " ", count: margin.count + 2),
                    indent: margin.count + 4, style: .good)
            }
        }
        if let note = Advice.overlap(best) { lines += Line.wrapped(note, after: "  ", indent: 2) }
        if let hint = adviceHint(report) { lines += [""] + Line.wrapped(hint, indent: 0) }
        return lines
    }

    /// What can be said where nothing tells how much compression would bring.
    static func adviceHint(_ report: Report) -> String? {
        let plain = report.total.stored("none").diskBytes
        let isEstimated = report.qubes.contains { $0.gains?.isEmpty == false }
        guard report.compressionRatio == nil, !isEstimated, plain >= 1 << 30 else { return nil }
        return "\(ByteText.size(plain)) of this is stored as it is. What jobs would bring is not "
            + "known yet: 'qvm-btrfs estimate dom0' tells, changes nothing, and the next report "
            + "names the qubes where most is to be had."
    }

    /// The qubes that have grown for weeks, and what tells whether that has to be.
    static func growthHint(_ report: Report) -> [Line] { growthHint(report.qubes) }

    /// The same of some of them.
    static func growthHint(_ qubes: [Report.Qube]) -> [Line] {
        let grown = qubes.compactMap(Grown.init).sorted {
            let (one, other) = ($0.growth.grownBytes, $1.growth.grownBytes)
            return one == other ? $0.qube.name < $1.qube.name : one > other
        }
        if grown.isEmpty { return [] }
        var lines: [Line] = ["", Line("Grown for weeks, and never seen to shrink:", .heading)]
        for each in grown.prefix(Advice.most) {
            let growth = each.growth
            let size = ByteText.size(growth.grownBytes)
            lines += Line.wrapped(
                "\(each.qube.name):\(each.volume) by \(size) in \(growth.days) days "
                    + "(\(growth.looks) looks)", after: "  ", indent: 4)
        }
        let more = grown.count - Advice.most
        if more > 0 { lines.append(Line("  and \(more) more, which have grown less")) }
        lines += Line.wrapped(
            "Nothing was deleted in them, or nothing of that came back. This tells which:",
            after: "  ", indent: 2)
        let named = grown.prefix(Advice.most).map { $0.qube }
        let command = Report.Growth.trimCommand(
            named.map { $0.name }, starts: named.contains { $0.isRunning == false })
        return lines + Line.wrapped(command, after: "    ", indent: 6, style: .good)
    }

    /// The machine as a whole: what compression and sharing save, and what nobody's qube holds.
    static func machineLines(_ report: Report) -> [Line] {
        guard let machine = report.machine else { return [] }
        func line(_ name: String, _ bytes: UInt64, _ note: String) -> Line {
            Line("  \(name.leading(28))\(ByteText.size(bytes).trailing(9))  \(note)")
        }
        var lines: [Line] = [
            "", Line("The machine", .heading),
            line(
                "saved by sharing", machine.savedBySharingBytes, "clones and duplicates"),
            line(
                "saved by compression", machine.savedByCompressionBytes,
                report.compressionRatio.map { "shrunk \(ByteText.ratio($0)) : 1" } ?? ""),
            line(
                report.qubes.contains { $0.name == ServiceClient.machine }
                    ? "other files" : "dom0's and other files", machine.others.diskBytes,
                "of no qube's volume"),
            line(
                "in partly used extents", machine.everything.unreachableBytes,
                "parts that no file shows"),
        ]
        if let bytes = machine.deletedSubvolumesBytes, let count = machine.deletedSubvolumes {
            lines.append(line("in deleted subvolumes", bytes, "\(count), comes back by itself"))
        }
        for gain in machine.gains {
            lines.append(
                line(
                    "\(gain.operation.sanitised) would save", gain.bytes,
                    "about, as of \(Moment.day(gain.measuredAt))"))
        }
        return lines.map { Line(trimmed($0.text), $0.style) } + holders(machine)
    }

    /// The most subvolumes, and the most qubes, that a person is shown.
    private static let shownHolders = 8
    /// What holds less is not worth a row.
    private static let leastHeldBytes: UInt64 = 1 << 20

    /// Snapshots and other subvolumes that keep space, and whose.
    private static func holders(_ machine: MachineFigures) -> [Line] {
        let all = (machine.holders ?? []).filter { $0.diskBytes >= leastHeldBytes }
        guard !all.isEmpty, let together = machine.holdersBytes else { return [] }
        let table = TextTable(
            first: "Snapshots and other subvolumes", others: [("HOLD", 10), ("IF DELETED", 11)])
        var lines = [Line(""), table.heading]
        for holder in all.prefix(shownHolders) {
            let name = holder.path?.sanitised ?? "\(holder.count ?? 0) more"
            lines.append(
                table.row([
                    "  " + name.shortened(to: 50), ByteText.size(holder.diskBytes),
                    ByteText.size(holder.exclusiveBytes),
                ]))
        }
        if all.count > shownHolders {
            lines.append(Line("  and \(all.count - shownHolders) more: '--json' has all"))
        }
        lines.append(table.row(["  all of them together", "", ByteText.size(together)]))
        let qubes = (machine.heldOfQubes ?? []).filter { $0.bytes >= leastHeldBytes }
        if !qubes.isEmpty {
            let names = qubes.prefix(shownHolders).map {
                "\($0.qube.sanitised) \(ByteText.size($0.bytes))"
            }
            let more = qubes.count > shownHolders ? " and \(qubes.count - shownHolders) more" : ""
            lines += Line.wrapped(
                "Space of qubes that they keep: \(names.joined(separator: ", "))\(more).",
                indent: 2)
        }
        return lines
    }

    private static func trimmed(_ text: String) -> String {
        String(text.reversed().drop { $0 == " " }.reversed())
    }

    /// When metadata is full every write fails, whatever is free for data.
    static func metadataWarning(_ usage: FileSystemUsage) -> String? {
        guard let reach = usage.metadataEndsAfterBytes else { return nil }
        let pools = usage.pools.joined(separator: ", ")
        return "Metadata of \(pools) runs out first: after about \(ByteText.size(reach)) more data "
            + "every write fails, though \(ByteText.size(usage.dataRoomBytes)) are free for data. "
            + "'btrfs balance start -dusage=30 PATH' gives half-empty chunks back."
    }
}

/// A qube that has grown for weeks, and its volume that has grown most.
private struct Grown {
    let qube: Report.Qube
    let volume: String
    let growth: Report.Growth

    init?(_ qube: Report.Qube) {
        var most: (volume: String, growth: Report.Growth)?
        for volume in qube.volumes {
            guard let growth = volume.growth,
                growth.grownBytes > (most?.growth.grownBytes ?? 0)
            else { continue }
            most = (volume.name, growth)
        }
        guard let most else { return nil }
        self.qube = qube
        volume = most.volume
        growth = most.growth
    }
}
