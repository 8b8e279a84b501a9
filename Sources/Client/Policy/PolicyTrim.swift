// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

// What a trim needs of policy, beside what every other command does. Running something as root in a
// qube is more than any of those may do, so that it is asked for by its own option.

extension PolicyText {
    /// The kinds of devices that Qubes has.
    static let deviceKinds = ["block", "mic", "pci", "usb"]

    /// In the order of the file.
    var trimGroups: [Group] {
        let whose = targets.map(\.text).joined(separator: ", ")
        let tokens = targets.flatMap(\.tokens).filter { $0 != "@adminvm" }
        return [
            Group(
                says:
                    "\(admin.text) trims these where they run (fstrim, as root in them): \(whose)",
                lines: MountPoint.allCases.flatMap { mount in
                    tokens.map { Self.trimLine(mount, from: admin.text, to: $0) }
                }),
            Group(
                says: "\(admin.text) has jobs on them hold meanwhile",
                lines: tokens.map { line(ServiceName.jobHold.rawValue, "+", $0) }),
            Group(
                says: "\(admin.text) starts them for it and shuts them down (trim --start)",
                lines: starting.flatMap { method, argument in
                    tokens.map { line(method, argument, $0) }
                } + machine.map { line($0, "+", "@adminvm") }),
        ]
    }

    /// The line that allows one command in a qube, with every byte of it, and only where it runs:
    /// a call must start nothing.
    static func trimLine(_ mount: MountPoint, from admin: String, to token: String) -> String {
        "\(VMRootExec.service) +\(VMRootExec.argument(mount)) \(admin) \(token) "
            + "allow autostart=no"
    }

    /// What is said when qrexec lets no trim into a qube.
    static func trimRefusal(of qube: String, to caller: QubeName?) -> String {
        let name = caller?.text ?? "THIS"
        let lines = MountPoint.allCases.map {
            "'\(trimLine($0, from: name, to: qube))'"
        }
        return
            "the trim was refused by policy, or no agent of qrexec answers in it. To allow it put "
            + "these lines into dom0's /etc/qubes/policy.d/\(file)"
            + (caller == nil ? ", with this qube's name for THIS: " : ": ")
            + lines.joined(separator: " and ")
            + ". In dom0 'qvm-btrfs policy \(name) --qube \(qube) --trim' prints these and what "
            + "--start needs."
    }

    private var starting: [(String, String)] {
        [("admin.vm.Start", "+"), ("admin.vm.Shutdown", "+")]
            + TrimStarter.needs.map { ("admin.vm.property.Get", "+\($0)") }
            + Self.deviceKinds.flatMap {
                [("admin.vm.device.\($0).Assigned", "+"), ("admin.vm.device.\($0).List", "+")]
            }
    }

    /// Which kinds of devices there are, and whether others run from a template.
    private var machine: [String] { ["admin.deviceclass.List", ServiceName.report.rawValue] }

    private func line(_ method: String, _ argument: String, _ token: String) -> String {
        "\(method) \(argument) \(admin.text) \(token) allow target=dom0"
    }
}
