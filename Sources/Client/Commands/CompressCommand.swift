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

    @OptionGroup var place: QubeArguments
    @OptionGroup var packing: LevelOptions
    @OptionGroup var job: JobOptions
    @OptionGroup var power: PowerOptions
    @OptionGroup var shared: SharedOptions

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        try context.start(
            .compress, on: place, job, shared,
            CompressRequest(
                level: packing.level, running: job.running, battery: power.battery,
                riskReadOnly: power.riskReadOnly))
    }
}
