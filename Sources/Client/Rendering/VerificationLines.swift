// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// What a verification has found, as text of 80 columns.
enum VerificationLines {
    /// What is different first, then the rows by qube, or by volume where there is one qube.
    static func all(_ verification: Verification, seconds: Double) -> [Line] {
        different(verification) + [""] + summary(verification, seconds: seconds)
            + table(verification) + notes(verification)
    }

    /// All of it in a few words: `12 equal, 3 written to since, 1 in use`.
    static func brief(_ verification: Verification) -> String {
        let total = verification.total
        let parts = [
            (total.different, "DIFFERENT"), (total.unreadable, "unreadable"),
            (total.equal, "equal"), (total.written, "written to since"), (total.new, "new"),
            (total.inUse, "in use"),
        ].filter { $0.0 > 0 }.map { "\(ByteText.count($0.0)) \($0.1)" }
        return "Images: \(parts.isEmpty ? "none" : parts.joined(separator: ", "))."
    }

    private static func summary(_ verification: Verification, seconds: Double) -> [Line] {
        let total = verification.total
        let compared = total.equal + total.different
        var lines: [Line] = []
        if compared > 0 {
            let images = compared == 1 ? "1 image" : "\(ByteText.count(compared)) images"
            let size = ByteText.size(total.comparedBytes)
            let since = total.oldestAt.map { " of \(Moment.minute($0)) and later" } ?? ""
            lines += Line.wrapped(
                "Compared: \(images), \(size), with digests\(since)."
                    + (total.different == 0 ? " Not a byte has changed." : ""),
                indent: 2, style: total.different == 0 ? .good : .plain)
        }
        lines += Line.wrapped(brief(verification), indent: 2)
        if verification.readBytes > 0, seconds > 0 {
            let rate = ByteText.size(UInt64(min(Double(verification.readBytes) / seconds, 1e18)))
            lines += Line.wrapped(
                "Read from the disk: \(ByteText.size(verification.readBytes)), \(rate)/s.",
                indent: 2)
        }
        return lines
    }

    private static func table(_ verification: Verification) -> [Line] {
        if verification.volumes.isEmpty { return [] }
        let byQube = Dictionary(grouping: verification.volumes, by: \.qube)
        let isOne = byQube.count == 1
        let table = TextTable(
            first: isOne ? "VOLUME" : "QUBE",
            others: [
                ("EQUAL", 5), ("WRITTEN", 7), ("NEW", 4), ("IN USE", 6), ("DIFFERENT", 9),
                ("COMPARED", ByteText.width), ("SINCE", 10),
            ])
        func row(_ name: String, _ counts: Verification.Counts, isTotal: Bool = false) -> Line {
            let numbers = [
                counts.equal, counts.written, counts.new, counts.inUse, counts.different,
            ]
            return table.row(
                [name] + numbers.map { $0 == 0 ? "-" : ByteText.count($0) } + [
                    ByteText.size(counts.comparedBytes), counts.oldestAt.map(Moment.day) ?? "-",
                ], style: counts.different > 0 ? .warning : isTotal ? .heading : .plain)
        }
        let rows =
            isOne
            ? verification.volumes.map { row($0.name, $0.counts) }
            : byQube.sorted { $0.key < $1.key }.map { name, volumes in
                row(name, volumes.reduce(.init()) { $0 + $1.counts })
            }
        return ["", table.heading] + rows + [row("Total", verification.total, isTotal: true)]
    }

    private static func notes(_ verification: Verification) -> [Line] {
        if verification.volumesLeftOut == 0 { return [] }
        return [""]
            + Line.wrapped(
                "\(verification.volumesLeftOut) more volumes are in the total alone.", indent: 0)
    }

    // MARK: What is different

    private static func different(_ verification: Verification) -> [Line] {
        if verification.total.different == 0 { return [] }
        let images = verification.different.flatMap { image in
            Line.wrapped(
                "\(image.qube):\(image.volume), \(image.image): not as on"
                    + " \(Moment.minute(image.takenAt))", after: "  ", indent: 4, style: .warning)
        }
        let count = verification.total.different
        let more = count - min(count, UInt64(verification.different.count))
        return ["", Line("DIFFERENT, though nobody wrote, by the time stamps:", .warning)] + images
            + (more == 0 ? [] : [Line("  ... and \(ByteText.count(more)) more", .warning)])
            + advice(verification)
    }

    private static func advice(_ verification: Verification) -> [Line] {
        if verification.accepted == true {
            return Line.wrapped(
                "Accepted: digests of what they hold now are kept in place of the earlier ones.",
                after: "  ", indent: 2)
        }
        return Line.wrapped(
            "Run no job until you know why: 'sudo systemctl disable --now"
                + " qubes-btrfs-weekly.timer qubes-btrfs-follow.service'. Run this again: if it is"
                + " equal then, memory or the way to the disk is at fault. Else compare the image"
                + " with a backup, or with an older revision; 'btrfs scrub start -B' and 'btrfs"
                + " device stats' tell of the disk. If no disk and no program of yours has done it,"
                + " report it with the lines of this service in dom0's journal"
                + " (docs/reliability.md). What is settled, 'qvm-btrfs verify --accept QUBE' keeps"
                + " as it is now.", after: "  ", indent: 2)
    }
}
