// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol
import SystemCalls
import SystemPackage

/// All that a command touches beside its arguments.
struct CommandContext {
    let client: ServiceClient
    let console: Console
    /// There is a socket to go to, and a journal with what policy said.
    var isDom0 = false

    /// The display that `--json` asks for, or the one for people.
    func follower(json: Bool) -> JobFollower {
        let display: any JobDisplay =
            json ? JSONJobDisplay(console) : TextJobDisplay(console)
        return JobFollower(client: client, console: console, display: display)
    }

    /// Starts a job, and follows it unless the options say otherwise.
    func start(
        _ operation: Operation, on place: some PlaceArguments, _ options: JobOptions,
        _ shared: SharedOptions, _ request: some StrictRequest
    ) throws(ClientError) -> ExitStatus {
        try follower(json: shared.json).start(
            operation, target: place.target, volume: place.argument, request: request,
            waits: !options.noWait)
    }
}

/// A command of `qvm-btrfs`.
protocol ClientCommand: ParsableCommand {
    /// The options that every command has.
    var shared: SharedOptions { get }

    /// Does it.
    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus
}

/// The options that every command has.
struct SharedOptions: ParsableArguments {
    @Flag(help: "Write JSON to standard output, one object a line.")
    var json = false

    @Option(
        help: ArgumentHelp(
            "Call the service at this socket, not through qrexec.", valueName: "path"),
        transform: Arguments.socket)
    var socket: FilePath?
}

/// Reads arguments; the service checks them again.
enum Arguments {
    static func qube(_ text: String) throws -> QubeName {
        guard let name = QubeName(text) else {
            throw ValidationError(
                "A qube's name is a letter, then at most 30 letters, digits, '_', '-' and '.'.")
        }
        return name
    }

    static func volume(_ text: String) throws -> VolumeName {
        guard let name = VolumeName(text) else {
            throw ValidationError(
                "A volume's name is a small letter, then small letters, digits and '-': "
                    + "'root', 'private'; of dom0 'system', its own files.")
        }
        return name
    }

    static func tag(_ text: String) throws -> TagName {
        guard let name = TagName(text) else {
            throw ValidationError(
                "A tag is a letter or '_', then letters, digits, '_', '-' and '.'.")
        }
        return name
    }

    static func level(_ text: String) throws -> Int {
        let levels = CompressRequest.levels
        guard let level = Int(text), levels.contains(level) else {
            throw ValidationError(
                "A level is a number from \(levels.lowerBound) to \(levels.upperBound).")
        }
        return level
    }

    static func job(_ text: String) throws -> JobPrefix {
        guard let prefix = JobPrefix(text) else {
            throw ValidationError(
                "A job's id is \(JobPrefix.wholeLength) digits of 0-9 and a-f; its first ones are "
                    + "enough.")
        }
        return prefix
    }

    static func socket(_ text: String) throws -> FilePath {
        guard !text.isEmpty else { throw ValidationError("The path of the socket is empty.") }
        return FilePath(text)
    }
}
