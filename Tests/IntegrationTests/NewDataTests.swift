// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import SystemPackage
import Testing

@Suite("New data on a real Btrfs", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct NewDataTests {
    private func populated(mount: [String] = []) throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 256, mount: mount)
        try Files.write(
            Content.random(mebibytes: 2, seed: 1), to: fileSystem.image("appvms/work/private.img"))
        try fileSystem.synchronize()
        return fileSystem
    }

    private func newData(_ daemon: DaemonRun, _ words: String...) throws -> NewData {
        let ending = try Command.run(
            [Command.program("qvm-btrfs"), "new-data", "work"] + words + [
                "--json", "--socket", daemon.socket.string,
            ])
        try #require(ending.status == 0, "\(ending.errors)")
        let reply = try JSONDecoder().decode(
            NewDataReply.self, from: Data(ending.output.utf8))
        return try #require(reply.volumes.first).newData
    }

    /// What text takes that is written to a new image, of 4 MiB.
    private func diskBytesOfNewImage(on fileSystem: LoopFileSystem) throws -> UInt64 {
        let image = fileSystem.image("appvms/work/private-new.img")
        try? FileManager.default.removeItem(atPath: image)
        try Files.write(Content.text(mebibytes: 4, seed: 2), to: image)
        try fileSystem.synchronize()
        defer { try? FileManager.default.removeItem(atPath: image) }
        return try fileSystem.compsizeBytes(image)
    }

    @Test("What is set is inherited by images made later, and no image that is there changes")
    func setting() throws {
        let fileSystem = try populated()
        let inventory = try fileSystem.inventory()
        let daemon = try DaemonRun(on: fileSystem)
        let before = try newData(daemon)
        #expect(before.isCompressed == false && before.reason == .nothing)
        #expect(before.isCompressedLater == false && before.directoryProperty == nil)
        let set = try newData(daemon, "--compress", "zstd")
        #expect(set.isCompressed == false, "the image that is there was made before")
        #expect(set.isCompressedLater && set.directoryProperty == "zstd")
        #expect(try fileSystem.inventory() == inventory)
        #expect(try diskBytesOfNewImage(on: fileSystem) < 2 << 20)
        let unset = try newData(daemon, "--compress", "default")
        #expect(!unset.isCompressedLater && unset.directoryProperty == nil)
        #expect(try diskBytesOfNewImage(on: fileSystem) == 4 << 20)
        #expect(try fileSystem.inventory() == inventory)
    }

    @Test("Off wins over the mount option, and default gives way to it again")
    func off() throws {
        let fileSystem = try populated(mount: ["compress=zstd"])
        let daemon = try DaemonRun(on: fileSystem)
        let before = try newData(daemon)
        #expect(before.isCompressed == true && before.reason == .mount)
        let off = try newData(daemon, "--compress", "off")
        #expect(!off.isCompressedLater)
        #expect(try diskBytesOfNewImage(on: fileSystem) == 4 << 20)
        #expect(try newData(daemon, "--compress", "default").isCompressedLater)
        #expect(try diskBytesOfNewImage(on: fileSystem) < 2 << 20)
    }

    @Test("A report says of each volume what decides it")
    func report() throws {
        let fileSystem = try populated(mount: ["compress-force=zstd"])
        let daemon = try DaemonRun(on: fileSystem)
        let ending = try daemon.client("report", "work", "--json")
        let report = try JSONDecoder().decode(Report.self, from: Data(ending.output.utf8))
        let newData = try #require(report.qubes.first?.volumes.first?.newData)
        #expect(newData.isCompressed == true && newData.reason == .mountForce)
        #expect(try daemon.client("report", "work").output.contains("compress-force"))
    }

    @Test("The flags of the image count: m, c, and C above all")
    func flags() throws {
        let fileSystem = try populated(mount: ["compress=zstd"])
        let daemon = try DaemonRun(on: fileSystem)
        let image = fileSystem.image("appvms/work/private.img")
        try Command.check("chattr", "+m", image)
        try fileSystem.synchronize()
        #expect(try newData(daemon).reason == .noCompressFlag)
        try Command.check("chattr", "-m", "+c", image)
        try fileSystem.synchronize()
        #expect(try newData(daemon).reason == .flag)
        try FileManager.default.removeItem(atPath: image)
        try Command.check("touch", image)
        try Command.check("chattr", "+C", image)
        try fileSystem.synchronize()
        let nocow = try newData(daemon)
        #expect(nocow.reason == .nocow && nocow.isCompressed == false)
    }

    @Test("A NOCOW directory is said to be one, and stays what it is")
    func nocowDirectory() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 256)
        let folder = fileSystem.image("appvms/work")
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try Command.check("chattr", "+C", folder)
        let daemon = try DaemonRun(on: fileSystem)
        let ending = try daemon.client("new-data", "work", "--compress", "zstd")
        #expect(ending.status == 1)
        #expect(ending.errors.contains("NOCOW"))
        #expect(try Command.check("lsattr", "-d", folder).output.contains("C"))
    }

    @Test("What would count for another qube, too, is refused")
    func sharedDirectory() throws {
        let fileSystem = try populated()
        var other = WorkerRun.volume("other", selected: false)
        other.volumeIdentifier = "appvms/work/other"
        let order = WorkerRun.order(
            .newData(.zstd), [WorkerRun.volume("work"), other], on: fileSystem)
        guard case .failure(_, let message, _)? = try WorkerRun.messages(order).last else {
            Issue.record("it was done")
            return
        }
        #expect(message.contains("other qubes"))
        let text = try Command.check(
            "btrfs", "property", "get", fileSystem.image("appvms/work"), "compression"
        ).output
        #expect(!text.contains("zstd"))
    }
}
