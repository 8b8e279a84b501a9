// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct OptimizeCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "optimize",
        abstract: "Share equal data and compress the rest, in one pass.",
        usage: "qvm-btrfs optimize <qube> [<volume>] [--level <number>] [<options>]",
        discussion: """
            The job runs in dom0 and goes on when this program ends; Ctrl-C asks whether to \
            leave it running. Every unique byte is read, compressed and written once. Without \
            --level the qube's feature 'btrfs.compress' says, or the service; \
            'btrfs.dedupe-group' says with which other qubes it may share.

            Example: qvm-btrfs optimize work --level 6
            """)

    @Argument(help: "The qube; 'dom0' for all.", transform: Arguments.qube)
    var qube: QubeName

    @Argument(help: "One volume of it.", transform: Arguments.volume)
    var volume: VolumeName?

    @Option(
        help: ArgumentHelp("The zstd level, 1 to 19.", valueName: "number"),
        transform: Arguments.level)
    var level: Int?

    @OptionGroup var job: JobOptions
    @OptionGroup var shared: SharedOptions

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        try context.follower(json: shared.json).start(
            .optimize, target: qube.text, volume: volume?.text ?? "",
            request: CompressRequest(
                level: level, running: job.running, battery: job.battery), waits: !job.noWait)
    }
}
