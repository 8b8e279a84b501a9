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
    /// It may change the machine that it runs on.
    var isRoot = false
    /// What it shows where the command runs.
    let clock: WallClock
    /// Where dom0's policy is.
    var policyFolders: [String] = []
    /// That of this process: where programs are looked for, and what they get.
    var environment: [String: String] = [:]
    /// What is said of an error.
    var message: (ClientError) -> String? = { $0.message() }

    /// The display that `--json` or `--brief` asks for, or the one for people.
    func follower(json: Bool, brief: Bool = false) -> JobFollower {
        let display: any JobDisplay =
            if json {
                JSONJobDisplay(console)
            } else if brief {
                BriefJobDisplay(console)
            } else {
                TextJobDisplay(console)
            }
        return JobFollower(client: client, console: console, display: display)
    }

    /// Does one thing after the other. What fails for one of several is said, and the others are
    /// done; what would fail for all of them ends it.
    /// - Returns: the first status that is not `done`.
    func each(
        _ places: [Place], _ body: (Place) throws(ClientError) -> ExitStatus
    ) throws(ClientError) -> ExitStatus {
        var result = ExitStatus.done
        for (index, place) in places.enumerated() {
            var status = ExitStatus.done
            do throws(ClientError) {
                status = try body(place)
            } catch {
                let left = places[(index + 1)...]
                guard error.isOfOnePlace, places.count > 1 else {
                    if !left.isEmpty {
                        console.note(
                            Line(
                                "Not begun: \(left.map(\.text).joined(separator: ", ")).", .warning)
                        )
                    }
                    throw error
                }
                console.error("\(place.text): \(message(error) ?? "failed")")
                status = error.exitStatus
            }
            if result == .done { result = status }
        }
        return result
    }

    /// An empty line before what is said of each but the first.
    func separate(_ place: Place, in places: [Place]) throws(ClientError) {
        if place != places.first { try console.data([""]) }
    }
}

extension ClientError {
    /// The next qube may fare better.
    var isOfOnePlace: Bool {
        switch self {
        case .service, .refused, .admin: true
        default: false
        }
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

    @Flag(name: .shortAndLong, help: "Say nothing but results and errors.")
    var quiet = false

    @Flag(name: .shortAndLong, help: "Say each call, too.")
    var verbose = false

    @Option(
        help: ArgumentHelp(
            "Call the service at this socket, not through qrexec.", valueName: "path"))
    var socket: PathArgument?

    /// How much is said on standard error.
    var loudness: Console.Loudness { quiet ? .errors : verbose ? .calls : .progress }

    func validate() throws {
        if quiet && verbose { throw ValidationError("Either --quiet or --verbose, not both.") }
    }
}
