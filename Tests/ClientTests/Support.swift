// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Client

/// Ours, not the one of the testing library.
typealias ExitStatus = Client.ExitStatus

extension WallClock {
    /// This machine's.
    static var system: WallClock { WallClock(machine: .system) }
}

/// What a console wrote.
final class Capture: Sendable {
    private let streams = Monitor<[StandardStream: [UInt8]]>([:])

    var output: String { text(.output) }
    var error: String { text(.error) }

    /// A console that writes here; with `columns` standard error is a terminal.
    func console(
        colours: Bool = false, columns: Int? = nil, readLine: @escaping () -> String? = { nil }
    ) -> Console {
        Console(
            Console.Streams(
                outputColours: colours, errorColours: colours, errorColumns: { columns },
                readLine: readLine,
                write: { [self] (stream, bytes) throws(Errno) in
                    streams.withLock { $0[stream, default: []] += bytes }
                }))
    }

    private func text(_ stream: StandardStream) -> String {
        streams.withLock { String(decoding: $0[stream] ?? [], as: UTF8.self) }
    }
}

/// A folder for one test.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path =
            FileManager.default.temporaryDirectory.path
            + "/qvm-btrfs-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Writes an executable script. Another process does it: a file that this one has open for
    /// writing might be inherited by a child of another test, and could not be started meanwhile.
    func script(_ name: String, _ lines: String) throws {
        var child: ChildProcess?
        try Descriptor.pipe().split { (reading, writing) throws(Errno) in
            child = try ChildProcess.spawn(
                executable: "/bin/sh",
                arguments: ["-c", "cat >\"$0\"; chmod +x \"$0\"", path(name)],
                environment: ["PATH": "/usr/bin:/bin"], standardInput: reading,
                standardOutput: try Descriptor.open("/dev/null", .writeOnly))
            try writing.write(Array("#!/bin/sh\n\(lines)\n".utf8))
        }
        try #require(try child?.wait() == .exited(0))
    }

    /// Where a file of this folder is.
    func path(_ name: String) -> String { "\(path)/\(name)" }

    /// The content of a file, or nil.
    func content(_ name: String) throws -> String? {
        let file = try Descriptor.open(FilePath(path(name)), .readOnly)
        return try file.readToEnd(limitBytes: 1 << 20).map { String(decoding: $0, as: UTF8.self) }
    }
}

/// A service at a real socket that gives one prepared answer after the other.
final class ScriptedService: Sendable {
    /// What it does with one call.
    enum Step: Sendable {
        /// Reads the whole call, writes this, closes.
        case answer([UInt8])
        /// Writes this and closes without reading a byte.
        case answerUnread([UInt8])
        /// Reads the whole call, writes this, calls back, and closes when the client has gone.
        case hold([UInt8], @Sendable () -> Void)
    }

    private struct State {
        var calls: [[UInt8]] = []
        var failure: Errno?
        var isOver = false
    }

    let path: FilePath
    private let folder: TemporaryFolder
    private let socket: SharedDescriptor
    private let state = Monitor(State())

    init(_ steps: [Step]) throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        path = FilePath("\(folder.path)/socket")
        let socket = SharedDescriptor(try UnixSocket.listen(path, mode: 0o600))
        self.socket = socket
        let state = state
        try WorkThread.start {
            for step in steps {
                do throws(Errno) {
                    try Self.serve(step, socket, state)
                } catch {
                    state.withLock { $0.failure = error }
                }
            }
            // Who calls once more is refused and does not wait.
            socket.descriptor.shutdownBoth()
            state.withLock { $0.isOver = true }
        }
    }

    /// The calls that came, each with header and payload, once the client has made its last: a step
    /// that is left then is an error.
    func calls() throws -> [String] {
        socket.descriptor.shutdownBoth()
        let calls = state.wait { $0.isOver ? $0.calls : nil } ?? []
        try #require(state.withLock { $0.failure } == nil)
        return calls.map { String(decoding: $0, as: UTF8.self) }
    }

    private static func serve(
        _ step: Step, _ socket: SharedDescriptor, _ state: Monitor<State>
    ) throws(Errno) {
        let connection = try socket.descriptor.accept()
        switch step {
        case .answer(let bytes):
            try read(connection, state)
            try connection.write(bytes)
        case .answerUnread(let bytes):
            try connection.write(bytes)
        case .hold(let bytes, let then):
            try read(connection, state)
            try connection.write(bytes)
            then()
            // Write until the other side is gone: the one way to learn of it.
            do throws(Errno) {
                while true { try connection.write(Envelope.heartbeat.encoded()) }
            } catch .brokenPipe {
            } catch .connectionReset {
            }
        }
    }

    private static func read(
        _ connection: borrowing Descriptor, _ state: Monitor<State>
    ) throws(Errno) {
        let call = try connection.readToEnd(limitBytes: Limits.payloadBytes) ?? []
        state.withLock { $0.calls.append(call) }
    }
}

extension Envelope {
    static let heartbeat = event(
        JobEventName.heartbeat, "{}")

    static func event(_ name: JobEventName, _ json: String) -> Envelope {
        .event(subject: "job", name: name.rawValue, fields: [.init(key: "json", value: json)])
    }

    static func event(_ name: JobEventName, _ content: some Encodable) throws -> Envelope {
        event(name, String(decoding: try JSONEncoder().encode(content), as: UTF8.self))
    }

    static func answer(_ content: some Encodable) throws -> Envelope {
        .reply(Array(try JSONEncoder().encode(content)))
    }
}

/// Runs `qvm-btrfs` against a scripted service.
struct Run {
    let status: ExitStatus
    let output: String
    let error: String
    let calls: [String]

    init(
        _ arguments: [String], _ steps: [ScriptedService.Step] = [],
        interruption: Interruption = Interruption(), columns: Int? = nil,
        policyFolders: [String] = [], clock: WallClock = .system,
        environment: [String: String] = [:], readLine: @escaping () -> String? = { nil }
    ) throws {
        Signals.ignoreBrokenPipes()
        let service = try ScriptedService(steps)
        let capture = Capture()
        let program = Program(
            console: capture.console(columns: columns, readLine: readLine),
            interruption: interruption,
            environment: environment, isDom0: true, policyFolders: policyFolders,
            clock: clock)
        status = program.run(arguments + ["--socket", service.path.string])
        output = capture.output
        error = capture.error
        calls = try service.calls()
    }
}
