// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// Every figure against what other programs and the file system itself say.
@Suite("Reports of a real Btrfs", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct ReportTests {
    private let volumes = [
        WorkerRun.volume("deb", "root", isTemplate: true), WorkerRun.volume("work", "root"),
        WorkerRun.volume("work"), WorkerRun.volume("clone"),
    ]

    private func populated() throws -> LoopFileSystem {
        let fileSystem = try LoopFileSystem(mebibytes: 1024)
        let template = fileSystem.image("vm-templates/deb/root.img")
        try Files.write(Content.text(mebibytes: 16, seed: 1), to: template)
        let work = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.random(mebibytes: 12, seed: 2), to: work)
        try Files.clone(
            work, to: fileSystem.image("appvms/work/private.img.3@2026-01-02T03:04:05Z"))
        try Files.overwrite(work, atOffset: 1 << 20, with: Content.random(mebibytes: 2, seed: 3))
        try Files.clone(work, to: fileSystem.image("appvms/clone/private.img"))
        // A running app qube's root: another name of its template's, and a clone that is written
        // to.
        try FileManager.default.linkItem(
            atPath: template, toPath: fileSystem.image("appvms/work/root.img"))
        try Files.clone(template, to: fileSystem.image("appvms/work/root-dirty.img"))
        try fileSystem.synchronize()
        return fileSystem
    }

    @Test("Disk is what compsize says and what the file system counts, plain and compressed")
    func diskAgrees() throws {
        let fileSystem = try populated()
        for _ in 0..<2 {
            let report = try WorkerRun.report(volumes, on: fileSystem)
            let used = try fileSystem.dataUsedBytes()
            #expect(report.total.diskBytes == used)
            #expect(report.total.diskBytes == (try fileSystem.compsizeBytes(fileSystem.pool)))
            #expect(report.fileSystems.first?.dataUsedBytes == used)
            let clone = try #require(report.qubes.first { $0.name == "clone" })
            #expect(
                clone.figures.diskBytes
                    == (try fileSystem.compsizeBytes(fileSystem.image("appvms/clone"))))
            try WorkerRun.job(WorkerRun.compress, volumes, on: fileSystem)
        }
    }

    @Test("Exclusive is what comes back when the qube is deleted", arguments: ["work", "clone"])
    func exclusiveComesBack(qube: String) throws {
        let fileSystem = try populated()
        let report = try WorkerRun.report(volumes, on: fileSystem)
        let figures = try #require(report.qubes.first { $0.name == qube }).figures
        let before = try fileSystem.dataUsedBytes()
        try FileManager.default.removeItem(atPath: fileSystem.image("appvms/\(qube)"))
        #expect(before - (try fileSystem.dataUsedBytes()) == figures.exclusiveBytes)
        #expect(figures.sharedBytes == figures.diskBytes - figures.exclusiveBytes)
    }

    @Test("Revisions is what comes back when the revisions are deleted")
    func revisionsComeBack() throws {
        let fileSystem = try populated()
        let report = try WorkerRun.report(volumes, on: fileSystem)
        let revisions = try #require(report.qubes.first { $0.name == "work" }).figures
            .revisionsBytes
        let before = try fileSystem.dataUsedBytes()
        try FileManager.default.removeItem(
            atPath: fileSystem.image("appvms/work/private.img.3@2026-01-02T03:04:05Z"))
        let back = before - (try fileSystem.dataUsedBytes())
        #expect(back == revisions)
    }

    @Test("What only others share does not count as exclusive")
    func outsideUseCounts() throws {
        let fileSystem = try populated()
        try Command.check(
            "btrfs", "subvolume", "snapshot", "-r", fileSystem.path, fileSystem.path + "/snapshot")
        let report = try WorkerRun.report(volumes, on: fileSystem)
        #expect(report.total.exclusiveBytes == 0)
        #expect(report.total.diskBytes > 0)
    }

    @Test("Only the volumes that were asked for are in it")
    func onlySelected() throws {
        let fileSystem = try populated()
        let some = [WorkerRun.volume("work"), WorkerRun.volume("clone", selected: false)]
        let report = try WorkerRun.report(some, on: fileSystem)
        #expect(report.qubes.map(\.name) == ["work"])
        #expect(report.qubes[0].volumes[0].images.map(\.role).sorted() == ["clean", "revision"])
        // The clone shares most of it, named or not.
        #expect(report.qubes[0].figures.exclusiveBytes < report.qubes[0].figures.diskBytes / 2)
    }
}
