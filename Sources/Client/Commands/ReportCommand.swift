// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct ReportCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Show what qubes take on disk.",
        discussion: """
            Without QUBE, or with 'dom0': all qubes that you may see, the largest first, and the \
            file systems. With QUBE: each of its volumes.

            DATA is what the images hold, DISK what that takes on the device, EXCLUSIVE what comes \
            back if the qube goes, SHARED what others use, too, REVISIONS what comes back if the \
            revisions go, RATIO is DATA over DISK. In the total an extent that two \
            qubes share counts once, and is exclusive to all of them together.

            Example: qvm-btrfs report work private
            """)

    @Argument(help: "The qube; 'dom0' for all.", transform: Arguments.qube)
    var qube: QubeName?

    @Argument(help: "One volume of it.", transform: Arguments.volume)
    var volume: VolumeName?

    @OptionGroup var shared: SharedOptions

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        let target = qube?.text ?? ServiceClient.machine
        let report = try context.client.report(target: target, volume: volume?.text ?? "")
        if shared.json {
            try context.console.raw(JSONText.plain(report))
        } else if target == ServiceClient.machine {
            try context.console.data(ReportLines.machine(report))
        } else {
            try context.console.data(ReportLines.volumes(report))
        }
        return .done
    }
}
