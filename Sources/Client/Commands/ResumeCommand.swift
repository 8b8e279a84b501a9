// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol

struct ResumeCommand: WordCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Let a paused job go on.",
        usage: "qvm-btrfs resume <job> [--qube <name>] [<options>]",
        discussion: "Example: qvm-btrfs resume 3fa9")

    @OptionGroup var place: JobArguments
    @OptionGroup var shared: SharedOptions

    static let word = WorkerControl.resume
}
