// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct CancelCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel",
        abstract: "End a job and show what it brought.",
        usage: "qvm-btrfs cancel <job> [--qube <name>] [--no-wait] [<options>]",
        discussion: """
            What the job has finished stays done; what is half done is finished or taken back. A \
            job that waits in the queue never starts.

            Example: qvm-btrfs cancel 3fa9
            """)

    @OptionGroup var place: JobArguments

    @Flag(name: .customLong("no-wait"), help: "Do not wait for the job's end.")
    var noWait = false

    @OptionGroup var shared: SharedOptions

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        try context.follower(json: shared.json).cancel(
            context.client.resolve(place.job, of: place.qube), waits: !noWait)
    }
}
