// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

@Suite("The systemd units")
struct UnitTests {
    /// What gives a service mounts of its own. The kernel does not dedupe into a read-only one.
    static let mountingOptions = [
        "ProtectSystem", "ProtectHome", "ReadOnlyPaths", "ReadWritePaths", "InaccessiblePaths",
        "BindPaths", "BindReadOnlyPaths", "TemporaryFileSystem", "PrivateTmp", "PrivateMounts",
        "PrivateDevices", "ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs",
        "ProtectControlGroups", "ProtectHostname", "RootDirectory", "RootImage", "DynamicUser",
        "PrivateUsers",
    ]

    /// The settings of a unit, in order.
    func settings(_ name: String) throws -> [(key: String, value: String)] {
        try Checkout.lines("systemd/\(name)").compactMap { line in
            guard !line.hasPrefix("#"), let sign = line.firstIndex(of: "=") else { return nil }
            return (String(line[..<sign]), String(line[line.index(after: sign)...]))
        }
    }

    func values(_ key: String, of name: String) throws -> [String] {
        try settings(name).filter { $0.key == key }.map(\.value)
    }

    @Test(
        "systemd has nothing to say about them",
        .enabled(if: isInstalled("systemd-analyze"), "systemd-analyze is not installed"))
    func verify() throws {
        let folder = try ScratchFolder()
        for name in InstallTests.units {
            // The programs are not installed here.
            let text = try Checkout.text("systemd/\(name)")
                .replacing("/usr/libexec/qubes/qubes-btrfsd", with: "/bin/true")
                .replacing("/usr/bin/qvm-btrfs", with: "/bin/true")
            try folder.write(text, to: name)
        }
        let paths = InstallTests.units.map { "\(folder.path)/\($0)" }
        let result = try run(
            ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no"] + paths)
        #expect(result.status == 0)
        // An unknown key is only a warning, and the status stays 0.
        let complaints = linesOf(result.output).filter { $0.contains("qubes-btrfs") }
        #expect(complaints.isEmpty)
    }

    @Test("The daemon sees the mounts that qubesd sees")
    func noMounts() throws {
        let keys = Set(try settings("qubes-btrfsd.service").map(\.key))
        #expect(keys.isDisjoint(with: Self.mountingOptions))
    }

    @Test("The daemon keeps the four capabilities that a worker needs, and no other")
    func capabilities() throws {
        #expect(
            try values("CapabilityBoundingSet", of: "qubes-btrfsd.service") == [
                "CAP_SYS_ADMIN CAP_DAC_READ_SEARCH CAP_DAC_OVERRIDE CAP_FOWNER"
            ])
    }

    @Test("A worker never outlives the daemon, and its death is not the daemon's")
    func deaths() throws {
        #expect(try values("KillMode", of: "qubes-btrfsd.service") == ["control-group"])
        #expect(try values("OOMPolicy", of: "qubes-btrfsd.service") == ["continue"])
    }

    @Test("The socket is for root and the group qubes")
    func socket() throws {
        let name = "qubes-btrfsd.socket"
        #expect(try values("SocketUser", of: name) == ["root"])
        #expect(try values("SocketGroup", of: name) == ["qubes"])
        #expect(try values("SocketMode", of: name) == ["0660"])
        #expect(try values("Accept", of: name) == ["no"])
    }

    @Test("What the units start is what make installs")
    func programs() throws {
        let makefile = try Checkout.text("Makefile")
        for name in InstallTests.units {
            for command in try values("ExecStart", of: name) {
                let path = URL(fileURLWithPath: String(command.prefix { $0 != " " }))
                let folder = path.deletingLastPathComponent().path
                #expect(makefile.contains("DIR ?= \(folder)\n"), "\(command)")
                #expect(makefile.contains("$(PROGRAMS)/\(path.lastPathComponent) "), "\(command)")
            }
        }
    }

    @Test("The preset turns the socket on and leaves the timer to the user")
    func preset() throws {
        let lines = try Checkout.lines("systemd/75-qubes-btrfs.preset").filter {
            !$0.hasPrefix("#")
        }
        #expect(lines == ["enable qubes-btrfsd.socket", "disable qubes-btrfs-weekly.timer"])
    }
}
