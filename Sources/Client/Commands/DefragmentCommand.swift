// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct DefragmentCommand: TimedJobCommand {
    static let configuration = CommandConfiguration(
        commandName: "defragment",
        abstract: "Make fewer, larger extents; what is shared stays shared.",
        usage: "qvm-btrfs defragment [<qube>[:<volume>] ...] [<options>]",
        discussion: """
            The job runs in dom0 and goes on when this program ends; Ctrl-C asks whether to leave \
            it running. What can be read quickly as it is, is left alone.

            Example: qvm-btrfs defragment work:private
            """)

    @OptionGroup var place: PlaceArguments
    @OptionGroup var live: RunningOptions
    @OptionGroup var job: JobOptions
    @OptionGroup var time: TimeOptions
    @OptionGroup var power: PowerOptions
    @OptionGroup var shared: SharedOptions

    static let operation = Operation.defragment

    var request: DedupeRequest {
        DedupeRequest(
            running: live.running, battery: power.battery, riskReadOnly: power.riskReadOnly,
            exclude: place.exclude)
    }

    func validate() throws { try validateTime() }
}
