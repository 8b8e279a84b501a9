// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Glibc
import Protocol
import SystemCalls
import SystemPackage
import TestSupport

@testable import Service

/// A daemon on a real socket in a directory of its own, with a stand-in for qubesd and a shell
/// script for a worker. `admin` sees `admin`, `deb` and `work`; `other` sees itself; `vault` is
/// seen by dom0 alone.
final class ServiceFixture {
    let directory: FilePath
    let settings: Settings
    let bounds: Bounds
    private let gate: Descriptor
    let qubesd: QubesdStandIn?
    private(set) var daemon: Daemon

    /// - Parameters:
    ///   - worker: what the script does once it has its order in `$2/order`. `$2` is the cache
    ///     directory; `say NAME` prints the message of that name; `read word` takes the daemon's
    ///     next word.
    ///   - prepare: gets the directory before the daemon starts.
    init(
        worker: String = "say result", bounds: Bounds = Bounds(), graceSeconds: Double = 0.1,
        hasQubesd: Bool = true, visibilitySeconds: Double = 0,
        prepare: (Settings) throws -> Void = { _ in }
    ) throws {
        directory = FilePath("/tmp/qubes-btrfs-service-\(UInt64.random(in: 0...UInt64.max))")
        // Most scripts do not obey: nobody waits for them.
        var bounds = bounds
        bounds.graceSeconds = graceSeconds
        bounds.visibilitySeconds = visibilitySeconds
        self.bounds = bounds
        var settings = Settings()
        settings.socket = directory.appending("socket")
        settings.qubesXML = directory.appending("qubes.xml")
        let program = directory.appending("worker")
        settings.worker = program
        settings.stateDirectory = directory.appending("state")
        settings.cacheDirectory = directory.appending("cache")
        settings.logFile = directory.appending("btrfs.log")
        settings.journalSocket = directory.appending("journal.sock")
        for path in [directory, settings.stateDirectory, settings.cacheDirectory] {
            try FileManager.default.createDirectory(
                atPath: path.string, withIntermediateDirectories: true)
        }
        try Self.write(Self.inventory, to: settings.qubesXML)
        try Self.write(
            """
            #!/bin/sh
            say() { cat "$cache/$1.json"; }
            cache=$2
            IFS= read -r order
            printf '%s\n' "$order" > "$cache/order"
            \(worker)

            """, to: program, mode: 0o700)
        unsafe mkfifo(settings.cacheDirectory.appending("gate").string, 0o600)
        // Open at both ends, so that a line waits for its reader and nobody for the other end.
        gate = try Descriptor.open(settings.cacheDirectory.appending("gate"), .readWrite)
        qubesd = hasQubesd ? try QubesdStandIn(Self.world) : nil
        settings.qubesdSocket = qubesd?.path ?? directory.appending("qubesd.sock")
        self.settings = settings
        try Self.message("result", .result(Samples.result), settings)
        try Self.message("report", .report(Samples.report(qubes: ["work", "vault"])), settings)
        try Self.message("cancelled", .cancelled(Samples.result), settings)
        try Self.message("progress", Samples.progress(doneBytes: 50), settings)
        try Self.message(
            "failure",
            .failure(kind: "BtrfsPoolError", message: "Read-only.", detail: "EROFS"), settings)
        try prepare(settings)
        daemon = try Daemon(
            settings, listener: try UnixSocket.listen(directory.appending("socket"), mode: 0o600),
            clock: .system, bounds: bounds)
    }

    /// Who is seen by whom.
    private static var world: QubesdStandIn.World {
        var world = QubesdStandIn.World()
        for name in ["dom0", "admin", "deb", "work", "other", "vault"] {
            world.qubes[name] = "class=AppVM state=Halted"
        }
        world.visible = ["admin": ["dom0", "admin", "deb", "work"], "other": ["other"]]
        return world
    }

    deinit {
        daemon.stop()
        try? FileManager.default.removeItem(atPath: directory.string)
    }

    /// Ends the daemon and starts another with the same files.
    func restart() throws {
        daemon.stop()
        try restartStopped()
    }

    /// Starts another daemon after `daemon.stop()`.
    func restartStopped() throws {
        daemon = try Daemon(
            settings, listener: try UnixSocket.listen(directory.appending("socket"), mode: 0o600),
            clock: .system, bounds: bounds)
    }

    /// Lets one worker that does `waitForGate` go on, now or when it comes there.
    func openGate() throws { try gate.write(Array("open\n".utf8)) }

