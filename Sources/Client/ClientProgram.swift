// SPDX-License-Identifier: GPL-2.0-or-later
import ArgumentParser
import FoundationEssentials
import Glibc
import Protocol
import SystemCalls
import SystemPackage

/// The program `qvm-btrfs`.
public enum ClientProgram {
    /// Runs it with this process's arguments and ends the process.
    public static func main() -> Never {
        let environment = ProcessInfo.processInfo.environment
        let console = Console(.standard(environment: environment))
        let interruption = Interruption()
        Signals.ignoreBrokenPipes()
        do throws(Errno) {
            try Signals.take(Signals.Ending.allCases) { _ in
                // The first one ends the call, and the main thread says goodbye, or asks. Who asks
                // twice does not want to wait for that.
                if !interruption.interrupt() { end(.interrupted) }
            }
        } catch {
            console.note("qvm-btrfs: cannot watch for Ctrl-C: \(error).")
        }
        let program = Program(
            console: console, interruption: interruption, environment: environment,
            isDom0: Program.isDom0, clock: WallClock(machine: .system))
        end(program.run(Array(CommandLine.arguments.dropFirst())))
    }

    private static func end(_ status: ExitStatus) -> Never {
        QvmBtrfs.exit(withError: ExitCode(status.rawValue))
    }
}

/// `qvm-btrfs` with all that it takes from its process.
struct Program {
    let console: Console
    let interruption: Interruption
    let environment: [String: String]
    /// There is a socket to go to; in every other qube there is qrexec.
    let isDom0: Bool
    /// Who has started it is root.
    var isRoot = geteuid() == 0
    /// Where dom0's policy is.
    var policyFolders = PolicyFolder.paths
    let clock: WallClock

    /// This machine's own word for where we are.
    static var isDom0: Bool { FileManager.default.fileExists(atPath: "/etc/qubes-release") }

    /// Does what the arguments say.
    func run(_ arguments: [String]) -> ExitStatus {
        if let word = arguments.first, !word.hasPrefix("-"), !QvmBtrfs.words.contains(word) {
            // The parser would complain of the first option behind it.
            return answer(parser: ValidationError("There is no command '\(word)'."))
        }
        do {
            var parsed = try QvmBtrfs.parseAsRoot(arguments)
            guard let command = parsed as? any ClientCommand else {
                // The parser's own: help.
                try parsed.run()
                return .done
            }
            console.loudness = command.shared.loudness
            var client = ServiceClient(
                transport: transport(socket: command.shared.socket?.path),
                interruption: interruption
            ) { [console] in console.call(Line("Calls \($0.text).")) }
            client.looksUpJobs = !isDom0 && command.shared.socket == nil
            return try command.execute(
                CommandContext(
                    client: client, console: console, isDom0: isDom0, isRoot: isRoot,
                    clock: clock, policyFolders: policyFolders, environment: environment,
                    message: message))
        } catch let error as ClientError {
            return report(error)
        } catch {
            return answer(parser: error)
        }
    }

    private func report(_ error: ClientError) -> ExitStatus {
        if let message = message(error) { console.error(message) }
        return error.exitStatus
    }

    /// What is said of an error; of a refusal with the name of who was refused, for whoever has to
    /// write the line that is missing.
    private func message(_ error: ClientError) -> String? {
        guard error.isRefusal, !isDom0 else { return error.message() }
        return error.message(from: OwnName.read(QrexecTransport(environment: environment)))
    }

    /// The way to the service: its socket when one is named or this is dom0, else qrexec.
    func transport(socket: FilePath?) -> any Transport {
        Self.transport(socket: socket, environment: environment, isDom0: isDom0)
    }

    /// The same before there is a program.
    static func transport(
        socket: FilePath?, environment: [String: String], isDom0: Bool
    ) -> any Transport {
        if let socket { return SocketTransport(path: socket) }
        return isDom0 ? SocketTransport() : QrexecTransport(environment: environment)
    }

    /// Help was asked for, or the arguments are wrong.
    private func answer(parser error: any Error) -> ExitStatus {
        let message = QvmBtrfs.fullMessage(for: error)
        if QvmBtrfs.exitCode(for: error).isSuccess {
            do throws(ClientError) {
                try console.raw(message)
                return .done
            } catch {
                return report(error)
            }
        }
        for line in message.split(separator: "\n", omittingEmptySubsequences: false) {
            console.error(verbatim: String(line))
        }
        return .usage
    }
}
