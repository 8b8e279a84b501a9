// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import Protocol
import SystemCalls

struct FollowCommand: ClientCommand {
    static let configuration = CommandConfiguration(
        commandName: "follow",
        abstract: "In dom0: listen to qubesd, and optimize a qube that has new data.",
        usage: "qvm-btrfs follow [--quiet-minutes <minutes>]",
        discussion: """
            After a template or a standalone qube has stopped, and after a qube was made, cloned, \
            restored or imported, it asks for an optimize of that qube: once, when nothing more \
            was heard of it for a while, and not where one of it or of all qubes waits already. \
            It runs until a signal ends it; qubes-btrfs-follow.service starts it.

            Example: qvm-btrfs follow --quiet-minutes 30
            """)

    /// The minutes that may be asked for: up to a day.
    private static let minutes = 1...1440

    @Option(
        name: .customLong("quiet-minutes"),
        help: ArgumentHelp(
            "How long nothing is to be heard of a qube first: 1 to 1440.", valueName: "minutes"))
    var quietMinutes = 10

    @Option(
        name: .customLong("quiet-milliseconds"),
        help: ArgumentHelp("The same for tests.", valueName: "count", visibility: .hidden))
    var quietMilliseconds: Int?

    @Option(
        name: .customLong("qubesd-socket"),
        help: ArgumentHelp(
            "Where qubesd listens: for tests and trying it.", valueName: "path",
            visibility: .hidden))
    var qubesdSocket: PathArgument?

    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard Self.minutes.contains(quietMinutes) else {
            throw ValidationError("--quiet-minutes goes from 1 to 1440, a day.")
        }
        guard (quietMilliseconds ?? 0) >= 0 else {
            throw ValidationError("--quiet-milliseconds is not below 0.")
        }
    }

    func execute(_ context: CommandContext) throws(ClientError) -> ExitStatus {
        guard context.isDom0 || qubesdSocket != nil else {
            throw .onlyBesideQubesd(command: "follow")
        }
        var run = FollowRun(
            context, qubesd: QubesdSocket(path: qubesdSocket?.path ?? QubesdSocket.defaultPath),
            quiet: quietMilliseconds.map { .milliseconds($0) } ?? .seconds(quietMinutes * 60),
            now: context.clock.machine.now)
        return run.run()
    }
}
