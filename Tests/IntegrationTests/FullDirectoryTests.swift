// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// The real daemon whose state and cache directories are small, or full.
@Suite(
    "Directories of the service", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct FullDirectoryTests {
    private static func populated() throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        for (number, qube) in ["work", "vault"].enumerated() {
            try Files.write(
                Content.text(mebibytes: 16, seed: UInt64(1 + number)),
                to: fileSystem.image("appvms/\(qube)/private.img"))
        }
        try fileSystem.synchronize()
        return fileSystem
    }

    private func mount(_ fileSystem: LoopFileSystem) throws {
        for name in ["state", "cache"] {
            let path = "\(fileSystem.folder)/\(name)"
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true)
            try Command.check("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", path)
        }
    }

    private func unmount(_ fileSystem: LoopFileSystem) {
        for name in ["state", "cache"] {
            _ = try? Command.run(["umount", "\(fileSystem.folder)/\(name)"])
        }
    }

    @Test("Full, they end nothing, and once there is room nothing is lost")
    func full() throws {
        let fileSystem = try Self.populated()
        try mount(fileSystem)
        defer { unmount(fileSystem) }
        let inventory = try fileSystem.inventory()
        let before = try fileSystem.dataUsedBytes()
        do {
            let daemon = try DaemonRun(on: fileSystem)
            for name in ["state", "cache"] {
                let full = "\(fileSystem.folder)/\(name)/full"
                let ending = try Command.run(["dd", "if=/dev/zero", "of=\(full)", "status=none"])
                #expect(ending.status != 0, "it is full")
            }
            for words in [
                ["optimize", "work"], ["estimate", "vault"], ["report"], ["optimize", "vault"],
                ["dedupe", "--all"],
            ] {
                let ending = try daemon.client(words)
                #expect(ending.status == 0, "\(words): \(ending.errors)\(ending.output)")
            }
            _ = try daemon.client("check")
            #expect(daemon.isRunning)
            let jobs = try daemon.client("jobs", "--json").output
            for name in ["state", "cache"] {
                try FileManager.default.removeItem(
                    atPath: "\(fileSystem.folder)/\(name)/full")
            }
            daemon.stop()
            try daemon.start()
            let list = try JSONDecoder().decode(JobList.self, from: Data(jobs.utf8))
            #expect(list.jobs.count == 4)
            let after = try DaemonRun.reply(
                daemon.call("btrfs.job.List", from: "dom0", to: .name("dom0")), as: JobList.self)
            #expect(after.jobs == list.jobs)
            #expect(after.jobs.allSatisfy { $0.state == .done })
        }
        #expect(try fileSystem.dataUsedBytes() < before / 2)
        #expect(try fileSystem.inventory() == inventory)
    }

    @Test("Of two daemons the second is refused, until the first is dead")
    func twoDaemons() throws {
        let fileSystem = try Self.populated()
        let daemon = try DaemonRun(on: fileSystem)
        let other = try Command.run([
            Command.program("qubes-btrfsd"), "--socket", "\(fileSystem.folder)/other",
            "--state-directory", "\(fileSystem.folder)/state",
            "--cache-directory", "\(fileSystem.folder)/cache",
            "--log-file", "\(fileSystem.folder)/other.log",
        ])
        #expect(other.status == 1)
        #expect(
            other.errors.contains(
                "another qubes-btrfsd uses the state directory \(fileSystem.folder)/state."))
        daemon.killNow()
        try daemon.start()
        #expect(try daemon.client("jobs").status == 0)
    }
}
