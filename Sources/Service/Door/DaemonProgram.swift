// SPDX-License-Identifier: GPL-2.0-or-later
internal import FoundationEssentials
internal import SystemCalls
internal import SystemPackage

/// The program `qubes-btrfsd`: what its main calls, and nothing else.
public enum DaemonProgram {
    /// Runs until SIGTERM or SIGINT.
    /// - Returns: the exit code: 0 after a signal, 1 when it could not start, 2 for a command line
    ///   that was refused.
    public static func run(arguments: [String]) -> Int32 {
        do throws(UsageError) {
            let settings = try Settings(arguments: Array(arguments.dropFirst()))
            return run(settings)
        } catch {
            complain("\(error)")
            return 2
        }
    }

    private static func run(_ settings: Settings) -> Int32 {
        let hasEnded = Monitor(false)
        do {
            // Before any other thread is there: all of them inherit that the signals are blocked.
            try Signals.take([.interrupt, .terminate]) { _ in hasEnded.withLock { $0 = true } }
            let daemon = try Daemon(settings, listener: try listener(settings))
            Readiness.tell(environment: ProcessInfo.processInfo.environment)
            _ = hasEnded.wait { $0 ? true : nil }
            daemon.stop()
            return 0
        } catch {
            complain("cannot start: \(error)")
            return 1
        }
    }

    private static func listener(_ settings: Settings) throws(StartError) -> Descriptor {
        if let path = settings.socket {
            do throws(Errno) {
                return try UnixSocket.listen(path, mode: 0o600)
            } catch {
                throw StartError(description: "\(path): \(error)")
            }
        }
        let environment = ProcessInfo.processInfo.environment
        guard let passed = UnixSocket.passedBySystemd(environment: environment) else {
            throw StartError(
                description:
                    "systemd has passed no socket; start qubes-btrfsd.socket, or give --socket")
        }
        return passed
    }

    private static func complain(_ text: String) {
        _ = try? FileDescriptor.standardError.writeAll(Array("qubes-btrfsd: \(text)\n".utf8))
    }
}
