// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import SystemPackage
import Testing

/// `setup` of the built client, with the built worker on a real Btrfs; systemd has a stand-in.
@Suite("Setup and its undoing", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct SetupTests {
    private static let units = [
        "qubes-btrfsd.socket", "qubes-btrfs-weekly.timer", "qubes-btrfs-compress.service",
        "qubes-btrfs-follow.service",
    ]
    private static let compression = "qubes-btrfs-compress.service"

    /// What else is mounted of the file system.
    enum More: Sendable { case nothing, subvolume(String), bind, both }

    /// Twenty mounts, and whether new data is compressed there by `setup`.
    private static let mounts: [(options: String, more: More, isSet: Bool)] = [
        ("defaults", .nothing, true), ("noatime", .nothing, true),
        ("autodefrag", .nothing, true), ("discard=async", .bind, true),
        ("nodiscard,commit=10", .nothing, true), ("discard=sync", .nothing, true),
        ("compress=lzo", .nothing, false), ("compress=zstd:3", .both, false),
        ("compress=zlib:9", .nothing, false), ("compress-force=zstd:9", .subvolume("rw"), false),
        ("nodatacow", .nothing, false), ("nodatasum", .nothing, false),
        ("ro", .nothing, false), ("noacl", .subvolume("ro"), true),
        ("nosuid,nodev,noexec", .subvolume("noatime"), true),
        ("sync,dirsync,lazytime", .nothing, true), ("nossd,flushoncommit", .both, true),
        ("max_inline=1024,thread_pool=3", .nothing, true),
        ("user_subvol_rm_allowed,skip_balance", .subvolume("rw"), true),
        ("notreelog,nobarrier", .bind, true),
    ]

    /// A pool on a file system that is mounted so, and in other places beside it.
    private func fileSystem(_ options: String, _ more: More) throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 128)
        try FileManager.default.createDirectory(
            atPath: fileSystem.image("appvms/work"), withIntermediateDirectories: true)
        try Command.check("btrfs", "subvolume", "create", fileSystem.path + "/sub")
        try Command.check("umount", fileSystem.path)
        try Command.check("mount", "-o", "loop," + options, fileSystem.backing, fileSystem.path)
        let device = try Command.check(
            "findmnt", "--noheadings", "--output", "SOURCE", "--mountpoint", fileSystem.path
        ).output.trimmingCharacters(in: .whitespacesAndNewlines)
        func place(_ name: String) throws -> String {
            let path = fileSystem.folder + "/mnt-" + name
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
            return path
        }
        switch more {
        case .nothing: break
        case .subvolume(let own):
            try Command.check("mount", "-o", "subvol=sub,\(own)", device, try place("sub"))
        case .bind: try Command.check("mount", "--bind", fileSystem.pool, try place("bind"))
        case .both:
            try Command.check("mount", "-o", "subvol=sub", device, try place("sub"))
            try Command.check("mount", "--bind", fileSystem.pool, try place("bind"))
        }
        return fileSystem
    }

    private func unmountMore(_ fileSystem: LoopFileSystem) {
        for name in ["sub", "bind"] {
            _ = try? Command.run(["umount", fileSystem.folder + "/mnt-" + name])
        }
    }

    private func standIn(_ fileSystem: LoopFileSystem) throws -> SystemctlStandIn {
        try SystemctlStandIn(
            in: fileSystem.folder,
            inventory: QubesXML.text(pool: fileSystem.pool, [QubesXML.Qube(name: "work")]))
    }

    @Test("Twenty round trips leave every file and every option as it was")
    func roundTrips() throws {
        #expect(Self.mounts.count == 20)
        let fstab = try? Data(contentsOf: URL(fileURLWithPath: "/etc/fstab"))
        for mount in Self.mounts {
            let fileSystem = try fileSystem(mount.options, mount.more)
            defer { unmountMore(fileSystem) }
            let system = try standIn(fileSystem)
            let before = try MountTable.lines(below: fileSystem.folder)
            try #require(!before.isEmpty)
            let files = try system.files()

            let setup = try system.setup(["--yes"])
            try #require(setup.status == 0, "\(mount.options): \(setup.errors)")
            for unit in Self.units {
                #expect(system.has(unit, "enabled") && system.has(unit, "active"), "\(unit)")
            }
            let during = try MountTable.lines(below: fileSystem.folder)
            if mount.isSet {
                #expect(MountTable.compression(during) == ["compress=zstd:1"], "\(mount.options)")
                let rest = MountTable.withoutCompression(during)
                #expect(rest == before, "\(mount.options)")
            } else {
                #expect(during == before, "\(mount.options)")
                #expect(system.journal.contains("left alone"), "\(mount.options)")
            }
            #expect(try system.files() != files)

            let undo = try system.setup(["--undo", "--yes"])
            try #require(undo.status == 0, "\(mount.options): \(undo.errors)")
            let after = try MountTable.lines(below: fileSystem.folder)
            #expect(after == before, "\(mount.options)")
            let filesAfter = try system.files()
            #expect(filesAfter == files, "\(mount.options)")
        }
        #expect(fstab == (try? Data(contentsOf: URL(fileURLWithPath: "/etc/fstab"))))
    }

    @Test("What was on before stays on, and setup twice is taken back by one undo")
    func before() throws {
        let fileSystem = try fileSystem("defaults", .nothing)
        let system = try standIn(fileSystem)
        system.set("qubes-btrfsd.socket", "enabled")
        system.set("qubes-btrfsd.socket", "active")
        // On at the next start, but not now; and the other way round.
        system.set("qubes-btrfs-weekly.timer", "enabled")
        try system.call("start", Self.compression)
        let before = try MountTable.lines(below: fileSystem.folder)
        let files = try system.files()
        for _ in 0..<2 { #expect(try system.setup(["--yes"]).status == 0) }
        let calls = try String(contentsOfFile: system.root + "/run/calls", encoding: .utf8)
        #expect(!calls.contains("enable --now qubes-btrfsd.socket"))
        #expect(calls.contains("start qubes-btrfs-weekly.timer"))
        #expect(system.has("qubes-btrfs-weekly.timer", "active"))
        #expect(system.has(Self.compression, "enabled"))
        #expect(try system.setup(["--undo", "--yes"]).status == 0)
        #expect(try system.files() == files)
        #expect(try MountTable.lines(below: fileSystem.folder) == before)
        #expect(MountTable.compression(before) == ["compress=zstd:1"])
        let again = try system.setup(["--undo", "--yes"])
        #expect(again.status == 0 && again.output.contains("setup has done nothing"))
        #expect(try system.files() == files)
    }

    @Test("A dry run changes nothing, and without a terminal nobody is asked")
    func dry() throws {
        let fileSystem = try fileSystem("defaults", .nothing)
        let system = try standIn(fileSystem)
        let files = try system.files()
        let dry = try system.setup(["--dry-run"])
        #expect(dry.status == 0 && dry.errors.contains("nothing was changed"))
        for unit in Self.units { #expect(dry.output.contains("systemctl enable --now \(unit)")) }
        let unasked = try system.setup([])
        #expect(unasked.status == 2 && unasked.errors.contains("--yes"))
        #expect(try system.files() == files)
        #expect(try system.setup(["--yes"]).status == 0)
        let set = try system.files()
        let undo = try system.setup(["--undo", "--dry-run"])
        #expect(undo.output.contains("systemctl disable --now \(Self.compression)"))
        #expect(try system.setup(["--undo"]).status == 2)
        #expect(try system.files() == set)
        try system.call("stop", Self.compression)
    }

    @Test("Where a step fails it is said, and undo takes back what was done before it")
    func failure() throws {
        let fileSystem = try fileSystem("defaults", .nothing)
        let system = try standIn(fileSystem)
        let files = try system.files()
        system.set(Self.compression, "broken")
        let setup = try system.setup(["--yes"])
        #expect(setup.status == 1)
        #expect(setup.errors.contains("enable --now \(Self.compression)"))
        #expect(setup.errors.contains("--undo"))
        #expect(system.has("qubes-btrfs-weekly.timer", "enabled"))
        try FileManager.default.removeItem(
            atPath: "\(system.root)/run/units/\(Self.compression).broken")
        #expect(try system.setup(["--undo", "--yes"]).status == 0)
        #expect(try system.files() == files)
    }

    @Test("Where one file system refuses, none is left with an option that was not there before")
    func half() throws {
        let (first, second) = (
            try fileSystem("defaults", .nothing), try fileSystem("defaults", .nothing)
        )
        let pool =
            "<pool name=\"other\" dir_path=\"\(second.pool)\" driver=\"file-reflink\"/></pools>"
        let system = try SystemctlStandIn(
            in: first.folder,
            inventory: QubesXML.text(pool: first.pool, [QubesXML.Qube(name: "work")])
                .replacing("</pools>", with: pool))
        let before = try [first, second].map { try MountTable.lines(below: $0.folder) }
        try Command.check("fsfreeze", "--freeze", second.path)
        let setup: Command.Ending
        do {
            // One that is frozen stays so, come what may, and holds up the end of the test.
            defer { _ = try? Command.run(["fsfreeze", "--unfreeze", second.path]) }
            setup = try system.setup(["--yes"])
        }
        #expect(setup.status == 1)
        #expect(system.journal.contains("varlibqubes: what is written is compressed from now on"))
        #expect(system.journal.contains("other: the kernel does not set compress=zstd:1"))
        #expect(try [first, second].map { try MountTable.lines(below: $0.folder) } == before)
        // It is well again.
        #expect(try system.setup(["--yes"]).status == 0)
        for fileSystem in [first, second] {
            let lines = try MountTable.lines(below: fileSystem.folder)
            #expect(MountTable.compression(lines) == ["compress=zstd:1"])
        }
        #expect(try system.setup(["--undo", "--yes"]).status == 0)
        #expect(try [first, second].map { try MountTable.lines(below: $0.folder) } == before)
    }

    @Test("It shows what the service finds, with the command that setup runs by itself")
    func findings() throws {
        let fileSystem = try fileSystem("defaults", .nothing)
        let system = try standIn(fileSystem)
        let daemon = try DaemonRun(on: fileSystem)
        let shown = try system.setup(["--dry-run"], socket: daemon.socket.string)
        #expect(shown.status == 0)
        #expect(shown.output.contains("What 'qvm-btrfs check' found"))
        #expect(shown.output.contains("new data is not compressed as it is written"))
        #expect(try system.setup(["--yes", "--quiet"], socket: daemon.socket.string).status == 0)
        let set = try system.setup(["--dry-run"], socket: daemon.socket.string)
        #expect(!set.output.contains("new data is not compressed as it is written"))
        #expect(set.output.contains("Nothing is left to be turned on."))
        #expect(
            try system.setup(["--undo", "--yes"], socket: daemon.socket.string).status == 0)
    }
}
