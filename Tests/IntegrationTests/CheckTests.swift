// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import SystemPackage
import Testing

/// What a check finds on a real Btrfs, broken in one way after the other.
@Suite("Checks of a real Btrfs", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct CheckTests {
    private func level(_ check: CheckReport, _ topic: String) -> CheckReport.Finding.Level? {
        check.findings.first { $0.topic == topic }?.level
    }

    private func populated(mount: [String] = []) throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 1024, mount: mount)
        try Files.write(
            Content.random(mebibytes: 24, seed: 1),
            to: fileSystem.image("appvms/work/private.img"))
        try Command.check(
            "cp", "--reflink=always", "--preserve=timestamps",
            fileSystem.image("appvms/work/private.img"),
            fileSystem.image("appvms/work/private-precache.img"))
        return fileSystem
    }

    @Test("On a sound machine nothing has to be mended")
    func sound() throws {
        let check = try WorkerRun.check(try populated(mount: ["compress=zstd:1", "discard=async"]))
        #expect(!check.wantsAction, "\(check.findings)")
        #expect(level(check, "mount.compress") == .good)
        #expect(level(check, "mount.discard") == .good)
        #expect(level(check, "images") == .good)
        #expect(level(check, "kernel") == .good || level(check, "kernel") == .note)
    }

    @Test("A loop device of a running qube takes discards, and without one nothing is said")
    func discards() throws {
        let fileSystem = try populated()
        #expect(level(try WorkerRun.check(fileSystem), "loop.discard") == nil)
        let image = fileSystem.image("appvms/work/private.img")
        let device = try Command.check("losetup", "--find", "--show", image).output
            .trimmingCharacters(in: .whitespacesAndNewlines)
        defer { _ = try? Command.run(["losetup", "--detach", device]) }
        #expect(level(try WorkerRun.check(fileSystem), "loop.discard") == .good)
    }

    @Test("Mount options that freeze, unshare or hide bit rot are problems, each with its command")
    func mountOptions() throws {
        let fileSystem = try populated(mount: ["discard=sync", "nodatasum", "autodefrag"])
        let check = try WorkerRun.check(fileSystem)
        #expect(level(check, "mount.discard") == .problem)
        #expect(level(check, "mount.nodatasum") == .problem)
        #expect(level(check, "mount.autodefrag") == .warning)
        #expect(level(check, "mount.compress") == .note)
        let compress = try #require(check.findings.first { $0.topic == "mount.compress" }?.command)
        #expect(compress.hasPrefix("systemctl enable --now qubes-btrfs-compress.service  # or"))
        #expect(compress.contains(#/ \/etc\/fstab: UUID=[0-9a-f-]{36} \/[^ ]+ btrfs /#))
        #expect(compress.contains("nodatasum,") && compress.hasSuffix(",compress=zstd:1 0 0"))
        for finding in check.findings where finding.topic.hasPrefix("mount.") {
            #expect(finding.reason != nil && finding.command?.contains(fileSystem.path) == true)
        }
        let levels: [CheckReport.Finding.Level] = [.problem, .warning, .note, .good]
        let order = check.findings.compactMap { levels.firstIndex(of: $0.level) }
        #expect(order == order.sorted())
        // Of a qube alone, nothing of the machine is told.
        let ofQube = try WorkerRun.check(fileSystem, machine: false)
        #expect(ofQube.findings.allSatisfy { !$0.topic.hasPrefix("mount.") })
    }

    @Test("Quotas are named, and how long ago the last scrub was")
    func upkeep() throws {
        let fileSystem = try populated()
        #expect(level(try WorkerRun.check(fileSystem), "quota.on") == nil)
        #expect(level(try WorkerRun.check(fileSystem), "scrub.age") == .note)
        try Command.check("btrfs", "quota", "enable", fileSystem.path)
        try Command.check("btrfs", "scrub", "start", "-B", fileSystem.path)
        let check = try WorkerRun.check(fileSystem)
        #expect(level(check, "quota.on") == .warning)
        #expect(level(check, "scrub.age") == .good)
        let command = check.findings.first { $0.topic == "quota.on" }?.command
        #expect(command == "btrfs quota disable \(fileSystem.path)")
    }

    @Test("A NOCOW image, a precache that holds its own, an import that was left")
    func images() throws {
        let fileSystem = try populated()
        let folder = fileSystem.image("appvms/work")
        #expect(level(try WorkerRun.check(fileSystem), "image.precache") == nil)
        // As a defragmentation would: the same content, in extents of its own.
        try Command.check(
            "cp", "--reflink=never", "--preserve=timestamps", folder + "/private.img",
            folder + "/private-precache.img")
        try Command.check("touch", folder + "/private.img.9@2099-01-01T00:00:00Z")
        try Command.check("touch", "-d", "3 days ago", folder + "/private-import.img")
        try Command.check("touch", folder + "/private.img.1@2026-01-01T00:00:00Z")
        try Command.check("chattr", "+C", folder + "/private.img.1@2026-01-01T00:00:00Z")
        try fileSystem.synchronize()
        let found = try WorkerRun.check(fileSystem)
        #expect(level(found, "image.precache") == .warning)
        #expect(level(found, "image.revision") == .warning)
        #expect(level(found, "image.stale") == .warning)
        #expect(level(found, "image.nocow") == .problem)
        #expect(
            found.findings.filter { $0.topic.hasPrefix("image.") }.allSatisfy {
                $0.subject == "work:private" && $0.command != nil && $0.reason != nil
            })
        try Command.check("touch", "-d", "1 day ago", folder + "/private-precache.img")
        #expect(level(try WorkerRun.check(fileSystem), "image.precache") == .note)
    }

    @Test("A pool of the driver file on Btrfs is named, one elsewhere is not")
    func otherDrivers() throws {
        let fileSystem = try populated()
        try Command.check("mkdir", fileSystem.path + "/old")
        var order = WorkerRun.order(.check, [WorkerRun.volume("work")], on: fileSystem)
        order.otherPools = [
            .init(name: "old", driver: "file", directory: fileSystem.path + "/old"),
            .init(name: "plain", driver: "file", directory: "/proc"),
        ]
        guard case .check(let check)? = try WorkerRun.messages(order).last else {
            Issue.record("no check")
            return
        }
        let found = check.findings.filter { $0.topic == "pool.driver" }
        #expect(found.map(\.subject) == ["pool old"])
        #expect(found.map(\.level) == [.warning])
    }

    @Test("The client says what to mend, in 80 columns, and its status tells")
    func client() throws {
        let run = try DaemonRun(on: populated(mount: ["compress=zstd", "discard=async"]))
        let sound = try run.client("check")
        #expect(sound.status == 0, "\(sound.output)\(sound.errors)")
        #expect(sound.output.contains("Nothing needs to be mended."))
        try Command.check("mount", "-o", "remount,autodefrag", run.fileSystem.path)
        let broken = try run.client("check")
        #expect(broken.status == 7, "\(broken.output)\(broken.errors)")
        #expect(broken.output.contains("remount,noautodefrag"))
        #expect(broken.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
        let json = try run.client("check", "--json")
        let check = try JSONDecoder().decode(CheckReport.self, from: Data(json.output.utf8))
        #expect(json.status == 7 && check.wantsAction)
    }

    @Test("A report as table, tree, CSV, page and comparison, through daemon and client")
    func reports() throws {
        let run = try DaemonRun(on: populated())
        let folder = run.fileSystem.folder
        let json = try run.client("report", "--json")
        try Data(json.output.utf8).write(to: URL(fileURLWithPath: folder + "/old.json"))
        let old = try JSONDecoder().decode(Report.self, from: Data(json.output.utf8))
        #expect(old.fileSystems.first?.mountOptions != nil)
        #expect((old.fileSystems.first?.systemTotalBytes ?? 0) > 0)
        #expect(old.history?.isEmpty == false && old.machine != nil)
        try Files.write(
            Content.random(mebibytes: 4, seed: 8),
            to: run.fileSystem.image("appvms/vault/private.img"))
        let compared = try run.client("report", "--compare", folder + "/old.json")
        #expect(compared.status == 0 && compared.output.contains("+4.00 MiB"))
        #expect(try run.client("report", "--compare", folder + "/socket").status == 1)
        let page = try run.client("report", "--html", folder + "/page.html")
        #expect(page.status == 0, "\(page.errors)")
        let text = try String(contentsOfFile: folder + "/page.html", encoding: .utf8)
        #expect(text.contains("<a href=\"#qube-work\""))
        let table = try run.client("report", "--csv", "--qube", "work", "--qube", "vault")
        #expect(table.output.split(separator: "\r\n").count == 5, "\(table.output)")
        for words in [["--tree"], ["--revisions"], ["--sort", "name"], ["--template", "deb"]] {
            let shown = try Command.run(
                [Command.program("qvm-btrfs"), "report", "--socket", run.socket.string] + words)
            #expect(shown.status == 0, "\(words): \(shown.errors)")
            #expect(shown.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
        }
        #expect(try run.client("report", "--csv", "--tree").status == 2)
    }
}
