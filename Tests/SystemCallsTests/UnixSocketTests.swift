// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import SystemCalls
import SystemPackage
import Testing

@Suite("Sockets with a path")
struct UnixSocketTests {
    let folder: TemporaryFolder
    let path: FilePath

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path.appending("socket")
    }

    /// The errno of an attempt to listen at the path.
    func failureToListen() -> Errno? {
        errno { () throws(Errno) in _ = try UnixSocket.listen(path, mode: 0o600) }
    }

    @Test("Both ends talk, and half-closing gives the other end its EOF")
    func talk() throws {
        let listening = try UnixSocket.listen(path, mode: 0o660)
        let client = try UnixSocket.connect(path)
        let server = try listening.accept()
        try client.write(Array("question".utf8))
        try client.shutdownWriting()
        #expect(try server.readToEnd(limitBytes: 100) == Array("question".utf8))
        try server.write(Array("answer".utf8))
        try server.shutdownWriting()
        #expect(try client.readToEnd(limitBytes: 100) == Array("answer".utf8))
    }

    @Test("Who is gone is told from who has only ended what it writes, whatever waits to be read")
    func hangUp() throws {
        let listening = try UnixSocket.listen(path, mode: 0o600)
        let client = try UnixSocket.connect(path)
        let server = try listening.accept()
        try client.write([1])
        try client.shutdownWriting()
        for seconds in [0, 0.01] {
            let isGone = server.waitForHangUp(timeoutSeconds: seconds)
            #expect(!isGone)
        }
        client.shutdownBoth()
        let isGone = server.waitForHangUp(timeoutSeconds: 60)
        #expect(isGone)
        #expect(try server.readToEnd(limitBytes: 10) == [1])
    }

    @Test("The socket has the mode that was asked for", arguments: [0o600, 0o660] as [UInt32])
    func mode(mode: UInt32) throws {
        let listening = try UnixSocket.listen(path, mode: mode)
        #expect(try listening.status().mode != 0)
        let status = try folder.shared.descriptor.status(ofEntry: "socket")
        #expect(status.mode & 0o777 == mode)
    }

    @Test("Nobody there: no file, or a socket that nobody listens at")
    func nobody() throws {
        let missing = errno { () throws(Errno) in _ = try UnixSocket.connect(path) }
        #expect(missing == .noSuchFileOrDirectory)
        do { _ = try UnixSocket.listen(path, mode: 0o600) }
        let stale = errno { () throws(Errno) in _ = try UnixSocket.connect(path) }
        #expect(stale == .connectionRefused)
    }

    @Test("A socket that a dead process left is replaced")
    func stale() throws {
        do { _ = try UnixSocket.listen(path, mode: 0o600) }
        #expect(try folder.names() == ["socket"])
        let listening = try UnixSocket.listen(path, mode: 0o600)
        let client = try UnixSocket.connect(path)
        try client.shutdownWriting()
        #expect(try listening.accept().readToEnd(limitBytes: 1) == [])
    }

    @Test("A socket that somebody listens at is left to them")
    func inUse() throws {
        let first = try UnixSocket.listen(path, mode: 0o600)
        #expect(failureToListen() == .addressInUse)
        // The attempt itself is a connection; the next one shows that the first owner still has it.
        _ = try first.accept()
        let client = try UnixSocket.connect(path)
        try client.shutdownWriting()
        #expect(try first.accept().readToEnd(limitBytes: 1) == [])
    }

    @Test("A file that is no socket is not removed")
    func noSocket() throws {
        try folder.write("precious", to: "socket")
        #expect(failureToListen() == .addressInUse)
        #expect(try folder.text(of: "socket") == "precious")
    }

    @Test("A path that does not fit into an address is an error, not a shorter path")
    func longPath() {
        let long = folder.path.appending(String(repeating: "x", count: 108))
        let failure = errno { () throws(Errno) in _ = try UnixSocket.connect(long) }
        #expect(failure == .fileNameTooLong)
    }

    @Test("Shutting down wakes a thread that reads")
    func wake() throws {
        let listening = try UnixSocket.listen(path, mode: 0o600)
        let client = SharedDescriptor(try UnixSocket.connect(path))
        let server = try listening.accept()
        let result = Monitor<[UInt8]?>(nil)
        try WorkThread.start {
            let bytes = try? client.descriptor.read(maximumBytes: 10)
            result.withLock { $0 = bytes ?? [0xff] }
        }
        client.descriptor.shutdownBoth()
        #expect(result.wait(timeoutSeconds: patienceSeconds) { $0 } == [])
        #expect(try server.read(maximumBytes: 1) == [])
    }

    @Test("A read that nobody answers fails when its time is over")
    func timeout() throws {
        let listening = try UnixSocket.listen(path, mode: 0o600)
        let client = try UnixSocket.connect(path)
        let server = try listening.accept()
        try client.setTimeouts(readSeconds: 1, writeSeconds: 1)
        #expect(throws: Errno.resourceTemporarilyUnavailable) {
            try client.read(maximumBytes: 1)
        }
        try server.write([1])
        #expect(try client.read(maximumBytes: 1) == [1])
    }

    @Test("Without systemd's variables, or with those of another process, no socket was passed")
    func notPassed() {
        let others = ["LISTEN_PID": "1", "LISTEN_FDS": "1"]
        for environment in [[:], others] {
            let isPassed = UnixSocket.passedBySystemd(environment: environment) != nil
            #expect(!isPassed)
        }
    }
}
