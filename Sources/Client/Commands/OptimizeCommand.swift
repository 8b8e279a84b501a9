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

    @OptionGroup var place: QubeArguments
    @OptionGroup var packing: LevelOptions
    @OptionGroup var job: JobOptions
    @OptionGroup var power: PowerOptions
    @OptionGroup var shared: SharedOptions

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        try context.start(
            .optimize, on: place, job, shared,
            CompressRequest(
                level: packing.level, running: job.running, battery: power.battery,
                riskReadOnly: power.riskReadOnly))
    }
}
