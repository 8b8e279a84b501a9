// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import SystemCalls
import SystemPackage
import TestSupport
import Testing

/// The real daemon, as a process, with a stand-in for qubesd.
class DaemonProcess {
    let socket: FilePath
    let log: String
    let qubesd: QubesdStandIn
    private var process = Process()
    private let arguments: [String]
    private let program: String
    private let errors: String?

    /// - Parameters:
    ///   - folder: where its files lie.
    ///   - root: where it takes dom0's own folders from, never those of the machine that runs the
    ///     tests.
    ///   - inventory: qubes.xml.
    ///   - program: another daemon, which has its worker in itself.
    ///   - errors: a file for what it and its workers write as errors; nil for the test's own.
    init(
        in folder: String, root: String, inventory: String, _ world: QubesdStandIn.World,
        program: String? = nil, errors: String? = nil
    ) throws {
        self.errors = errors
        self.program = program ?? Command.program("qubes-btrfsd")
        socket = FilePath(folder + "/socket")
        log = folder + "/btrfs.log"
        qubesd = try QubesdStandIn(world)
        let xml = folder + "/qubes.xml"
        try Data(inventory.utf8).write(to: URL(fileURLWithPath: xml))
        for name in ["state", "cache"] {
            try FileManager.default.createDirectory(
                atPath: folder + "/" + name, withIntermediateDirectories: true)
        }
        arguments =
            [
                "--socket", socket.string, "--qubes-xml", xml, "--qubesd-socket",
                qubesd.path.string, "--state-directory", folder + "/state",
                "--cache-directory", folder + "/cache", "--log-file", log,
                "--journal-socket", folder + "/no-journal", "--system-root", root,
            ] + (program == nil ? ["--worker", Command.program("qubes-btrfs-worker")] : [])
        try start()
    }

    /// Starts it, for the first time or after its end.
    func start() throws {
        process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        if let errors {
            try Data().write(to: URL(fileURLWithPath: errors))
            process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: errors))
        }
        try process.run()
        try #require(waitForSocket(), "the daemon listens")
    }

    /// Ends it as systemd does, and waits for that.
    func stop() {
        process.terminate()
        process.waitUntilExit()
    }

    /// Ends it with SIGKILL, and waits until its workers are gone as well.
    func killNow() {
        let workers = workers
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        for worker in workers {
            while ProcessFigures.isRunning(worker) { usleep(1000) }
        }
    }

    /// The daemon's process.
    var identifier: Int32 { process.processIdentifier }

    /// Its workers that run now.
    var workers: [Int32] { ProcessFigures.children(of: process.processIdentifier) }

    deinit {
        process.terminate()
        process.waitUntilExit()
    }

    var isRunning: Bool { process.isRunning }

    /// It ends by itself, sooner or later.
    func hasEnded(withinSeconds seconds: Double) -> Bool {
        let end = ContinuousClock.now + .seconds(seconds)
        while process.isRunning, ContinuousClock.now < end { usleep(10_000) }
        return !process.isRunning
    }

    /// It listens when its socket takes a connection; a daemon that ended never will.
    private func waitForSocket() -> Bool {
        while process.isRunning {
            if (try? UnixSocket.connect(socket)) != nil { return true }
            usleep(10_000)
        }
        return false
    }

    /// A call as qrexec makes it; all that comes back.
    func call(
        _ service: String, argument: String = "", from source: String,
        to target: CallHeader.Target, payload: String = ""
    ) throws -> [UInt8] {
        let connection = try UnixSocket.connect(socket)
        let header = CallHeader(
            service: service, argument: argument, source: source, target: target)
        QrexecCall.send(header.encoded() + Array(payload.utf8), on: connection)
        try connection.shutdownWriting()
        return try connection.readToEnd(limitBytes: Limits.replyBytes) ?? []
    }

    /// The content of a reply, or what the exception says.
    static func reply<Message: Decodable>(_ bytes: [UInt8], as type: Message.Type) throws -> Message
    {
        var reader = EnvelopeReader()
        reader.append(bytes)
        while try reader.nextEvent() != nil {}
        switch try reader.last() {
        case .reply(let content): return try JSONDecoder().decode(type, from: Data(content))
        case .exception(let exception): throw exception
        case .event: throw EnvelopeError.malformed
        }
    }

    /// Our own client, as in dom0.
    func client(_ words: String...) throws -> Command.Ending { try client(words) }

    /// The same.
    func client(_ words: [String]) throws -> Command.Ending {
        try Command.run(
            [Command.program("qvm-btrfs")] + words + ["--socket", socket.string])
    }
}
