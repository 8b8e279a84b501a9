// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct DedupeCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "dedupe",
        abstract: "Share equal data within a qube's dedupe group.",
        usage: "qvm-btrfs dedupe <qube> [<volume>] [<options>]",
        discussion: """
            The job runs in dom0 and goes on when this program ends; Ctrl-C asks whether to leave \
            it running. The qube's feature 'btrfs.dedupe-group' says with which others it may share.

            Example: qvm-btrfs dedupe debian-12 root
            """)

    @Argument(help: "The qube; 'dom0' for all.", transform: Arguments.qube)
    var qube: QubeName

    @Argument(help: "One volume of it.", transform: Arguments.volume)
    var volume: VolumeName?

    @OptionGroup var job: JobOptions
    @OptionGroup var shared: SharedOptions

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        try context.follower(json: shared.json).start(
            .dedupe, target: qube.text, volume: volume?.text ?? "",
            request: DedupeRequest(running: job.running, battery: job.battery), waits: !job.noWait)
    }
}
