// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

@Suite("The systemd units")
struct UnitTests {
    /// What gives a service mounts of its own. The kernel does not dedupe into a read-only one.
    /// What hides pools, dom0's own files or who has connected, or makes them read-only, or keeps
    /// mounts of the machine from the service.
    static let hidingOptions = [
        "ProtectSystem", "ReadOnlyPaths", "InaccessiblePaths", "BindPaths", "BindReadOnlyPaths",
        "TemporaryFileSystem", "ProtectKernelModules", "RootDirectory", "RootImage", "DynamicUser",
        "PrivateUsers", "ProtectProc", "ProcSubset", "MountFlags",
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

    @Test("systemd has nothing to say about them")
    func verify() throws {
        let folder = try ScratchFolder()
        for name in InstallTests.units {
            // The programs are not installed here.
            let text = try Checkout.text("systemd/\(name)")
                .replacing("/usr/libexec/qubes/qubes-btrfsd", with: "/bin/true")
                .replacing("/usr/libexec/qubes/qubes-btrfs-worker", with: "/bin/true")
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

    @Test("The daemon sees the pools that qubesd sees, and may work on them")
    func noMounts() throws {
        let keys = Set(try settings("qubes-btrfsd.service").map(\.key))
        #expect(keys.isDisjoint(with: Self.hidingOptions))
        #expect(try values("ProtectHome", of: "qubes-btrfsd.service") == ["read-only"])
    }

    @Test("The daemon keeps the three capabilities that a worker needs, and no other")
    func capabilities() throws {
        let name = "qubes-btrfsd.service"
        #expect(
            try values("CapabilityBoundingSet", of: name) == [
                "CAP_SYS_ADMIN CAP_DAC_READ_SEARCH CAP_FOWNER"
            ])
        #expect(try values("AmbientCapabilities", of: name).isEmpty)
        #expect(try values("NoNewPrivileges", of: name) == ["yes"])
    }

    @Test(
        "What a service may not do stays forbidden",
        arguments: [
            "qubes-btrfsd.service", "qubes-btrfs-weekly.service", "qubes-btrfs-compress.service",
            "qubes-btrfs-continue.service", "qubes-btrfs-follow.service",
            "qubes-btrfs-trim.service",
        ])
    func restrictions(name: String) throws {
        let expected = [
            "IPAddressDeny": "any", "LimitCORE": "0", "LockPersonality": "yes",
            "MemoryDenyWriteExecute": "yes", "NoNewPrivileges": "yes", "ProtectClock": "yes",
            "RestrictAddressFamilies": "AF_UNIX", "RestrictNamespaces": "yes",
            "RestrictRealtime": "yes", "RestrictSUIDSGID": "yes",
            "SystemCallArchitectures": "native", "SystemCallErrorNumber": "EPERM",
            "UMask": "0077",
        ]
        // The weekly service has stricter ones in their place, which need mounts of its own.
        let ofTheDaemon = ["DevicePolicy": "closed", "KeyringMode": "private"]
        let all = expected.merging(name == "qubes-btrfsd.service" ? ofTheDaemon : [:]) { $1 }
        for (key, value) in all { #expect(try values(key, of: name) == [value], "\(key)") }
        #expect(try values("User", of: name).isEmpty)
        #expect(try values("PassEnvironment", of: name).isEmpty)
        #expect(try values("EnvironmentFile", of: name).isEmpty)
    }

    /// What the filter of the daemon's unit denies, its groups taken apart by systemd itself.
    private func deniedCalls() throws -> Set<String> {
        var denied: Set<String> = []
        func calls(_ name: String) throws -> Set<String> {
            guard name.hasPrefix("@") else { return [name] }
            let result = try run(["systemd-analyze", "syscall-filter", "--no-pager", name])
            try #require(result.status == 0)
            let members = linesOf(result.output).filter { $0.hasPrefix("    ") }
                .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.hasPrefix("#") }
            return try members.reduce(into: []) { $0.formUnion(try calls($1)) }
        }
        for value in try values("SystemCallFilter", of: "qubes-btrfsd.service") {
            let isDenial = value.hasPrefix("~")
            for name in value.drop(while: { $0 == "~" }).split(separator: " ") {
                let members = try calls(String(name))
                if isDenial { denied.formUnion(members) } else { denied.subtract(members) }
            }
        }
        return denied
    }

    @Test("The filter of system calls takes what a worker never needs, and leaves what it does")
    func systemCalls() throws {
        let denied = try deniedCalls()
        for call in [
            "bpf", "capset", "chown", "chroot", "delete_module", "init_module",
            "io_uring_setup", "io_uring_enter", "kexec_load", "keyctl", "mount", "move_mount",
            "perf_event_open", "pivot_root", "ptrace", "reboot", "setuid", "settimeofday",
            "swapon", "umount2",
        ] {
            #expect(denied.contains(call), "\(call)")
        }
        for call in [
            "clone3", "execve", "fanotify_init", "fanotify_mark", "fsync", "ioctl", "ioprio_set",
            "landlock_create_ruleset", "landlock_restrict_self", "open_by_handle_at",
            "prctl", "readahead", "sched_setscheduler", "seccomp", "setpriority", "statx", "syncfs",
        ] {
            #expect(!denied.contains(call), "\(call)")
        }
    }

    @Test("The weekly run is followed to its end, fails where its job does, and waits on battery")
    func weekly() throws {
        let name = "qubes-btrfs-weekly.service"
        #expect(
            try values("ExecStart", of: name) == [
                "/usr/bin/qvm-btrfs optimize --all --quiet --brief"
            ])
        #expect(try values("Type", of: name) == ["oneshot"])
        #expect(try values("TimeoutStartSec", of: name) == ["infinity"])
        // What docs/client.md calls the end of a job that was cancelled, and nothing else.
        #expect(try values("SuccessExitStatus", of: name) == ["8"])
        #expect(try values("ConditionACPower", of: name).isEmpty)
    }

    @Test("The documents give the exposure that systemd reckons")
    func exposure() throws {
        let text = try Checkout.text("docs/security.md")
        for name in InstallTests.units where name.hasSuffix(".service") {
            let result = try run([
                "systemd-analyze", "security", "--offline=true", "--no-pager",
                "systemd/\(name)",
            ])
            let line = linesOf(result.output).last { $0.contains("Overall exposure level") }
            let figure = try #require(
                line?.firstMatch(of: #/: ([0-9.]+) /#).map { String($0.output.1) })
            // Other versions of systemd reckon a little differently.
            let documented = try #require(
                text.firstMatch(of: try Regex("`\(name)`: ([0-9.]+)"))?.output[1].substring)
            let difference = abs((Double(figure) ?? 99) - (Double(documented) ?? 0))
            #expect(difference <= 0.5, "\(name): \(figure)")
        }
    }

    @Test("A worker never outlives the daemon, and its death is not the daemon's")
    func deaths() throws {
        #expect(try values("KillMode", of: "qubes-btrfsd.service") == ["mixed"])
        #expect(try values("OOMPolicy", of: "qubes-btrfsd.service") == ["continue"])
    }

    @Test("Daemon and workers together leave most of dom0's memory to dom0")
    func memory() throws {
        let name = "qubes-btrfsd.service"
        func share(_ key: String) throws -> Int {
            let value = try #require(try values(key, of: name).first)
            return try #require(Int(value.dropLast()))
        }
        #expect(try values("MemoryHigh", of: name).first?.hasSuffix("%") == true)
        #expect(try share("MemoryHigh") <= 50)
        #expect(try share("MemoryMax") <= 75)
        #expect(try share("MemoryHigh") < share("MemoryMax"))
    }

    @Test("The unit is started when the daemon says that it serves")
    func readiness() throws {
        #expect(try values("Type", of: "qubes-btrfsd.service") == ["notify"])
        #expect(try values("NotifyAccess", of: "qubes-btrfsd.service") == ["main"])
    }

    @Test("The log is rotated, made as its neighbours are, and nobody has to be told")
    func rotation() throws {
        let text = try Checkout.text("logrotate/qubes-btrfs")
        let settings = linesOf(text).map { $0.trimmingCharacters(in: .whitespaces) }
        #expect(settings.contains("/var/log/qubes/btrfs.log {"))
        #expect(settings.contains("create 0640 root qubes"))
        #expect(settings.contains { $0.hasPrefix("maxsize ") })
        #expect(!settings.contains("copytruncate"))
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
            let commands = try values("ExecStart", of: name) + values("ExecStopPost", of: name)
            for command in commands {
                let path = URL(fileURLWithPath: String(command.prefix { $0 != " " }))
                let folder = path.deletingLastPathComponent().path
                #expect(makefile.contains("DIR ?= \(folder)\n"), "\(command)")
                let (program, link) = (
                    "$(PROGRAMS)/\(path.lastPathComponent)", "ln -sf qubes-btrfsd "
                )
                #expect(
                    makefile.contains("\(program) ") || makefile.contains("\(link)\(program)\n"))
            }
        }
    }

    @Test("Whatever becomes of the compression of new data, the machine starts")
    func compression() throws {
        let name = "qubes-btrfs-compress.service"
        for key in ["Before", "RequiredBy", "Requires", "Requisite", "BindsTo", "OnFailure"] {
            #expect(try values(key, of: name).isEmpty, "\(key)")
        }
        // Wanted, and not required, by what comes last.
        #expect(try values("WantedBy", of: name) == ["multi-user.target"])
        #expect(try values("DefaultDependencies", of: name).isEmpty)
        #expect(try values("TimeoutStartSec", of: name) == ["60s"])
        // Taken back when it stops, and when it fails half-way: ExecStop is not run then.
        let worker = "/usr/libexec/qubes/qubes-btrfs-worker mount-compression"
        #expect(try values("ExecStart", of: name) == ["\(worker) on"])
        #expect(try values("ExecStopPost", of: name) == ["\(worker) off"])
        #expect(try values("RemainAfterExit", of: name) == ["yes"])
        #expect(
            try values("CapabilityBoundingSet", of: name) == ["CAP_SYS_ADMIN CAP_DAC_READ_SEARCH"])
    }

    @Test("What a shutdown interrupts goes on with the machine's start, and keeps it from nothing")
    func continuing() throws {
        let name = "qubes-btrfs-continue.service"
        // With the socket, and not by a link of its own that an upgrade would have to make.
        #expect(try values("Wants", of: "qubes-btrfsd.socket") == [name])
        #expect(try values("WantedBy", of: name).isEmpty)
        #expect(try values("Before", of: name).isEmpty)
        // Where the daemon keeps it: see `ContinuationStore`.
        #expect(
            try values("ConditionPathExists", of: name) == ["/var/lib/qubes-btrfs/continue.json"])
        #expect(try values("StateDirectory", of: "qubes-btrfsd.service") == ["qubes-btrfs"])
        #expect(
            try Checkout.text("Sources/Service/Jobs/Continuation.swift")
                .contains("\"continue.json\""))
        #expect(try values("CapabilityBoundingSet", of: name) == [""])
        // Any call starts the daemon; this one changes nothing.
        #expect(try values("ExecStart", of: name) == ["/usr/bin/qvm-btrfs jobs --quiet"])
    }

    @Test("What follows qubesd is nobody of the group qubes, and has no capability")
    func following() throws {
        let name = "qubes-btrfs-follow.service"
        #expect(try values("DynamicUser", of: name) == ["yes"])
        #expect(try values("SupplementaryGroups", of: name) == ["qubes"])
        #expect(try values("CapabilityBoundingSet", of: name) == [""])
        #expect(try values("AmbientCapabilities", of: name).isEmpty)
        #expect(try values("MemoryMax", of: name) == ["128M"])
        #expect(try values("WantedBy", of: name) == ["multi-user.target"])
        #expect(try values("Before", of: name).isEmpty)
    }

    @Test("The weekly run waits for trims, which nobody of the group qubes starts, and not root")
    func trimming() throws {
        let name = "qubes-btrfs-trim.service"
        let weekly = "qubes-btrfs-weekly.service"
        #expect(try values("Wants", of: weekly) == [name])
        #expect(try values("After", of: weekly) == ["qubes-btrfsd.socket \(name)"])
        // One that fails is no reason to leave out the week.
        #expect(try values("Requires", of: weekly) == ["qubes-btrfsd.socket"])
        #expect(
            try values("ExecStart", of: name) == ["/usr/bin/qvm-btrfs trim --by-feature --quiet"])
        #expect(try values("Type", of: name) == ["oneshot"])
        #expect(try values("DynamicUser", of: name) == ["yes"])
        #expect(try values("SupplementaryGroups", of: name) == ["qubes"])
        #expect(try values("CapabilityBoundingSet", of: name) == [""])
        #expect(try values("AmbientCapabilities", of: name).isEmpty)
        #expect(try values("WantedBy", of: name).isEmpty)
    }

    @Test("The preset turns the socket on and leaves the others to the user")
    func preset() throws {
        let lines = try Checkout.lines("systemd/75-qubes-btrfs.preset").filter {
            !$0.hasPrefix("#")
        }
        #expect(
            lines == [
                "enable qubes-btrfsd.socket", "disable qubes-btrfs-weekly.timer",
                "disable qubes-btrfs-compress.service", "disable qubes-btrfs-follow.service",
            ])
    }
}
