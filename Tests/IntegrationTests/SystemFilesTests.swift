// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

@Suite("dom0's own files on a real Btrfs", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct SystemFilesTests {
    private static let directories = ["usr", "etc", "var/log", "srv"]

    /// Jobs on dom0's own files below a folder, and on a qube's volumes.
    private func order(
        _ work: WorkerOrder.Work, below root: String, on fileSystem: LoopFileSystem,
        volumes: [WorkerOrder.Volume] = []
    ) -> WorkerOrder {
        var order = WorkerRun.order(work, volumes, on: fileSystem)
        order.volumes.append(
            WorkerOrder.Volume(
                qube: "dom0", qubeKind: "AdminVM", name: "system", pool: "",
                volumeIdentifier: "", selected: true, skipped: false, isVolatile: false,
                compressionLevel: nil, dedupeGroup: "system"))
        order.systemDirectories = Self.directories.map { root + "/" + $0 }
        return order
    }

    private func result(_ order: WorkerOrder) throws -> JobResult {
        let last = try WorkerRun.messages(order).last
        guard case .result(let result)? = last else {
            throw WorkerRun.UnexpectedEnd(message: "\(String(describing: last))")
        }
        return result
    }

    private func report(_ order: WorkerOrder) throws -> Report {
        let last = try WorkerRun.messages(order).last
        guard case .report(let report)? = last else {
            throw WorkerRun.UnexpectedEnd(message: "\(String(describing: last))")
        }
        return report
    }

    private func job(_ work: WorkerOrder.Work, on fileSystem: LoopFileSystem) throws -> JobResult {
        try result(order(work, below: fileSystem.path, on: fileSystem))
    }

    @Test("Hard links, sparse files and running programs are compressed, once, and stay the same")
    func everyKindOfFile() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let usr = fileSystem.path + "/usr"
        try Files.write(Content.text(mebibytes: 6, seed: 1), to: usr + "/lib/a")
        try Command.check("ln", usr + "/lib/a", usr + "/lib/b")
        try Files.write(Content.text(mebibytes: 2, seed: 2), to: usr + "/lib/sparse")
        try Command.check("truncate", "-s", "100M", usr + "/lib/sparse")
        try Command.check("cp", "--reflink=never", "/usr/bin/tail", usr + "/tail")
        let program = Process()
        program.executableURL = URL(fileURLWithPath: usr + "/tail")
        program.arguments = ["-f", "/dev/null"]
        // Whoever waits for our output must not wait for its.
        program.standardOutput = FileHandle.nullDevice
        program.standardError = FileHandle.nullDevice
        try program.run()
        defer {
            // Nothing less: it inherits a mask that may hold back SIGTERM.
            kill(program.processIdentifier, SIGKILL)
            program.waitUntilExit()
        }
        let before = try fileSystem.dataUsedBytes()
        let inventory = try fileSystem.inventory()
        let result = try job(WorkerRun.compress, on: fileSystem)
        #expect(try fileSystem.inventory() == inventory)
        #expect(try fileSystem.dataUsedBytes() < before / 2)
        #expect(program.isRunning)
        #expect(result.problems.isEmpty, "\(result.problems)")
        #expect(!result.leftAlone.contains { $0.reason.contains("refused") })
        // The program is the only one whose first block may be in its own extent.
        #expect(try fileSystem.compsizeBytes(usr + "/tail") < 60 << 10)
    }

    @Test("Subvolumes below are entered; other mounts, links and pools are not")
    func whatIsEntered() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let text = Content.text(mebibytes: 4, seed: 3)
        try FileManager.default.createDirectory(
            atPath: fileSystem.path + "/usr", withIntermediateDirectories: true)
        try Command.check("btrfs", "subvolume", "create", fileSystem.path + "/usr/inner")
        try Files.write(text, to: fileSystem.path + "/usr/inner/file")
        let home = fileSystem.path + "/home"
        try Files.write(Content.text(mebibytes: 4, seed: 4), to: home + "/bound")
        try Files.write(Content.text(mebibytes: 4, seed: 5), to: fileSystem.path + "/root/linked")
        try FileManager.default.createDirectory(
            atPath: fileSystem.path + "/usr/mount", withIntermediateDirectories: true)
        try Command.check("mount", "--bind", home, fileSystem.path + "/usr/mount")
        defer { _ = try? Command.run(["umount", fileSystem.path + "/usr/mount"]) }
        for (target, link) in [("/root", "directory"), ("/root/linked", "file")] {
            try Command.check(
                "ln", "-s", fileSystem.path + target, fileSystem.path + "/usr/" + link)
        }
        let pool = fileSystem.path + "/srv/pool"
        let image = pool + "/appvms/other/private.img"
        try Files.write(Content.text(mebibytes: 4, seed: 6), to: image)
        var order = order(WorkerRun.compress, below: fileSystem.path, on: fileSystem)
        order.pools.append(.init(name: "second", directory: pool))
        let result = try result(order)
        #expect(result.extentsReplaced > 0)
        #expect(try fileSystem.compsizeBytes(fileSystem.path + "/usr/inner/file") < 2 << 20)
        for path in [home + "/bound", fileSystem.path + "/root/linked", image] {
            #expect(try fileSystem.compsizeBytes(path) == 4 << 20, "\(path) was not asked for")
        }
    }

    @Test("Its equal files are shared with each other, and with no qube's")
    func ownDedupeGroup() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let content = Content.random(mebibytes: 4, seed: 7)
        try Files.write(content, to: fileSystem.path + "/usr/one")
        try Files.write(content, to: fileSystem.path + "/srv/two")
        try Files.write(content, to: fileSystem.image("appvms/work/private.img"))
        let before = try fileSystem.dataUsedBytes()
        let order = order(
            WorkerRun.dedupe, below: fileSystem.path, on: fileSystem,
            volumes: [WorkerRun.volume("work")])
        let inventory = try fileSystem.inventory()
        let result = try result(order)
        #expect(try fileSystem.inventory() == inventory)
        #expect(try fileSystem.dataUsedBytes() == before - 4 << 20)
        #expect(result.measuredDataBytes == 4 << 20)
    }

    @Test("What was estimated of it comes back, and a report counts it as compsize does")
    func estimateAndReport() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let usr = fileSystem.path + "/usr"
        try Files.write(Content.text(mebibytes: 12, seed: 8), to: usr + "/lib/text")
        try Files.write(Content.random(mebibytes: 4, seed: 9), to: usr + "/lib/noise")
        try Files.write(Data("small".utf8), to: usr + "/lib/inline")
        try Files.write(Data(count: 4096), to: usr + "/lib/sector")
        try Command.check("ln", usr + "/lib/text", usr + "/lib/again")
        try fileSystem.synchronize()
        let order = order(.report, below: fileSystem.path, on: fileSystem)
        let report = try report(order)
        let figures = try #require(report.qubes.first { $0.name == "dom0" }).figures
        #expect(figures.diskBytes == (try fileSystem.compsizeBytes(usr)))
        #expect(figures.exclusiveBytes == figures.diskBytes, "both names are known")
        let estimate = try #require(
            try job(.estimate(running: false), on: fileSystem).estimate)
        let said = try #require(estimate.total.level(3)?.compress)
        #expect(estimate.qubes.map(\.name) == ["dom0"])
        let result = try job(WorkerRun.compress, on: fileSystem)
        let difference = Double(result.savedBytes) - Double(said.savedBytes)
        #expect(
            difference.magnitude
                <= 0.03 * Double(result.savedBytes) + 2 * Double(said.errorBytes))
        #expect(result.savedBytes > 6 << 20)
    }

    @Test("A pool on another file system and dom0's own files are worked on in one job")
    func twoFileSystems() throws {
        let pools = try LoopFileSystem(mebibytes: 256)
        let root = try LoopFileSystem(mebibytes: 256)
        try Files.write(
            Content.text(mebibytes: 4, seed: 10), to: pools.image("appvms/work/private.img"))
        try Files.write(Content.text(mebibytes: 4, seed: 11), to: root.path + "/usr/lib/file")
        let result = try result(
            order(
                WorkerRun.compress, below: root.path, on: pools,
                volumes: [WorkerRun.volume("work")]))
        #expect(result.before.count == 2)
        #expect(try pools.compsizeBytes(pools.image("appvms/work/private.img")) < 2 << 20)
        #expect(try root.compsizeBytes(root.path + "/usr/lib/file") < 2 << 20)
    }

    @Test("Folders that are not on Btrfs are said not to be, if nothing else was asked for")
    func notOnBtrfs() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 256)
        let order = order(WorkerRun.compress, below: "/proc/nowhere", on: fileSystem)
        let last = try WorkerRun.messages(order).last
        guard case .failure(_, let message, _)? = last else {
            Issue.record("\(String(describing: last))")
            return
        }
        #expect(message.contains("Btrfs"))
    }

    @Test("A log that is written to all the while is no failure, and loses nothing")
    func changingLog() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let log = fileSystem.path + "/var/log/messages"
        try Files.write(Content.text(mebibytes: 8, seed: 12), to: log)
        try Files.write(Content.text(mebibytes: 8, seed: 13), to: fileSystem.path + "/usr/file")
        try fileSystem.synchronize()
        let writer = Process()
        writer.executableURL = URL(fileURLWithPath: "/bin/sh")
        writer.arguments = [
            "-c", "n=0; while n=$((n+1)); do echo line $n; sleep 0.001; done >> \(log)",
        ]
        try writer.run()
        let result = try job(WorkerRun.compress, on: fileSystem)
        writer.terminate()
        writer.waitUntilExit()
        #expect(result.extentsReplaced > 0)
        #expect(!result.leftAlone.contains { $0.reason.contains("refused") })
        let text = try String(contentsOfFile: log, encoding: .utf8).dropFirst(8 << 20)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        #expect(lines.enumerated().allSatisfy { $1 == "line \($0 + 1)" })
    }

    @Test("The machine's job has them in it, and `system` alone is just them")
    func throughTheDoor() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        try Files.write(Content.text(mebibytes: 4, seed: 14), to: fileSystem.path + "/usr/file")
        let image = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.text(mebibytes: 4, seed: 15), to: image)
        try fileSystem.synchronize()
        let daemon = try DaemonRun(on: fileSystem)
        let report = try daemon.client("report", "dom0")
        #expect(report.output.contains("dom0"))
        let system = try daemon.client("compress", "dom0:system")
        #expect(system.status == 0)
        #expect(try fileSystem.compsizeBytes(fileSystem.path + "/usr/file") < 2 << 20)
        #expect(try fileSystem.compsizeBytes(image) == 4 << 20)
        #expect(try daemon.client("compress", "dom0").status == 0)
        #expect(try fileSystem.compsizeBytes(image) < 2 << 20)
    }

    @Test("No holes are made in them: alone they are refused, and the machine has them not in it")
    func noHoles() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let zeroes = fileSystem.path + "/usr/zeroes"
        try Files.write(Data(count: 4 << 20), to: zeroes)
        let allocated = fileSystem.path + "/var/log/allocated"
        try Files.write(Data(), to: allocated)
        try Command.check("fallocate", "--length", "4MiB", allocated)
        try Files.write(
            Content.text(mebibytes: 4, seed: 16), to: fileSystem.image("appvms/work/private.img"))
        try fileSystem.synchronize()
        let daemon = try DaemonRun(on: fileSystem)
        let client = try daemon.client("sparsify", "dom0:system")
        #expect(client.status == 2 && client.errors.contains("Holes are made in images"))
        // The client refuses it by itself; the daemon does not rely on that.
        let answer = try daemon.call(
            "btrfs.Sparsify", argument: "system", from: "dom0", to: .name("dom0"))
        #expect(String(decoding: answer, as: UTF8.self).contains("QubesValueError"))
        #expect(try daemon.client("jobs").output.contains("No jobs"))
        #expect(try daemon.client("sparsify", "dom0").status == 0)
        #expect(try fileSystem.compsizeBytes(zeroes) == 4 << 20)
        #expect(try fileSystem.compsizeBytes(allocated) == 4 << 20)
    }
}
