// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct ResumeCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Let a paused job go on.",
        discussion: "Example: qvm-btrfs resume 3fa9")

    @Argument(help: "The job's id, or its first digits.", transform: Arguments.job)
    var job: JobPrefix

    @OptionGroup var shared: SharedOptions

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        let id = try context.client.resolve(job)
        try context.follower(json: shared.json).change(id, .jobResume)
        return .done
    }
}