    /// What a script does to wait for `openGate`.
    static let waitForGate = "read word < \"$cache/gate\""

    /// The order that the last worker got.
    func order() throws -> WorkerOrder {
        try JSONDecoder().decode(
            WorkerOrder.self, from: Data(Self.read(settings.cacheDirectory.appending("order"))))
    }

    /// The lines of the audit log, without their time.
    func auditLines() throws -> [String] {
        let text = String(decoding: try Self.read(settings.logFile), as: UTF8.self)
        return text.split(separator: "\n").map { String($0.drop { $0 != " " }.dropFirst()) }
    }

    /// The names of the files of history.
    func history() throws -> [String] {
        try Descriptor.open(
            settings.stateDirectory.appending("jobs"), [.readOnly, .directory]
        ).entries()
    }

    /// Puts a record into history as an earlier daemon would have left it.
    static func leave(_ record: JobRecord, _ settings: Settings) throws {
        let jobs = settings.stateDirectory.appending("jobs")
        try FileManager.default.createDirectory(
            atPath: jobs.string, withIntermediateDirectories: true)
        try write(
            String(decoding: JSONEncoder().encode(record), as: UTF8.self),
            to: jobs.appending(record.job + ".json"))
    }

    static func message(
        _ name: String, _ message: WorkerMessage, _ settings: Settings
    ) throws {
        let json = String(decoding: try JSONEncoder().encode(message), as: UTF8.self)
        try write(json + "\n", to: settings.cacheDirectory.appending(name + ".json"))
    }

    static func write(_ text: String, to path: FilePath, mode: UInt32 = 0o600) throws {
        let file = try Descriptor.open(path, [.writeOnly, .create, .truncate], mode: mode)
        try file.write(Array(text.utf8))
    }

    static func read(_ path: FilePath) throws -> [UInt8] {
        try Descriptor.open(path, .readOnly).readToEnd(limitBytes: 64 * 1024 * 1024) ?? []
    }

    private static func domain(
        _ number: Int, _ name: String, kind: String = "AppVM", features: String = ""
    ) -> String {
        let volumes = ["root", "private", "volatile"].map { volume in
            """
            <volume name="\(volume)" pool="varlibqubes" vid="appvms/\(name)/\(volume)" rw="True"
              revisions_to_keep="1" save_on_stop="\(volume == "private" ? "True" : "False")"
              snap_on_start="\(volume == "root" ? "True" : "False")" size="1024"/>
            """
        }
        return """
            <domain id="domain-\(number)" class="\(kind)"><properties>
              <property name="name">\(name)</property><property name="qid">\(number)</property>
              <property name="uuid">\(uuid(number))</property>
            </properties><features>\(features)</features><tags/><volume-config>
              \(volumes.joined(separator: "\n"))
              <volume name="kernel" pool="linux-kernel" vid="6.12" revisions_to_keep="0" rw="False"
                save_on_stop="False" snap_on_start="False"/>
            </volume-config></domain>
            """
    }

    /// The UUID of the qube of this number: 2 is `deb`, 3 `work`, 4 `vault`, 5 `other`, 6 `admin`.
    static func uuid(_ number: Int) -> String { "6f1c0c3e-8d7b-4f0e-9c55-0a4be1a7d2c\(number)" }

    static let inventory = inventory(workFeatures: "")

    /// Replaces qubes.xml by one in which dom0 has features.
    func writeInventory(adminFeatures: String) throws {
        try Self.write(
            Self.inventory(workFeatures: "", adminFeatures: adminFeatures), to: settings.qubesXML)
    }

    static func inventory(
        workFeatures: String, workNumber: Int = 3, adminFeatures: String = ""
    ) -> String {
        """
        <qubes><labels/><pools>
          <pool name="varlibqubes" dir_path="/var/lib/qubes" driver="file-reflink"/>
          <pool name="linux-kernel" dir_path="/var/lib/qubes/vm-kernels" driver="linux-kernel"/>
        </pools><properties/><domains>
          <domain id="domain-0" class="AdminVM"><properties/>
            <features>\(adminFeatures)</features><tags/></domain>
          \(domain(2, "deb", kind: "TemplateVM"))
          \(domain(workNumber, "work", features: workFeatures))
          \(domain(4, "vault"))
          \(domain(5, "other"))
          \(domain(6, "admin"))
        </domains></qubes>
        """
    }
}
