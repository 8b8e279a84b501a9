// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct CompressCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "compress",
        abstract: "Compress a qube's images; what is shared stays shared.",
        usage: "qvm-btrfs compress <qube> [<volume>] [--level <number>] [<options>]",
        discussion: """
            The job runs in dom0 and goes on when this program ends; Ctrl-C asks whether to leave \
            it running. Without --level the qube's feature 'btrfs.compress' says, or the service.

            Example: qvm-btrfs compress work --level 9
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
            .compress, target: qube.text, volume: volume?.text ?? "",
            request: CompressRequest(
                level: level, running: job.running, battery: job.battery), waits: !job.noWait)
    }
}
