// SPDX-License-Identifier: GPL-2.0-or-later
public import ArgumentParser

/// `qvm-btrfs`: the command that has all others.
public struct QvmBtrfs: ParsableCommand {
    /// Its name, its words and its subcommands.
    public static let configuration = CommandConfiguration(
        commandName: "qvm-btrfs",
        abstract: "Account for, compress and de-duplicate the qubes' disks on Btrfs.",
        discussion: """
            In dom0 it calls the service at its socket; in another qube through qrexec, as far as \
            dom0's policy allows.

            Exit status: 0 done, 1 failed, 2 wrong usage, 3 refused or not reachable, 4 no such \
            qube, volume or job, 5 busy, 6 the job was interrupted, 7 a check has found something, \
            8 the job was cancelled, 9 the disk did not give back parts of images, 10 a qube was \
            not trimmed, 12 'verify' has found an image that is DIFFERENT, 130 Ctrl-C.

            Example: qvm-btrfs report
            """,
        version: Release.version,
        subcommands: [
            ReportCommand.self, CheckCommand.self, EstimateCommand.self, VerifyCommand.self,
            CompressCommand.self, DedupeCommand.self,
            OptimizeCommand.self, DefragmentCommand.self, SparsifyCommand.self,
            NewDataCommand.self, TrimCommand.self, JobsCommand.self, WatchCommand.self,
            CancelCommand.self,
            PauseCommand.self, ResumeCommand.self, AuditCommand.self, PolicyCommand.self,
            SetupCommand.self, FollowCommand.self,
        ])

    /// What the first word may be.
    static let words = Set(
        ["help"] + configuration.subcommands.compactMap { $0.configuration.commandName })

    /// Makes one, for the parser.
    public init() {}
}
