// SPDX-License-Identifier: GPL-2.0-or-later
internal import CSystemCalls
internal import Glibc
public import SystemPackage

/// Finds out whether a file system lets anybody write, without writing: whoever asks for leave
/// while it is frozen (`fsfreeze(8)`) waits until it is thawed, and nothing can end him. So it is
/// another process that asks, and it may outlive us.
public struct WriteProbe: ~Copyable, Sendable {
    private let process: pid_t
    private var isReaped = false

    private init(process: pid_t) { self.process = process }

    /// To be called while the process has one thread.
    /// - Parameter name: of the file system: only one waits for each, whoever has started it.
    /// - Returns: nil where one waits already.
    public static func start(
        in directory: borrowing Descriptor, name: String
    ) throws(Errno) -> WriteProbe? {
        let process = try checked(unsafe csystemcalls_try_to_write(directory.rawValue, name))
        return process == 0 ? nil : WriteProbe(process: process)
    }

    /// It was let write.
    public mutating func hasEnded() -> Bool {
        if !isReaped {
            var status: Int32 = 0
            isReaped = unsafe waitpid(process, &status, WNOHANG) != 0
        }
        return isReaped
    }
}

extension Descriptor {
    /// Asks for leave to write to this file, and writes nothing (`pwrite(2)`). It does not return
    /// while the file system is frozen.
    public borrowing func writeNothing() throws(Errno) {
        _ = try checked(csystemcalls_write_nothing(rawValue))
    }

    /// Waits until something can be read, or the other end is closed (`poll(2)`).
    /// - Returns: false when the time went by first.
    public borrowing func waitToRead(timeoutSeconds: Double) -> Bool {
        var request = pollfd(fd: rawValue, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&request, 1, Int32(timeoutSeconds * 1000)) > 0
    }
}
