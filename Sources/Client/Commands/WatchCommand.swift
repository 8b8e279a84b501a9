// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct WatchCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Follow a job to its end and show what it brought.",
        usage: "qvm-btrfs watch <job> [--qube <name>] [<options>]",
        discussion: """
            For a job that is over the result comes at once. Ctrl-C asks whether to \
            leave the job running.

            Example: qvm-btrfs watch 3fa9
            """)

    @OptionGroup var place: JobArguments
    @OptionGroup var shared: SharedOptions

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        try context.follower(json: shared.json).follow(
            context.client.resolve(place.job, of: place.qube))
    }
}
