// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import SystemCalls
import SystemPackage
import TestSupport
import Testing

/// The real daemon, as a process, on a real Btrfs, with a stand-in for qubesd. `mgmt` sees `work`
/// and `deb`; `vault` is seen by dom0 alone.
final class DaemonRun {
    let fileSystem: LoopFileSystem
    let socket: FilePath
    let log: String
    let qubesd: QubesdStandIn
    private var process = Process()
    private let arguments: [String]
    private let program: String

    /// - Parameters:
    ///   - groups: the dedupe group by qube, as dom0 lists it.
    ///   - wishes: the feature `btrfs.dedupe-group` by qube.
    ///   - inventory: another qubes.xml than the usual one.
    ///   - visible: other qubes that a caller sees.
    ///   - program: another daemon, which has its worker in itself.
    ///   - spoil: what becomes of qubes.xml before it is written.
    init(
        on fileSystem: LoopFileSystem, groups: [String: String] = [:],
        wishes: [String: String] = [:], inventory: String? = nil,
        visible: [String: Set<String>]? = nil, program: String? = nil,
        spoil: (String) -> String = { $0 }
    ) throws {
        self.program = program ?? Command.program("qubes-btrfsd")
        self.fileSystem = fileSystem
        socket = FilePath(fileSystem.folder + "/socket")
        log = fileSystem.folder + "/btrfs.log"
        var world = QubesdStandIn.World()
        world.visible = visible ?? ["mgmt": ["mgmt", "work", "deb"], "work": ["work"]]
        let usualNames: Set<String> = ["mgmt", "work", "deb", "vault"]
        for name in world.visible.values.reduce(usualNames, { $0.union($1) }) {
            world.qubes[name] = "class=AppVM state=Halted"
        }
        qubesd = try QubesdStandIn(world)
        let xml = fileSystem.folder + "/qubes.xml"
        let usual = Self.inventory(pool: fileSystem.pool, groups: groups, wishes: wishes)
        try Data(spoil(inventory ?? usual).utf8).write(to: URL(fileURLWithPath: xml))
        for name in ["state", "cache"] {
            try FileManager.default.createDirectory(
                atPath: fileSystem.folder + "/" + name, withIntermediateDirectories: true)
        }
        arguments =
            [
                "--socket", socket.string, "--qubes-xml", xml, "--qubesd-socket",
                qubesd.path.string,
                "--state-directory", fileSystem.folder + "/state",
                "--cache-directory", fileSystem.folder + "/cache", "--log-file", log,
                "--journal-socket", fileSystem.folder + "/no-journal",
                // Never the folders of the machine that runs the tests.
                "--system-root", fileSystem.path,
            ] + (program == nil ? ["--worker", Command.program("qubes-btrfs-worker")] : [])
        try start()
    }

    /// Starts it, for the first time or after its end.
    func start() throws {
        process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
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

    private static func inventory(
        pool: String, groups: [String: String], wishes: [String: String]
    ) -> String {
        func features(_ name: String) -> String {
            let wish = wishes[name].map {
                #"<feature name="btrfs.dedupe-group">\#($0)</feature>"#
            }
            let lists = Dictionary(grouping: groups.keys.sorted()) { groups[$0, default: ""] }
                .map {
                    #"<feature name="btrfs.dedupe-group.\#($0)">\#($1.joined(separator: " "))"#
                        + "</feature>"
                }
            return (wish ?? "") + (name == "dom0" ? lists.joined() : "")
        }
        let qubes = [
            QubesXML.Qube(name: "deb", kind: "TemplateVM", volume: "private"), .init(name: "work"),
            .init(name: "vault"),
        ]
        return QubesXML.text(pool: pool, qubes, features: features)
    }
}
