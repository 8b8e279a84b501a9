// SPDX-License-Identifier: GPL-2.0-or-later
internal import CSystemCalls
internal import Glibc
public import SystemPackage

/// A process that we have started and will reap.
///
/// It gets its own process group, no signal blocked, every signal at its default, an environment
/// that is given and nothing of ours, and no descriptor but 0, 1 and 2.
public final class ChildProcess: Sendable {
    /// How it ended.
    public enum Ending: Equatable, Sendable {
        /// With this status.
        case exited(Int32)
        /// By this signal.
        case killed(signal: Int32)
    }

    /// The process id.
    public let identifier: Int32

    /// Once it is reaped the kernel may give its number to somebody else.
    private let isReaped = Monitor(false)

    private init(_ identifier: Int32) { self.identifier = identifier }

    /// Starts a program (`posix_spawn(3)`). `executable` without a `/` is looked for in PATH.
    /// - Parameters:
    ///   - name: what it finds as its own name; nil for `executable`.
    ///   - isMute: what it writes to standard error goes nowhere, and not where ours goes.
    public static func spawn(
        executable: String, name: String? = nil, arguments: [String], environment: [String: String],
        standardInput: borrowing Descriptor, standardOutput: borrowing Descriptor,
        isMute: Bool = false
    ) throws(Errno) -> ChildProcess {
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        unsafe posix_spawn_file_actions_adddup2(&actions, standardInput.rawValue, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, standardOutput.rawValue, 1)
        if isMute {
            unsafe posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        }
        // Ours are close-on-exec; this is for those that a library or our own parent left open.
        unsafe csystemcalls_spawn_close_from(&actions, 3)
        var none = sigset_t()
        var all = sigset_t()
        unsafe sigemptyset(&none)
        unsafe sigfillset(&all)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        unsafe posix_spawnattr_setpgroup(&attributes, 0)
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
        unsafe posix_spawnattr_setflags(&attributes, Int16(flags))
        var identifier: pid_t = 0
        let status = unsafe withCStrings([name ?? executable] + arguments) { argv in
            unsafe withCStrings(environment.map { "\($0.key)=\($0.value)" }) { envp in
                unsafe posix_spawnp(&identifier, executable, &actions, &attributes, argv, envp)
            }
        }
        if status != 0 { throw Errno(rawValue: status) }
        return ChildProcess(identifier)
    }

    /// Waits until it ends (`waitpid(2)`). To be called once.
    public func wait() throws(Errno) -> Ending {
        let number = identifier
        var information = unsafe siginfo_t()
        _ = try retrying {
            unsafe Int(waitid(P_PID, id_t(number), &information, WEXITED | WNOWAIT))
        }
        let status = isReaped.withLock { isReaped -> Int32 in
            // It has ended and nobody else reaps it: this neither waits nor fails.
            var status: Int32 = 0
            unsafe waitpid(number, &status, 0)
            isReaped = true
            return status
        }
        let signal = status & 0x7f
        return signal == 0 ? .exited((status >> 8) & 0xff) : .killed(signal: signal)
    }

    /// Ends it at once, with all of its process group (SIGKILL); does nothing once `wait` has
    /// returned. From any thread.
    public func kill() {
        isReaped.withLock { isReaped in
            if !isReaped { _ = Glibc.kill(-identifier, SIGKILL) }
        }
    }
}

/// Calls `body` with a NULL-ended array of C strings that lives as long as the call.
private func withCStrings<Result>(
    _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    let pointers = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(
        capacity: strings.count + 1)
    for (index, string) in strings.enumerated() { unsafe pointers[index] = unsafe strdup(string) }
    unsafe pointers[strings.count] = nil
    defer {
        for index in strings.indices { unsafe free(pointers[index]) }
        unsafe pointers.deallocate()
    }
    return unsafe body(pointers)
}
