// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// Trims as text of 80 columns.
enum TrimLines {
    private static let table = TextTable(
        first: "QUBE", others: [("EMPTIED", 9), ("AT ONCE", 9), ("LATER", 9)])

    /// What stands above the rows.
    static var heading: Line { table.heading }

    /// A qube that was trimmed.
    static func row(_ qube: String, _ figures: TrimFigures) -> Line {
        row(qube, figures, .plain)
    }

    /// A qube that was not trimmed, in a plain word.
    static func row(_ qube: String, _ word: String) -> Line {
        let name = qube.sanitised.shortened(to: 40)
        return Line("\(name.leading(40))  not trimmed: \(word)", .warning)
    }

    /// Why a qube was not trimmed, as short as it can be said; nil where it was.
    static func word(_ record: TrimRecord) -> String? {
        switch record.outcome {
        case "trimmed": nil
        case "noFstrim": "no fstrim in it"
        case "fstrimFailed": "fstrim failed in it"
        case "refused": "refused by policy"
        case "noAgent": "no agent in it"
        case "silent", "unanswered": "no answer"
        case "notRunning": "it does not run"
        case "nothingLasts": "nothing lasts in it"
        case "noVolume": "no volume on Btrfs"
        case "devices": "it gets devices"
        case "templateInUse": "others run from it"
        case "wouldStartOthers": "would start others"
        case "runs": "started meanwhile"
        case "startFailed": "its start failed"
        case "interrupted": "interrupted"
        default: "see the reason"
        }
    }

    /// What all of them have brought, and what the words mean.
    static func sum(_ sum: TrimSum) -> [Line] {
        let failed =
            sum.failedQubes == 0
            ? [] : [Line("Not trimmed, and named with the reason: \(sum.failedQubes).", .warning)]
        if sum.trimmedQubes == 0 { return [Line("Nothing was trimmed.")] + failed }
        let name = sum.trimmedQubes == 1 ? "1 qube" : "\(sum.trimmedQubes) qubes"
        var lines = [row(name, sum.brought, .heading), ""]
        let brought = sum.brought
        lines += Line.wrapped(
            "EMPTIED is what became holes in the images, AT ONCE what came back on disk.", indent: 0
        )
        if brought.heldBytes > 0 {
            lines += Line.wrapped(
                "LATER is held by revisions, and by what the qubes were before their start: it "
                    + "comes back when these are gone, usually after the next start and stop. "
                    + "Until then that part of the trim brings nothing.", indent: 0)
        }
        if brought.sharedBytes > 0 {
            lines += Line.wrapped(
                "\(ByteText.size(UInt64(brought.sharedBytes))) others go on to use, as clones do.",
                indent: 0)
        }
        return lines + failed
    }

    /// Those that were left alone.
    static func skipped(_ halted: Int, _ others: Int, isBeforeJob: Bool) -> [Line] {
        var lines: [Line] = []
        if halted > 0 {
            let start = isBeforeJob ? "'qvm-btrfs trim --start'" : "--start"
            lines.append(
                Line("Not running, left alone: \(halted). \(start) starts them for this."))
        }
        if others > 0 { lines.append(Line("Nothing that lasts in them, left alone: \(others).")) }
        return lines
    }

    private static func row(_ name: String, _ figures: TrimFigures, _ style: Line.Style) -> Line {
        table.row(
            [name] + [figures.emptiedBytes, figures.freedBytes, figures.heldBytes].map(size),
            style: style)
    }

    /// Below zero it has grown.
    private static func size(_ bytes: Int64) -> String {
        (bytes < 0 ? "-" : "") + ByteText.size(bytes.magnitude)
    }
}
