// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import SystemCalls
import SystemPackage
import TestSupport
import Testing

/// Qubes with a real ext4 each, in images as Qubes has them on a real Btrfs. What runs is mounted
/// from its live image; what is asked of it by qrexec is done on that mount, by the real fstrim. In
/// the place of qubesd is one that mounts and unmounts as a start and a shutdown do.
final class TrimWorld {
    /// How a qube answers, as lines of shell before the command that was asked for.
    typealias Manner = String

    let fileSystem: LoopFileSystem
    let daemon: DaemonRun
    let qubes: [QubesXML.Qube]
    private let guests: Guests
    private let agent: SharedDescriptor
    private var folder: String { fileSystem.folder }

    /// - Parameters:
    ///   - running: those of the qubes that run.
    ///   - mebibytes: of each image. What was in it is deleted inside, and in those that run more.
    ///   - features: of each qube by its name, as elements of qubes.xml; of dom0, too.
    init(
        _ qubes: [QubesXML.Qube], running: Set<String>, mebibytes: Int = 32,
        features: (String) -> String = { _ in "" }
    ) throws {
        self.qubes = qubes
        fileSystem = try LoopFileSystem(mebibytes: 256 + qubes.count * mebibytes * 3 / 2)
        guests = Guests(folder: fileSystem.folder, pool: fileSystem.pool, qubes: qubes)
        try guests.prepare()
        agent = SharedDescriptor(
            try UnixSocket.listen(FilePath(fileSystem.folder + "/agent"), mode: 0o600))
        for qube in qubes { try guests.make(qube, mebibytes: mebibytes) }
        daemon = try DaemonRun(
            on: fileSystem,
            inventory: QubesXML.text(pool: fileSystem.pool, qubes, features: features),
            visible: ["mgmt": Set(qubes.map(\.name))])
        let guests = guests
        daemon.qubesd.change { world in
            world.power = { guests.power($0, $1) }
            for qube in qubes {
                world.qubes[qube.name] = "class=\(qube.kind) state=Halted"
                world.answers["admin.vm.property.Get+netvm \(qube.name)"] =
                    "default=True type=vm "
                for kind in ["block", "pci"] {
                    world.answers["admin.vm.device.\(kind).Assigned+ \(qube.name)"] = ""
                }
                for other in ["audiovm", "guivm"] {
                    world.answers["admin.vm.property.Get+\(other) \(qube.name)"] =
                        "default=True type=vm dom0"
                }
            }
            world.answers["admin.deviceclass.List+ dom0"] = "block\npci\n"
        }
        try FileManager.default.createSymbolicLink(
            atPath: folder + "/run/qubesd.sock", withDestinationPath: daemon.qubesd.path.string)
        let listener = agent
        try WorkThread.start { while let _ = try? listener.descriptor.accept() {} }
        for qube in qubes where !running.contains(qube.name) { try guests.forget(qube.name) }
        for name in running.sorted() {
            guests.power(name, true)
            daemon.qubesd.change { $0.set(name, "Running") }
            try guests.churn(name, mebibytes: mebibytes / 4)
        }
    }

    deinit {
        agent.descriptor.shutdownBoth()
        guests.unmountAll()
    }

    /// Says how a qube answers.
    func set(_ qube: String, _ manner: Manner) throws {
        try Data(manner.utf8).write(to: URL(fileURLWithPath: folder + "/how/\(qube)"))
    }

    /// The words of `qvm-btrfs trim` in dom0.
    func words(_ words: [String]) -> [String] { self.words("trim", words) }

    /// The words of our client in dom0.
    private func words(_ command: String, _ words: [String]) -> [String] {
        [
            "env", "PATH=\(folder)/bin:\(ProcessInfo.processInfo.environment["PATH"] ?? "")",
            Command.program("qvm-btrfs"), command,
        ] + words + ["--socket", daemon.socket.string, "--qubes-run", folder + "/run"]
    }

    /// `qvm-btrfs trim` in dom0.
    func trim(_ words: String...) throws -> Command.Ending { try Command.run(self.words(words)) }

    /// `qvm-btrfs optimize` in dom0.
    func optimize(_ words: String...) throws -> Command.Ending {
        try Command.run(self.words("optimize", words))
    }

    /// The same beside the test.
    func start(_ command: String, _ words: String...) throws -> ProgramBeside {
        try ProgramBeside(self.words(command, words))
    }

    /// A start of any qube waits for this, and says so.
    func holdStarts() -> StartGate {
        let gate = StartGate()
        daemon.qubesd.change { world in
            let power = world.power
            world.power = { qube, isOn in
                if isOn { gate.pass() }
                power(qube, isOn)
                if isOn { gate.end() }
            }
        }
        return gate
    }

