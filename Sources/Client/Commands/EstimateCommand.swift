// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct EstimateCommand: JobCommand {
    static let configuration = CommandConfiguration(
        commandName: "estimate",
        abstract: "Say what compress, dedupe and both would save; change nothing.",
        usage: "qvm-btrfs estimate [<qube>[:<volume>] ...] [<options>]",
        discussion: """
            Dedupe is reckoned from the checksums of all data, compression by packing a sample of \
            it: a small part of the work that it speaks of. What a job then saves lies within the \
            bounds (±) 19 times out of 20, if nothing is written meanwhile. An extent that two \
            qubes share counts for both, and once in the total. It is soon over, and does not wait \
            for mains.

            Example: qvm-btrfs estimate work
            """)

    @OptionGroup var place: PlaceArguments
    @OptionGroup var live: RunningOptions
    @OptionGroup var job: JobOptions
    @OptionGroup var shared: SharedOptions

    static let operation = Operation.estimate

    var request: EstimateRequest {
        EstimateRequest(running: live.running, exclude: place.exclude)
    }
}
