// SPDX-License-Identifier: GPL-2.0-or-later
internal import FoundationEssentials
internal import SystemCalls
internal import SystemPackage

/// The program `qubes-btrfsd`: what its main calls, and nothing else.
public enum DaemonProgram {
    /// Runs until SIGTERM or SIGINT; after SIGHUP until nothing is left to do, so that the next
    /// call finds another release where one was installed.
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
        let wish = Monitor(Wish())
        do {
            // Before any other thread is there: all of them inherit that the signals are blocked.
            try Signals.take(Signals.Ending.allCases) { signal in
                wish.withLock { wish in
                    if signal == .hangUp { wish.endsWhenIdle = true } else { wish.ends = true }
                }
            }
            let daemon = try Daemon(settings, listener: try listener(settings), clock: .system)
            Readiness.tell(environment: ProcessInfo.processInfo.environment)
            _ = wish.wait { $0.ends || $0.endsWhenIdle ? true : nil }
            var idleness = Idleness()
            while wish.withLock({ !$0.ends }),
                !idleness.mayEnd(hasJobs: daemon.hasJobs, isAnswering: daemon.isAnswering)
            {
                _ = wish.wait(timeoutSeconds: Idleness.lookSeconds) { $0.ends ? true : nil }
            }
            daemon.stop()
            return 0
        } catch {
            complain("cannot start: \(error)")
            return 1
        }
    }

    /// What signals have asked for.
    private struct Wish {
        var ends = false
        var endsWhenIdle = false
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

/// When a daemon that is to end has nothing left to do. Jobs are waited for as long as they take;
/// calls are not, for a qube could always have one being answered.
struct Idleness {
    /// How often it is looked, in seconds.
    static let lookSeconds = 0.5
    /// How long calls are waited for once no job is left, in seconds.
    static let callsSeconds = 30.0

    private var looksWithoutJobs = 0

    /// To be asked at each look.
    mutating func mayEnd(hasJobs: Bool, isAnswering: Bool) -> Bool {
        looksWithoutJobs = hasJobs ? 0 : looksWithoutJobs + 1
        if hasJobs { return false }
        return !isAnswering || Double(looksWithoutJobs) * Self.lookSeconds > Self.callsSeconds
    }
}
