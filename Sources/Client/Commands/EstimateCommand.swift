// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct EstimateCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "estimate",
        abstract: "Say what compress, dedupe and both would save; change nothing.",
        usage: "qvm-btrfs estimate [<qube>] [<volume>] [<options>]",
        discussion: """
            Dedupe is reckoned from the checksums of all data, compression by packing a sample of \
            it: a small part of the work that it speaks of. What a job then saves lies within the \
            bounds (±) 19 times of 20, if nothing is written meanwhile. An extent that two qubes \
            share counts for both, and once in the total.

            Example: qvm-btrfs estimate work
            """)

    @Argument(help: "The qube; 'dom0', or none, for all.", transform: Arguments.qube)
    var qube: QubeName?

    @Argument(help: "One volume of it.", transform: Arguments.volume)
    var volume: VolumeName?

    @OptionGroup var job: JobOptions
    @OptionGroup var shared: SharedOptions

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        try context.follower(json: shared.json).start(
            .estimate, target: qube?.text ?? ServiceClient.machine, volume: volume?.text ?? "",
            request: EstimateRequest(running: job.running), waits: !job.noWait)
    }
}
