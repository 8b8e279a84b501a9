// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

/// The service of compression with what its unit leaves it, as systemd would make it.
@Suite(
    "The service of compression as its unit lets it be",
    .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct CompressionUnitTests {
    private static let unit = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../systemd/qubes-btrfs-compress.service").standardized

    private static func values(_ key: String) throws -> [String] {
        try String(contentsOf: unit, encoding: .utf8).split(separator: "\n")
            .filter { $0.hasPrefix(key + "=") }.map { String($0.dropFirst(key.count + 1)) }
    }

    /// The capabilities that the unit leaves, as setpriv names them.
    private static func capabilities() throws -> [String] {
        try values("CapabilityBoundingSet").joined(separator: " ").split(separator: " ").map {
            "+" + $0.lowercased().replacing("cap_", with: "")
        }
    }

    /// A pool in a folder of somebody else's, closed to all others.
    private func pool() throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 128)
        try FileManager.default.createDirectory(
            atPath: fileSystem.image("appvms/work"), withIntermediateDirectories: true)
        try Command.check("chown", "12345:12345", fileSystem.path + "/var")
        try Command.check("chmod", "0700", fileSystem.path + "/var")
        try QubesXML.text(pool: fileSystem.pool, [QubesXML.Qube(name: "work")]).write(
            toFile: fileSystem.folder + "/qubes.xml", atomically: true, encoding: .utf8)
        return fileSystem
    }

    private func words(_ turn: String, _ fileSystem: LoopFileSystem) -> [String] {
        [Command.program("qubes-btrfs-worker"), "mount-compression", turn]
            + (turn == "on" ? ["--qubes-xml", fileSystem.folder + "/qubes.xml"] : [])
            + ["--state-file", fileSystem.folder + "/compress.json"]
    }

    private func privileged(_ capabilities: [String]) -> [String] {
        [
            "setpriv", "--bounding-set", (["-all"] + capabilities).joined(separator: ","),
            "--inh-caps", "-all", "--no-new-privs",
        ]
    }

    private func isSet(_ fileSystem: LoopFileSystem) throws -> Bool {
        try !MountTable.compression(MountTable.lines(below: fileSystem.path)).isEmpty
    }

    @Test("Its capabilities suffice, and each is needed")
    func capabilities() throws {
        let all = try Self.capabilities()
        #expect(all.count == 2)
        for missing in [""] + all {
            let fileSystem = try pool()
            let prefix = privileged(all.filter { $0 != missing })
            let ending = try Command.run(prefix + words("on", fileSystem))
            #expect(try isSet(fileSystem) == missing.isEmpty, "\(missing): \(ending.errors)")
            guard missing.isEmpty else { continue }
            #expect(try Command.run(prefix + words("off", fileSystem)).status == 0)
            #expect(try !isSet(fileSystem))
        }
    }

    @Test("A read-only view of files, and of the kernel nothing but processes: it does its work")
    func readOnlyView() throws {
        #expect(try Self.values("ProtectSystem") == ["strict"])
        #expect(try Self.values("ProcSubset") == ["pid"])
        let fileSystem = try pool()
        for (turn, expected) in [("on", true), ("off", false)] {
            let command = words(turn, fileSystem).joined(separator: " ")
            let ending = try Command.run([
                "unshare", "--mount", "--pid", "--fork", "--propagation", "unchanged", "sh", "-ec",
                "mount -t proc -o subset=pid,hidepid=invisible none /proc\n"
                    + "mount --bind \(fileSystem.path) \(fileSystem.path)\n"
                    + "mount -o remount,ro,bind \(fileSystem.path)\n"
                    + "! touch \(fileSystem.path)/x 2>/dev/null\n" + command,
            ])
            #expect(ending.status == 0, "\(ending.errors)")
            let found = try isSet(fileSystem)
            #expect(found == expected, "\(turn)")
        }
    }

    @Test(
        "Its filter of system calls lets it do its work",
        .enabled(if: UnitFilter.isAvailable, UnitFilter.reason))
    func filter() throws {
        let filter = try UnitFilter(unit: Self.unit)
        for call in ["mount", "fsmount", "move_mount", "open_tree", "mount_setattr", "umount2"] {
            #expect(filter.refused.contains(call), "\(call)")
        }
        let fileSystem = try pool()
        for (turn, expected) in [("on", true), ("off", false)] {
            let command = words(turn, fileSystem)
            let ending = try filter.confining { try Command.run(command) }
            #expect(ending.status == 0, "\(turn): \(ending.errors)")
            let found = try isSet(fileSystem)
            #expect(found == expected, "\(turn)")
        }
    }
}
