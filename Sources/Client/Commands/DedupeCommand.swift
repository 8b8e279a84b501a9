// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct DedupeCommand: TimedJobCommand {
    static let configuration = CommandConfiguration(
        commandName: "dedupe",
        abstract: "Share equal data within a qube's dedupe group.",
        usage: "qvm-btrfs dedupe [<qube>[:<volume>] ...] [<options>]",
        discussion: """
            The job runs in dom0 and goes on when this program ends; Ctrl-C asks whether to leave \
            it running. Roots of templates that one qube has made, or dom0, share with each \
            other; every other volume only with its own revisions. dom0's features \
            'btrfs.dedupe-group.NAME' list qubes that may share more.

            Example: qvm-btrfs dedupe debian-12:root
            """)

    @OptionGroup var place: PlaceArguments
    @OptionGroup var live: RunningOptions
    @OptionGroup var job: JobOptions
    @OptionGroup var time: TimeOptions
    @OptionGroup var power: PowerOptions
    @OptionGroup var shared: SharedOptions

    static let operation = Operation.dedupe

    var request: DedupeRequest {
        DedupeRequest(
            running: live.running, battery: power.battery, riskReadOnly: power.riskReadOnly,
            exclude: place.exclude)
    }

    func validate() throws { try validateTime() }
}
