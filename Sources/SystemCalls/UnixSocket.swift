// SPDX-License-Identifier: GPL-2.0-or-later
internal import CSystemCalls
internal import Glibc
public import SystemPackage

/// Stream sockets with a path.
public enum UnixSocket {
    /// Connects to a listening socket. With a timeout, connecting (the other end's queue may be
    /// full), each read and each write fail with EAGAIN once it has gone by.
    public static func connect(
        _ path: FilePath, timeoutSeconds: Int? = nil
    ) throws(Errno) -> Descriptor {
        let socket = try make(SOCK_STREAM)
        if let timeoutSeconds {
            try socket.setTimeouts(readSeconds: timeoutSeconds, writeSeconds: timeoutSeconds)
        }
        try connect(socket, path)
        return socket
    }

    /// Sends one datagram to a socket, as the journal takes its records. A receiver that does not
    /// keep up is EAGAIN: whoever sends a record must not come to wait for its reader.
    public static func sendDatagram(_ bytes: [UInt8], to path: FilePath) throws(Errno) {
        let socket = try make(SOCK_DGRAM)
        try connect(socket, path)
        let sent = unsafe bytes.withUnsafeBytes {
            unsafe Glibc.send(
                socket.rawValue, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
        }
        _ = try checked(sent)
    }

    /// Listens at a path; a socket that a dead process left there is removed first, and nothing
    /// else ever is. `group` is a group id, or nil to leave it. EADDRINUSE: somebody listens there,
    /// or it is no socket.
    public static func listen(
        _ path: FilePath, mode: UInt32, group: UInt32? = nil, backlog: Int32 = 64
    ) throws(Errno) -> Descriptor {
        let socket = try make(SOCK_STREAM)
        do throws(Errno) {
            _ = try connect(path)
            throw .addressInUse
        } catch .connectionRefused {
            // connect(2) refuses a regular file in the same words as a dead socket.
            guard try isSocket(path) else { throw .addressInUse }
            _ = unsafe unlink(path.string)
        } catch .noSuchFileOrDirectory {
        } catch {
            throw error
        }
        let number = socket.rawValue
        unsafe try withAddress(path) { address, length in
            unsafe bind(number, address, length)
        }
        unsafe try checked(chmod(path.string, mode))
        if let group { unsafe try checked(chown(path.string, uid_t.max, group)) }
        try checked(Glibc.listen(number, backlog))
        return socket
    }

    /// The socket that systemd has opened for this process (`sd_listen_fds(3)`): descriptor 3 when
    /// `LISTEN_PID` is ours and `LISTEN_FDS` is 1. nil when systemd has passed none.
    public static func passedBySystemd(environment: [String: String]) -> Descriptor? {
        guard environment["LISTEN_PID"] == String(getpid()), environment["LISTEN_FDS"] == "1"
        else { return nil }
        _ = fcntl(3, F_SETFD, FD_CLOEXEC)
        return Descriptor(owning: 3)
    }

    private static func isSocket(_ path: FilePath) throws(Errno) -> Bool {
        var raw = csystemcalls_status()
        unsafe try checked(csystemcalls_fstatat(AT_FDCWD, path.string, &raw))
        return UInt32(truncatingIfNeeded: raw.mode) & S_IFMT == S_IFSOCK
    }

    private static func make(_ kind: __socket_type) throws(Errno) -> Descriptor {
        let type = Int32(kind.rawValue | SOCK_CLOEXEC.rawValue)
        return Descriptor(owning: try checked(socket(AF_UNIX, type, 0)))
    }

    private static func connect(
        _ socket: borrowing Descriptor, _ path: FilePath
    ) throws(Errno) {
        let number = socket.rawValue
        unsafe try withAddress(path) { address, length in
            unsafe Glibc.connect(number, address, length)
        }
    }

    private static func withAddress(
        _ path: FilePath, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(Errno) {
        var address = sockaddr_un()
        guard unsafe csystemcalls_unix_address(path.string, &address) == 0 else {
            throw .fileNameTooLong
        }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe call(pointer, length)
            }
        }
        try checked(result)
    }
}

extension Descriptor {
    /// The next connection to this listening socket (`accept4(2)`).
    public borrowing func accept() throws(Errno) -> Descriptor {
        let number = rawValue
        let connection = try retrying {
            Int(csystemcalls_accept(number))
        }
        return Descriptor(owning: Int32(connection))
    }

    /// Writes all of it to this socket (`send(2)`). An other end that is gone is EPIPE and never
    /// the signal, whatever the process has set.
    public borrowing func send(_ bytes: [UInt8]) throws(Errno) {
        let number = rawValue
        var done = 0
        while done < bytes.count {
            done += try retrying {
                unsafe bytes.withUnsafeBytes {
                    unsafe Glibc.send(
                        number, $0.baseAddress.map { unsafe $0 + done }, $0.count - done,
                        Int32(MSG_NOSIGNAL))
                }
            }
        }
    }

    /// No more will be written to this socket (`shutdown(2)`, SHUT_WR); the other end reads EOF.
    public borrowing func shutdownWriting() throws(Errno) {
        try checked(shutdown(rawValue, Int32(SHUT_WR)))
    }

    /// No more reads or writes: another thread blocked on this socket wakes up.
    public borrowing func shutdownBoth() { _ = shutdown(rawValue, Int32(SHUT_RDWR)) }

    /// Waits until the other end of this socket is closed, or gone, which is told at once whatever
    /// waits to be read (`poll(2)`). One that has only ended what it writes is still there.
    /// - Returns: false when the time went by first.
    public borrowing func waitForHangUp(timeoutSeconds: Double) -> Bool {
        var request = pollfd(fd: rawValue, events: 0, revents: 0)
        return unsafe poll(&request, 1, Int32((timeoutSeconds * 1000).rounded(.up))) > 0
    }

    /// The process at the other end, as it was when it connected (`SO_PEERCRED`).
    public borrowing func peerProcess() throws(Errno) -> Int32 {
        var process: Int32 = 0
        try checked(unsafe csystemcalls_peer_process(rawValue, &process))
        return process
    }

    /// How long one read from this socket may wait, in seconds and at least a millisecond; then it
    /// fails with EAGAIN.
    public borrowing func setReadTimeout(seconds: Double) throws(Errno) {
        let seconds = max(seconds, 0.001)
        let whole = seconds.rounded(.down)
        var value = timeval(
            tv_sec: Int(whole), tv_usec: Int((seconds - whole) * 1_000_000))
        try checked(
            unsafe setsockopt(
                rawValue, SOL_SOCKET, SO_RCVTIMEO, &value,
                socklen_t(MemoryLayout<timeval>.size)))
    }

    /// How long one read and one write on this socket may wait; then they fail with EAGAIN.
    public borrowing func setTimeouts(readSeconds: Int, writeSeconds: Int) throws(Errno) {
        for (option, seconds) in [(SO_RCVTIMEO, readSeconds), (SO_SNDTIMEO, writeSeconds)] {
            var value = timeval(tv_sec: seconds, tv_usec: 0)
            try checked(
                unsafe setsockopt(
                    rawValue, SOL_SOCKET, option, &value,
                    socklen_t(MemoryLayout<timeval>.size)))
        }
    }
}

/// Process-wide signal settings.
public enum Signals {
    /// A write to a closed pipe or socket fails with EPIPE and does not end the process.
    public static func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }
}
