// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// `btrfs.Check` as text of 80 columns, the worst first.
enum CheckLines {
    static func lines(_ check: CheckReport) -> [Line] {
        var lines: [Line] = []
        for finding in check.findings where finding.level != .good {
            let mark = mark(finding.level)
            if !lines.isEmpty { lines.append("") }
            lines += Line.wrapped(
                "\(finding.subject): \(finding.message)", after: "\(mark.leading(9))", indent: 9,
                style: finding.level == .note ? .heading : .warning)
            if let reason = finding.reason {
                lines += Line.wrapped(reason, after: margin, indent: 9)
            }
            if let command = finding.command {
                lines += Line.wrapped(command, after: margin + "  ", indent: 13, style: .good)
            }
        }
        let good = check.findings.filter { $0.level == .good }
        if !good.isEmpty {
            if !lines.isEmpty { lines.append("") }
            lines += good.flatMap {
                Line.wrapped("\($0.subject): \($0.message)", after: "ok       ", indent: 9)
            }
        }
        return lines + ["", summary(check)]
    }

    private static let margin = String(repeating: " ", count: 9)

    private static func mark(_ level: CheckReport.Finding.Level) -> String {
        switch level {
        case .good: "ok"
        case .note: "note"
        case .warning: "warning"
        case .problem: "PROBLEM"
        case .unknown(let word): word.sanitised.shortened(to: 8)
        }
    }

    private static func summary(_ check: CheckReport) -> Line {
        let unknown = check.findings.count { $0.level.isUnknown }
        let known = [("problem", CheckReport.Finding.Level.problem), ("warning", .warning)]
            .map { name, level in (name, check.findings.count { $0.level == level }) }
        let counts = (known + [("finding of a later release", unknown)])
            .filter { $0.1 > 0 }
            .map { name, count in "\(count) \(name)\(count == 1 ? "" : "s")" }
        return counts.isEmpty
            ? Line("Nothing needs to be mended.", .good)
            : Line("To mend: \(counts.joined(separator: ", ")).", .warning)
    }
}
