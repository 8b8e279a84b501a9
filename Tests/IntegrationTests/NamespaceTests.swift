// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// The daemon where the options of its unit put it: mounts and network of its own, the kernel's
/// tunables and homes read-only, no devices. What systemd makes of them (systemd.exec(5)) is made
/// by hand, as no systemd runs where tests do.
@Suite(
    "In the unit's own namespaces", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct NamespaceTests {
    /// What the unit asks for, and how it is made here. Folders for temporary files stay as they
    /// are: the test's own lie there.
    private static let mounts: [String: String] = [
        "PrivateMounts=yes": "", "PrivateNetwork=yes": "", "PrivateTmp=yes": "",
        "ProtectHostname=yes": "",
        "ProtectHome=read-only": "mount --bind -o ro /root /root",
        "PrivateDevices=yes": """
        mount -t tmpfs -o mode=755 none /dev
        mknod -m 666 /dev/null c 1 3
        mknod -m 666 /dev/zero c 1 5
        mknod -m 666 /dev/urandom c 1 9
        """,
        "ProtectKernelTunables=yes": "mount --bind -o ro /proc/sys /proc/sys",
        "ProtectKernelLogs=yes": "mount --bind -o ro /dev/null /proc/kmsg",
        "ProtectControlGroups=yes": "mount --bind -o ro /sys /sys",
    ]

    private static let unit = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../systemd/qubes-btrfsd.service").standardized

    /// A program that goes into namespaces of its own and becomes the daemon there.
    private func program(in folder: String) throws -> String {
        let unit = try String(contentsOf: Self.unit, encoding: .utf8).split(separator: "\n")
        // The devices last: another option needs one.
        let asked = Self.mounts.filter { unit.contains(Substring($0.key)) }
            .sorted {
                $0.key.contains("Devices") ? false : $1.key.contains("Devices") || $0.key < $1.key
            }
        #expect(asked.count == Self.mounts.count, "the unit has all of them")
        let path = folder + "/in-namespaces"
        let script = """
            #!/bin/sh
            # A root that is no mount of its own, as in a chroot, cannot be made a slave; where
            # nothing is shared it need not be.
            mode=slave
            grep -q ' shared:' /proc/self/mountinfo || mode=unchanged
            exec unshare --mount --net --uts --propagation $mode sh -ec '
            \(asked.map(\.value).filter { !$0.isEmpty }.joined(separator: "\n"))
            exec \(Command.program("qubes-btrfsd")) "$@"' sh "$@"

            """
        try Data(script.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        return path
    }

    @Test("Every job works, and reports and checks say what they say elsewhere")
    func works() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        for (seed, name) in ["work", "vault"].enumerated() {
            try Files.write(
                Content.text(mebibytes: 8, seed: UInt64(seed)),
                to: fileSystem.image("appvms/\(name)/private.img"))
        }
        try FileManager.default.createDirectory(
            atPath: fileSystem.path + "/usr/share", withIntermediateDirectories: true)
        try Files.write(Content.text(mebibytes: 1, seed: 9), to: fileSystem.path + "/usr/share/a")
        let usual = try DaemonRun(on: fileSystem)
        let check = try usual.client("check", "--json")
        usual.stop()
        let daemon = try DaemonRun(on: fileSystem, program: try program(in: fileSystem.folder))
        for verb in [
            "estimate", "verify", "dedupe", "compress", "optimize", "defragment", "sparsify",
        ] {
            let ending = try daemon.client(verb, "work")
            #expect(ending.status == 0, "\(verb): \(ending.errors)")
        }
        #expect(try daemon.client("compress", "dom0:system").status == 0)
        #expect(try daemon.client("report").output.contains("vault"))
        #expect(try topics(daemon.client("check", "--json").output) == topics(check.output))
    }

    private func topics(_ json: String) throws -> [String] {
        try JSONDecoder().decode(CheckReport.self, from: Data(json.utf8)).findings.map(\.topic)
    }
}
