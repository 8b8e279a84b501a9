// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// What `setup` shows, as text of 80 columns.
enum SetupLines {
    /// What is to be done, or was done, each with its reason.
    static func steps(_ steps: [SetupStep], heading: String) -> [Line] {
        var lines = [Line(heading, .heading)]
        for step in steps {
            lines.append(Line("  \(step.command)", .good))
            lines += Line.wrapped(step.reason, after: "      ", indent: 6)
        }
        return lines
    }

    /// What should be mended, or is worth knowing; the command for all of it.
    static func findings(_ check: CheckReport) -> [Line] {
        var check = check
        let good = check.findings.count { $0.level == .good }
        check.findings.removeAll { $0.level == .good }
        var lines = [Line("What 'qvm-btrfs check' found", .heading), ""]
        lines += CheckLines.lines(check)
        let things = "\(good) thing\(good == 1 ? "" : "s")"
        lines.append(
            Line("\(things) that it looked at \(good == 1 ? "is" : "are") as they should be."))
        return lines
    }

    /// Why nothing of this can keep the machine from starting.
    static let harmless = Line.wrapped(
        "Nothing of this is in /etc/fstab or needed by the start of the machine: no unit that "
            + "boots waits for these, and one that fails is in 'systemctl --failed'.", indent: 0)

    /// The lines of policy, and where they go; without an admin qube, what prints them.
    static func policy(_ policy: PolicyText?) -> [Line] {
        guard let policy else {
            return [Line("To let an admin qube call, put what this prints into policy", .heading)]
                + [Line("  qvm-btrfs policy ADMIN --tag created-by-ADMIN", .good)]
        }
        let path = "/etc/qubes/policy.d/\(PolicyText.file)"
        return [Line("For \(path), which setup leaves to you", .heading)]
            + policy.text.split(separator: "\n", omittingEmptySubsequences: false)
            .dropLast().map { Line(String($0)) }
    }
}
