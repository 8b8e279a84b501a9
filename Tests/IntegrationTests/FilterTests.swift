// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import SystemCalls
import Testing

/// Daemon and worker under the unit's filter of system calls: systemd is not here to start them.
@Suite(
    "Daemon and worker under the unit's filter",
    .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason),
    .enabled(if: UnitFilter.isAvailable, UnitFilter.reason))
struct FilterTests {
    private static let unit = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../systemd/qubes-btrfsd.service").standardized

    @Test("The filter refuses what it is for, and leaves what a worker needs")
    func filter() throws {
        let filter = try UnitFilter(unit: Self.unit)
        #expect(
            filter.refused.isSuperset(of: [
                "mount", "umount2", "ptrace", "init_module", "kexec_load", "reboot", "setuid",
                "chroot", "bpf", "swapon", "settimeofday", "perf_event_open", "io_submit",
            ]))
        #expect(
            filter.refused.isDisjoint(with: [
                "open_by_handle_at", "landlock_create_ruleset", "seccomp", "ioctl", "ioprio_set",
                "fanotify_init", "fanotify_mark",
            ]))
    }

    @Test("Whoever calls what is refused ends there")
    func isOn() throws {
        let filter = try UnitFilter(unit: Self.unit)
        let ending = try filter.confining {
            try Command.run(["sh", "-c", "chroot /proc true; echo $?"])
        }
        // 128 and SIGSYS.
        #expect(ending.output == "159\n")
    }

    @Test("Every service works: nothing that daemon or worker calls is refused")
    func everything() throws {
        let filter = try UnitFilter(unit: Self.unit)
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let work = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.text(mebibytes: 16, seed: 1), to: work)
        try Files.copy(work, to: fileSystem.image("appvms/vault/private.img"))
        try Files.clone(work, to: fileSystem.image("vm-templates/deb/private.img"))
        try fileSystem.synchronize()
        let inventory = try fileSystem.inventory()
        let daemon = try filter.confining {
            try DaemonRun(on: fileSystem, groups: ["work": "all", "vault": "all", "deb": "all"])
        }
        for words in [
            ["check"], ["estimate"], ["verify"], ["report"], ["new-data", "work"],
            ["dedupe", "dom0"], ["compress", "dom0"], ["defragment", "dom0"], ["optimize", "dom0"],
            ["sparsify", "dom0"], ["jobs"],
        ] {
            let ending = try daemon.client(words)
            // 7: a check that has found something.
            #expect([0, 7].contains(ending.status), "\(words): \(ending)")
        }
        #expect(try fileSystem.inventory() == inventory)
        try controlled(daemon)
        let jobs = try DaemonRun.reply(
            daemon.call("btrfs.job.List", from: "dom0", to: .name("dom0")), as: JobList.self)
        #expect(jobs.jobs.filter { $0.state == .done }.count == 7)
        #expect(jobs.jobs.allSatisfy { $0.state == .done || $0.state == .cancelled })
        #expect(
            jobs.jobs.contains {
                $0.operation == .dedupe && ($0.result?.extentsReplaced ?? 0) > 0
            })
        #expect(
            jobs.jobs.contains {
                $0.operation == .compress && ($0.result?.extentsReplaced ?? 0) > 0
            })
        daemon.stop()
        let log = try String(contentsOfFile: daemon.log, encoding: .utf8)
        #expect(log.contains("event=stop"), "the daemon came to its own end")
    }

    /// Words to a job, which go through a pipe and threads of their own.
    private func controlled(_ daemon: DaemonRun) throws {
        try Files.write(
            Content.text(mebibytes: 48, seed: 2),
            to: daemon.fileSystem.image("appvms/work/private.img.1@2026-01-02T03:04:05Z"))
        let job = try DaemonRun.reply(
            daemon.call(
                "btrfs.Compress", from: "dom0", to: .name("dom0"),
                payload: #"{"version":1,"level":19}"#),
            as: JobAccepted.self
        ).job
        // Two beats: between them the daemon waits for the end of the connection.
        let hold = try UnixSocket.connect(daemon.socket)
        try hold.send(Array("btrfs.job.Hold+ dom0 name work\0".utf8))
        try hold.shutdownWriting()
        for _ in 0..<2 {
            let beat = try hold.read(maximumBytes: 4096)
            #expect(!beat.isEmpty)
        }
        hold.shutdownBoth()
        for word in [WorkerControl.pause, .resume, .pause, .cancel] {
            _ = try DaemonRun.reply(
                daemon.call(
                    word.service.rawValue, argument: job, from: "dom0", to: .name("dom0")),
                as: JobRecord.self)
        }
        let record = try DaemonRun.reply(
            daemon.call("btrfs.job.Watch", argument: job, from: "dom0", to: .name("dom0")),
            as: JobRecord.self)
        #expect(record.state == .cancelled)
    }
}
