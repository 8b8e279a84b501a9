// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct PauseCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Hold a job until it is resumed.",
        discussion: """
            Jobs behind a running one wait as well; one that is paused in the queue lets the \
            others by. A pause ends with the service: the job is interrupted then.

            Example: qvm-btrfs pause 3fa9
            """)

    @Argument(help: "The job's id, or its first digits.", transform: Arguments.job)
    var job: JobPrefix

    @OptionGroup var shared: SharedOptions

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        let id = try context.client.resolve(job)
        try context.follower(json: shared.json).change(id, .jobPause)
        return .done
    }
}
