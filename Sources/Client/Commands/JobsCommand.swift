// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct JobsCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "jobs",
        abstract: "List the jobs that wait, run and ran, newest first.",
        usage: "qvm-btrfs jobs [--qube <name>] [<options>]",
        discussion: """
            Below each job is what it does, and which qube has asked for it. SAVED is what the \
            file system counted, or with a '~' what a running job reckons. Moments are in the \
            time of this machine.

            Example: qvm-btrfs jobs --json
            """)

    @Option(
        help: ArgumentHelp("Only jobs about this qube.", valueName: "name"))
    var qube: QubeName?

    @OptionGroup var shared: SharedOptions

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        let list = try context.client.jobs(
            target: qube?.text ?? ServiceClient.machine)
        let now = context.clock.now()
        if shared.json {
            try context.console.raw(JSONText.zoned(list, now: now))
        } else {
            try context.console.data(JobLines.table(list, now: now))
        }
        return .done
    }
}
