// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation

/// A root of a system with a `systemctl` in it, as no systemd runs where tests do. Units are those
/// of the checkout; which are on is kept in files. The compression is started and stopped for real,
/// by the lines of its unit, with the inventory of the test.
struct SystemctlStandIn {
    /// Where it all lies; `--system-root` of the client.
    let root: String
    private let manager = FileManager.default
    private static let units = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../../systemd").standardized.path

    /// - Parameters:
    ///   - folder: in which the root is made.
    ///   - inventory: the text of qubes.xml.
    init(in folder: String, inventory: String) throws {
        root = folder + "/root"
        for name in ["/usr/bin", "/etc", "/var/lib/qubes", "/run/units"] {
            try manager.createDirectory(
                atPath: root + name, withIntermediateDirectories: true)
        }
        try inventory.write(
            toFile: root + "/var/lib/qubes/qubes.xml", atomically: true, encoding: .utf8)
        try "UUID=somebody's own line\n".write(
            toFile: root + "/etc/fstab", atomically: true, encoding: .utf8)
        let path = root + "/usr/bin/systemctl"
        try script.write(toFile: path, atomically: true, encoding: .utf8)
        try manager.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    }

    /// What systemd does, as far as these units need it: a runtime directory from start to stop,
    /// ExecStopPost after every end, a failure of ExecStart among them.
    private var script: String {
        """
        #!/bin/sh
        root=\(root) units=\(Self.units) worker=\(Command.program("qubes-btrfs-worker"))
        state=$root/run/units
        echo "$*" >>"$root/run/calls"
        line() {
            options="--state-file $root/run/qubes-btrfs/compress.json"
            [ "$1" = ExecStopPost ] || options="$options --qubes-xml $root/var/lib/qubes/qubes.xml"
            words=$(sed -n "s|^$1=/usr/libexec/qubes/qubes-btrfs-worker ||p" "$units/$unit")
            # shellcheck disable=SC2086
            [ -z "$words" ] || "$worker" $words $options 2>>"$root/run/journal"
        }
        runtime() {
            ! grep -q ^RuntimeDirectory= "$units/$unit" || "$@" "$root/run/qubes-btrfs"
        }
        start() {
            [ ! -e "$state/$unit.active" ] || return 0
            runtime mkdir -p
            if line ExecStart; then touch "$state/$unit.active"; return 0; fi
            line ExecStopPost
            runtime rm -r
            return 1
        }
        stop() {
            [ -e "$state/$unit.active" ] || return 0
            line ExecStopPost || failed=1
            runtime rm -r
            rm "$state/$unit.active"
            [ -z "$failed" ]
        }
        is() { if [ -e "$state/$unit.$1" ]; then echo "$2"; else echo "$3"; fi; }
        [ "$1" != --quiet ] || shift
        verb=$1
        shift
        now=
        [ "$1" != --now ] || { now=1; shift; }
        [ "$verb" != show ] || shift
        unit=$1
        [ -e "$units/$unit" ] || { echo LoadState=not-found; exit 0; }
        [ ! -e "$state/$unit.broken" ] || [ "$verb" = show ] || exit 5
        case $verb in
            show) echo LoadState=loaded
                echo "UnitFileState=$(is enabled enabled disabled)"
                echo "ActiveState=$(is active active inactive)" ;;
            enable) touch "$state/$unit.enabled"; [ -z "$now" ] || start ;;
            disable) rm -f "$state/$unit.enabled"; [ -z "$now" ] || stop ;;
            start) start ;;
            stop) stop ;;
            *) exit 64 ;;
        esac

        """
    }

    /// A unit is so: `enabled`, `active`, or `broken`: systemd does nothing with it.
    func has(_ unit: String, _ state: String) -> Bool {
        manager.fileExists(atPath: "\(root)/run/units/\(unit).\(state)")
    }

    /// Makes it so.
    func set(_ unit: String, _ state: String) {
        _ = manager.createFile(atPath: "\(root)/run/units/\(unit).\(state)", contents: nil)
    }

    /// `systemctl`, as an administrator calls it.
    @discardableResult
    func call(_ words: String...) throws -> Command.Ending {
        try Command.run(["\(root)/usr/bin/systemctl"] + words)
    }

    /// What the service of compression has written.
    var journal: String {
        (try? String(contentsOfFile: root + "/run/journal", encoding: .utf8)) ?? ""
    }

    /// Every file with its mode and content, but for what the stand-in keeps for itself.
    func files() throws -> [String] {
        let found = try Command.check(
            "find", root, "-not", "-path", "*/run/journal", "-not", "-path", "*/run/calls",
            "-printf", "%P %y %m %s\\n"
        ).output
        let sums = try Command.check(
            "sh", "-c", "find \(root)/etc \(root)/var -type f -print0 | xargs -0 -r sha256sum"
        ).output
        return (found + sums).split(separator: "\n").map(String.init).sorted()
    }

    /// `qvm-btrfs setup`, with the daemon's socket, or one where nobody is.
    func setup(_ words: [String], socket: String = "/nonexistent/socket") throws -> Command.Ending {
        try Command.run(
            [Command.program("qvm-btrfs"), "setup"] + words + [
                "--system-root", root, "--socket", socket,
            ])
    }
}