    /// Waits until a qube was asked for something.
    func waitUntilAsked() { while asked.isEmpty { usleep(10_000) } }

    /// qubesd was asked to start somebody.
    var hasStarted: Bool { daemon.qubesd.calls.contains { $0.hasPrefix("admin.vm.Start+ ") } }

    /// What was asked of qubes, in order: `work: fstrim /rw`.
    var asked: [String] {
        let text = try? String(contentsOfFile: folder + "/asked", encoding: .utf8)
        return (text ?? "").split(separator: "\n").map(String.init)
    }

    /// The state of a qube in qubesd's word.
    func state(_ qube: String) -> String? { daemon.qubesd.world.state(of: qube) }

    /// It is mounted somewhere.
    func isMounted(_ qube: String) -> Bool { guests.isMounted(qube) }

    /// The bytes of a qube's live image that are no holes, by the kernel's word.
    func liveBytes(_ qube: String) throws -> Int64 {
        try fileSystem.synchronize()
        let path = guests.live(qube)
        let blocks = try Command.check("stat", "--format=%b", path).output
        return Int64(blocks.trimmingCharacters(in: .whitespacesAndNewlines)).map { $0 * 512 } ?? -1
    }

    /// The image of before its start is gone, as a revision is some time later.
    func removeStateBeforeStart(_ qube: String) throws {
        try FileManager.default.removeItem(atPath: guests.clean(qube))
    }

    /// The admin qube `mgmt` under a policy, with these lines and those that are shipped.
    func admin(_ lines: String) throws -> QrexecStandIn {
        let shipped =
            URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path + "/policy/"
        var files = ["30-btrfs.policy": lines]
        for name in ["80-btrfs.policy", "include/btrfs-ro", "include/btrfs-rwx"] {
            files[name] = try String(contentsOfFile: shipped + name, encoding: .utf8)
        }
        var known: QrexecStandIn.Qubes = ["mgmt": []]
        for qube in qubes { known[qube.name] = [] }
        let guests = guests
        return try QrexecStandIn(
            caller: "mgmt", policy: try Policy(files: files), qubes: known,
            daemon: daemon.socket, folder: folder, qubesd: daemon.qubesd.path
        ) { guests.run($0, service: $1) }
    }
}

/// Holds whoever starts a qube.
final class StartGate: Sendable {
    private let state = Monitor((isReached: false, isOpen: false, isOver: false))

    fileprivate func pass() {
        state.withLock { $0.isReached = true }
        _ = state.wait { $0.isOpen ? true : nil }
    }

    /// Until somebody starts one.
    func waitUntilReached() { _ = state.wait { $0.isReached ? true : nil } }

    fileprivate func end() { state.withLock { $0.isOver = true } }

    /// Lets it go on, until it is up.
    func open() {
        state.withLock { $0.isOpen = true }
        _ = state.wait { $0.isOver ? true : nil }
    }
}

/// The insides of the qubes.
private struct Guests: Sendable {
    let folder: String
    let pool: String
    let images: [String: (folder: String, volume: String)]

    init(folder: String, pool: String, qubes: [QubesXML.Qube]) {
        self.folder = folder
        self.pool = pool
        images = Dictionary(
            uniqueKeysWithValues: qubes.map { ($0.name, ("\(pool)/\($0.folder)", $0.volume)) })
    }

    func clean(_ qube: String) -> String { base(qube) + ".img" }
    func live(_ qube: String) -> String { base(qube) + "-dirty.img" }
    private func base(_ qube: String) -> String {
        images[qube].map { "\($0.folder)/\($0.volume)" } ?? ""
    }
    private func mount(_ qube: String) -> String { "\(folder)/guests/\(qube)" }

