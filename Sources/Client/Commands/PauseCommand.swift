// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct PauseCommand: WordCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Hold a job until it is resumed.",
        usage: "qvm-btrfs pause <job> [--qube <name>] [<options>]",
        discussion: """
            Jobs behind a running one wait as well; one that is paused in the queue lets the \
            others by. A pause ends with the service: the job is interrupted then.

            Example: qvm-btrfs pause 3fa9
            """)

    @OptionGroup var place: JobArguments
    @OptionGroup var shared: SharedOptions

    static let word = WorkerControl.pause
}
