// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Glibc
import SystemCalls
import SystemPackage
import Testing

@Suite("Child processes")
struct ChildProcessTests {
    /// Starts `sh -c script` with nothing on its standard input and gives the reading end of its
    /// standard output.
    func start(
        _ script: String, environment: [String: String] = [:]
    ) throws(Errno) -> (child: ChildProcess, output: SharedDescriptor) {
        let null = try Descriptor.open("/dev/null", .readOnly)
        let pipe = try Descriptor.pipe()
        let child = try ChildProcess.spawn(
            executable: "/bin/sh", arguments: ["-c", script], environment: environment,
            standardInput: null, standardOutput: pipe.second)
        return (child, SharedDescriptor(try pipe.first.duplicate()))
    }

    func output(of script: String, environment: [String: String] = [:]) throws -> String {
        let (child, output) = try start(script, environment: environment)
        let bytes = try output.descriptor.readToEnd(limitBytes: 1 << 20) ?? []
        #expect(try child.wait() == .exited(0))
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("The exit status comes back", arguments: [0, 1, 7, 255] as [Int32])
    func status(status: Int32) throws {
        #expect(try start("exit \(status)").child.wait() == .exited(status))
    }

    @Test("A signal that ended it comes back")
    func signalled() throws {
        #expect(try start("kill -TERM $$").child.wait() == .killed(signal: SIGTERM))
    }

    @Test("Killing ends it together with what it has started")
    func kill() throws {
        let folder = try TemporaryFolder()
        let path = folder.path.appending("socket")
        let listening = try UnixSocket.listen(path, mode: 0o600)
        let child = try sleeper(writingTo: path)
        let output = try listening.accept()
        try output.setTimeouts(readSeconds: 30, writeSeconds: 30)
        #expect(try output.read(maximumBytes: 100) == Array("ready\n".utf8))
        child.kill()
        #expect(try child.wait() == .killed(signal: SIGKILL))
        // The background process holds the socket too: EOF comes only when it is gone as well.
        #expect(try output.readToEnd(limitBytes: 100) == [])
    }

    /// A shell that has started another process, both with a socket as their standard output.
    private func sleeper(writingTo path: FilePath) throws(Errno) -> ChildProcess {
        let null = try Descriptor.open("/dev/null", .readOnly)
        let socket = try UnixSocket.connect(path)
        return try ChildProcess.spawn(
            executable: "/bin/sh", arguments: ["-c", "sleep 1000 & echo ready; wait"],
            environment: ["PATH": "/usr/bin:/bin"], standardInput: null, standardOutput: socket)
    }

    @Test("Killing what has ended and was waited for does nothing")
    func killAfterWait() throws {
        let child = try start("exit 0").child
        #expect(try child.wait() == .exited(0))
        child.kill()
    }

    @Test("Standard input reaches it")
    func input() throws {
        let input = try Descriptor.pipe()
        let output = try Descriptor.pipe()
        try input.second.write(Array("hello".utf8))
        let child = try ChildProcess.spawn(
            executable: "/bin/sh", arguments: ["-c", "head -c 5"],
            environment: ["PATH": "/usr/bin:/bin"],
            standardInput: input.first, standardOutput: output.second)
        #expect(try child.wait() == .exited(0))
        #expect(try output.first.read(maximumBytes: 10) == Array("hello".utf8))
    }

    @Test("Its environment is what was given and nothing of ours")
    func environment() throws {
        let given = ["ONE": "1", "SPACED": "a b=c"]
        let null = try Descriptor.open("/dev/null", .readOnly)
        let pipe = try Descriptor.pipe()
        let child = try ChildProcess.spawn(
            executable: "/usr/bin/env", arguments: [], environment: given,
            standardInput: null, standardOutput: pipe.second)
        #expect(try child.wait() == .exited(0))
        let text = String(decoding: try pipe.first.read(maximumBytes: 4096), as: UTF8.self)
        #expect(Set(text.split(separator: "\n")) == ["ONE=1", "SPACED=a b=c"])
    }

    @Test("It inherits no descriptor but the three, not even one that forgot close-on-exec")
    func descriptors() throws {
        let folder = try TemporaryFolder()
        try folder.write("", to: "leak")
        let leak = unsafe Glibc.open(folder.path.appending("leak").string, O_RDONLY)
        defer { close(leak) }
        let list = try output(
            of: "for f in /proc/$$/fd/*; do readlink $f; done; true",
            environment: ["PATH": "/usr/bin:/bin"])
        #expect(list.contains("/dev/null"))
        #expect(!list.contains("/leak"))
    }

    @Test("It starts with no signal blocked and none ignored, whatever this process does")
    func signals() throws {
        Signals.ignoreBrokenPipes()
        let result = Monitor<String?>(nil)
        try WorkThread.start {
            var blocked = sigset_t()
            unsafe sigfillset(&blocked)
            unsafe pthread_sigmask(SIG_BLOCK, &blocked, nil)
            let text = try? output(
                of: "while read line; do case $line in SigBlk*|SigIgn*) echo $line; esac; done"
                    + " < /proc/$$/status")
            result.withLock { $0 = text ?? "" }
        }
        let text = try #require(result.wait(timeoutSeconds: patienceSeconds) { $0 })
        let masks = text.split(separator: "\n").compactMap { line in
            line.split(separator: " ").last.flatMap { UInt64($0, radix: 16) }
        }
        // Signals 32 and 33 are the C library's own, and it leaves them ignored.
        #expect(masks.map { $0 & ~(0b11 << 31) } == [0, 0], "\(text)")
    }

    @Test("A program that is not there is an error")
    func missing() throws {
        let null = try Descriptor.open("/dev/null", .readWrite)
        #expect(throws: Errno.noSuchFileOrDirectory) {
            _ = try ChildProcess.spawn(
                executable: "/nonexistent/program", arguments: [], environment: [:],
                standardInput: null, standardOutput: null)
        }
    }
}
