// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import SystemCalls
import SystemPackage
import TestSupport
import Testing

/// A machine with the qubes of the documents, and a shell in its dom0.
final class DocumentWorld {
    let qubes = [
        QubesXML.Qube(name: "work"), .init(name: "personal"),
        .init(name: "debian-12", kind: "TemplateVM"), .init(name: "vault"),
    ]
    var names: [String] { qubes.map(\.name) }
    let fileSystem: LoopFileSystem
    let daemon: DaemonRun
    /// A file of dom0's own.
    let system: String
    private(set) var before: [String] = []
    private var agent: SharedDescriptor?
    /// Where the shell starts.
    var folder: String { fileSystem.folder }

    init() throws {
        fileSystem = try LoopFileSystem(mebibytes: 256)
        system = fileSystem.path + "/usr/share/words"
        for (index, qube) in qubes.enumerated() {
            try Files.write(
                Content.text(mebibytes: 2, seed: UInt64(index)),
                to: fileSystem.image(qube.image))
        }
        try FileManager.default.createDirectory(
            atPath: fileSystem.path + "/usr/share", withIntermediateDirectories: true)
        try Files.write(Content.text(mebibytes: 2, seed: 99), to: system)
        try fileSystem.synchronize()
        daemon = try DaemonRun(
            on: fileSystem, inventory: QubesXML.text(pool: fileSystem.pool, qubes),
            visible: ["mgmt": Set(qubes.map(\.name))])
        let wrapper = fileSystem.folder + "/bin/qvm-btrfs"
        try FileManager.default.createDirectory(
            atPath: fileSystem.folder + "/bin", withIntermediateDirectories: true)
        let program = Command.program("qvm-btrfs")
        let run =
            "case \"$*\" in trim*|optimize*--trim*) set -- \"$@\" --qubes-run \"\(folder)/run\";;"
            + " esac"
        try Data("#!/bin/sh\n\(run)\nexec \(program) \"$@\" --socket \(daemon.socket)\n".utf8)
            .write(to: URL(fileURLWithPath: wrapper))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: wrapper)
        before = try sums()
    }

    /// Types it into a shell.
    func shell(_ script: String) throws -> Command.Ending {
        try Command.run([
            "sh", "-c", "cd \"$1\" && PATH=\"$1/bin:$PATH\" && \(script)", "sh", folder,
        ])
    }

    /// Has a qube run, with an agent that does whatever it is asked for.
    func letRun(_ qube: String) throws {
        let run = folder + "/run/qubes"
        try FileManager.default.createDirectory(
            atPath: run, withIntermediateDirectories: true)
        agent = SharedDescriptor(
            try UnixSocket.listen(FilePath("\(run)/qrexec.\(qube)"), mode: 0o600))
        try Command.check("ln", "-s", "/bin/true", folder + "/bin/qrexec-client")
        daemon.qubesd.change { $0.set(qube, "Running") }
    }

    /// SHA-256 of every image, in order.
    func sums() throws -> [String] {
        try qubes.map { try Command.check("sha256sum", fileSystem.image($0.image)).output }
    }

    /// The qubes whose images lie on disk in another way than when they were written.
    func packed() throws -> Set<String> {
        try fileSystem.synchronize()
        return Set(try qubes.filter { try isPacked(fileSystem.image($0.image)) }.map(\.name))
    }

    /// A file takes less than it holds.
    func isPacked(_ path: String) throws -> Bool {
        let size = try FileManager.default.attributesOfItem(atPath: path)[.size] as? UInt64
        return try fileSystem.compsizeBytes(path) < (size ?? 0)
    }

    /// Queue and history.
    func jobs() throws -> [JobRecord] {
        let list = try daemon.client("jobs", "--json")
        return try JSONDecoder().decode(JobList.self, from: Data(list.output.utf8)).jobs
    }

    /// A call that the journal has, as journalctl writes it.
    func journal() throws -> String {
        let now = Int64(Date().timeIntervalSince1970) * 1_000_000
        let line =
            #"{"__REALTIME_TIMESTAMP":"\#(now)","SYSLOG_IDENTIFIER":"qrexec-policy-daemon","#
            + #""_UID":"0","MESSAGE":"qrexec: btrfs.Report+: mgmt -> work: denied: denied by"#
            + #" policy /etc/qubes/policy.d/80-btrfs.policy:38"}"#
        try Data((line + "\n").utf8).write(to: URL(fileURLWithPath: folder + "/journal"))
        return "journal"
    }

    /// A root with a stand-in for systemd in it.
    func systemRoot() throws -> String {
        try SystemctlStandIn(
            in: folder, inventory: QubesXML.text(pool: fileSystem.pool, qubes)
        ).root
    }

    /// Says a word to a job, by its first digits, and looks what becomes of it.
    func control(_ word: String, says: String) throws {
        if word != "watch" {
            // It takes a while.
            let image = fileSystem.image(qubes[0].image)
            try Files.write(Content.text(mebibytes: 48, seed: 5), to: image)
        }
        let level = word == "watch" ? "1" : "19"
        let started = try daemon.client("compress", "dom0", "--level", level, "--no-wait")
        let ending = try shell("qvm-btrfs \(word) \(started.output.prefix(8))")
        #expect(ending.status == 0, "\(word): \(ending.errors)")
        #expect(says.isEmpty || ending.output.contains(says))
        if word == "pause" { #expect(try jobs().first?.state == .paused) }
    }
}