    func prepare() throws {
        for name in ["bin", "how", "guests", "run/qubes"] {
            try FileManager.default.createDirectory(
                atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
        }
        // What was asked for is done on the qube's own mount, where it is that of its class.
        try script(
            "bin/guest",
            """
            #!/bin/sh
            echo "$1: $2" >>"\(folder)/asked"
            mountpoint -q "\(folder)/guests/$1" || exit 1
            case "$2:$3" in "fstrim /:root"|"fstrim /rw:private") ;; *) exit 1;; esac
            mount="\(folder)/guests/$1"
            if [ -f "\(folder)/how/$1" ]; then . "\(folder)/how/$1"; fi
            exec fstrim "$mount"

            """)
        let cases = images.map { "\($0.key)) volume=\($0.value.volume);;" }.sorted()
        try script(
            "bin/qrexec-client",
            """
            #!/bin/sh
            test "$1" = -d || exit 2
            case "$2" in \(cases.joined(separator: " ")) *) exit 1;; esac
            exec "\(folder)/bin/guest" "$2" "${3#root:}" "$volume"

            """)
    }

    private func script(_ name: String, _ text: String) throws {
        let path = "\(folder)/\(name)"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    }

    /// An image with an ext4, a quarter full.
    func make(_ qube: QubesXML.Qube, mebibytes: Int) throws {
        let image = clean(qube.name)
        try FileManager.default.createDirectory(
            atPath: images[qube.name]?.folder ?? "", withIntermediateDirectories: true)
        try Command.check("truncate", "-s", "\(mebibytes)M", image)
        try Command.check(
            "mke2fs", "-q", "-F", "-t", "ext4", "-E", "lazy_itable_init=0,lazy_journal_init=0",
            "-J",
            "size=4", image)
        try mount(qube.name, image)
        try fill(qube.name, "first", mebibytes: mebibytes / 4)
        try Command.check("umount", mount(qube.name))
        try Command.check("sync", "-f", image)
    }

    private func mount(_ qube: String, _ image: String) throws {
        try FileManager.default.createDirectory(
            atPath: mount(qube), withIntermediateDirectories: true)
        // Without `discard`: nothing is given back but by fstrim.
        try Command.check("mount", "-o", "loop,noatime,nodiscard", image, mount(qube))
    }

    private func fill(_ qube: String, _ name: String, mebibytes: Int) throws {
        try Command.check(
            "dd", "if=/dev/urandom", "of=\(mount(qube))/\(name)", "bs=1M", "count=\(mebibytes)",
            "conv=fsync", "status=none")
    }

    /// What it had was deleted before it was shut down, and never told of.
    func forget(_ qube: String) throws {
        try mount(qube, clean(qube))
        try FileManager.default.removeItem(atPath: "\(mount(qube))/first")
        try Command.check("umount", mount(qube))
        try Command.check("sync", "-f", clean(qube))
    }

    /// What it had is deleted, and so is what it has written since its start.
    func churn(_ qube: String, mebibytes: Int) throws {
        // One extent each, so that some are given back whole.
        let seconds = (1...mebibytes).map { "second-\($0)" }
        for name in seconds {
            try fill(qube, name, mebibytes: 1)
            try Command.check("sync", "-f", live(qube))
        }
        for name in ["first"] + seconds {
            try FileManager.default.removeItem(atPath: "\(mount(qube))/\(name)")
        }
        try Command.check("sync", "-f", mount(qube))
        try Command.check("sync", "-f", live(qube))
    }

    /// What a start and a shutdown do: a clone of the image, and back.
    func power(_ qube: String, _ isOn: Bool) {
        let socket = "\(folder)/run/qubes/qrexec.\(qube)"
        if isOn {
            _ = try? Command.run(["cp", "--reflink=always", clean(qube), live(qube)])
            try? mount(qube, live(qube))
            _ = try? Command.run(["ln", "-s", "\(folder)/agent", socket])
        } else {
            _ = try? Command.run(["rm", "-f", socket])
            unmount(qube)
            _ = try? Command.run([
                "mv", clean(qube), "\(clean(qube)).1@2026-11-01T00:00:00Z",
            ])
            _ = try? Command.run(["mv", live(qube), clean(qube)])
        }
    }

    func isMounted(_ qube: String) -> Bool {
        (try? Command.run(["mountpoint", "-q", mount(qube)]))?.status == 0
    }

    func unmountAll() {
        for qube in images.keys where isMounted(qube) {
            unmount(qube)
        }
        // A loop device lets go of its image a moment after the mount is gone.
        while let list = try? Command.run(["losetup", "--list", "--noheadings", "-O", "BACK-FILE"]),
            list.output.contains(pool)
        {
            usleep(10_000)
        }
    }

    /// Somebody who was just killed may still be in it.
    private func unmount(_ qube: String) {
        while isMounted(qube) {
            if (try? Command.run(["umount", mount(qube)]))?.status != 0 { usleep(10_000) }
        }
    }

    /// What `qubes.VMRootExec` does in a qube, read as its agent reads it.
    func run(_ qube: String, service: String) -> Int32 {
        let words = service.split(separator: "+").map { word in
            word.replacing(#/-(?:-|([0-9A-F]{2}))/#) { match in
                match.output.1.flatMap { UInt8($0, radix: 16) }
                    .map { String(UnicodeScalar($0)) } ?? "-"
            }
        }
        guard words.first == "qubes.VMRootExec", words.dropFirst().first == "env" else { return 1 }
        let command = words.dropFirst(2).joined(separator: " ")
        let ending = try? Command.run([
            "\(folder)/bin/guest", qube, command, images[qube]?.volume ?? "",
        ])
        return ending?.status ?? 125
    }
}
