// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct CheckCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Look whether dom0 and the images are fit, and say what to mend.",
        discussion: """
            Without QUBE, or with 'dom0': kernel, file system, mount options, loop devices, room, \
            and all images that you may see. With QUBE: its images alone. Nothing is changed.

            Exit status: 0 when all is well or only worth knowing, 7 when something should be \
            mended.

            Example: qvm-btrfs check
            """)

    @Argument(help: "The qube; 'dom0' for all.", transform: Arguments.qube)
    var qube: QubeName?

    @OptionGroup var shared: SharedOptions

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        let check = try context.client.check(target: qube?.text ?? ServiceClient.machine)
        if shared.json {
            try context.console.raw(JSONText.plain(check))
        } else {
            try context.console.data(CheckLines.lines(check))
        }
        return check.wantsAction ? .findings : .done
    }
}
