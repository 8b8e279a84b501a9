// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct OptimizeCommand: TimedJobCommand {
    static let configuration = CommandConfiguration(
        commandName: "optimize",
        abstract: "Share equal data and compress the rest, in one pass.",
        usage: "qvm-btrfs optimize [<qube>[:<volume>] ...] [<options>]",
        discussion: """
            The job runs in dom0 and goes on when this program ends; Ctrl-C asks whether to \
            leave it running. Every unique byte is read, compressed and written once. Without \
            --level the qube's feature 'btrfs.compress' says, or 3 is taken. 'qvm-btrfs help \
            dedupe' says what may share.

            Several qubes are worked on one after the other, a job each. Without a name it is one \
            job for all that you may see, which finds what they have in common.

            Example: qvm-btrfs optimize --all --exclude vault
            """)

    @OptionGroup var place: PlaceArguments
    @OptionGroup var packing: LevelOptions
    @OptionGroup var job: JobOptions
    @OptionGroup var time: TimeOptions
    @OptionGroup var power: PowerOptions
    @OptionGroup var shared: SharedOptions

    static let operation = Operation.optimize

    var request: CompressRequest {
        CompressRequest(
            level: packing.level?.number, running: job.running, battery: power.battery,
            riskReadOnly: power.riskReadOnly, exclude: place.exclude)
    }

    func validate() throws { try validateTime() }
}
