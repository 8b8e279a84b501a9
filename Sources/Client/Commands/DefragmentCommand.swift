// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct DefragmentCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "defragment",
        abstract: "Make fewer, larger extents; what is shared stays shared.",
        usage: "qvm-btrfs defragment <qube> [<volume>] [<options>]",
        discussion: """
            The job runs in dom0 and goes on when this program ends; Ctrl-C asks whether to leave \
            it running. What can be read quickly as it is, is left alone.

            Example: qvm-btrfs defragment work private
            """)

    @OptionGroup var place: QubeArguments
    @OptionGroup var job: JobOptions
    @OptionGroup var power: PowerOptions
    @OptionGroup var shared: SharedOptions

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        try context.start(
            .defragment, on: place, job, shared,
            DedupeRequest(
                running: job.running, battery: power.battery,
                riskReadOnly: power.riskReadOnly))
    }
}
