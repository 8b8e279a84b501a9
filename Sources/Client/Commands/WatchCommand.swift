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

            With --notify the desktop says when the job has ended, and what came back. Where there \
            is no session bus nothing is shown, and a warning says so.

            Example: qvm-btrfs watch 3fa9
            """)

    @OptionGroup var place: JobArguments

    @Flag(help: "Show a notification on the desktop when the job has ended.")
    var notify = false

    @OptionGroup var shared: SharedOptions

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        let job = try context.client.resolve(place.job, of: place.qube)
        return try context.follower(json: shared.json).follow(job) { record in
            guard notify else { return }
            Notifier(environment: context.environment, console: context.console)
                .show(JobNotification(record))
        }
    }
}
