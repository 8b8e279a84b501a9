// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// Every figure, to the byte, against other programs and against the file system itself, on trees
/// that were made at random.
@Suite(
    "The account of random trees", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason),
    .serialized)
struct AccountingTests {
    static let seeds: [UInt64] = [1, 2, 3, 4]

    /// Disk, content and data by kind. A part of an extent that was preallocated and then written
    /// makes the extent plain with us, while compsize takes what it meets first.
    private func compare(_ figures: Figures, _ path: String) throws {
        let theirs = try Compsize(path)
        #expect(figures.diskBytes == theirs["TOTAL"].disk, "\(path)")
        #expect(figures.dataBytes == theirs["TOTAL"].data, "\(path)")
        let content = figures.storage.reduce(0) { $0 + $1.contentBytes }
        #expect(content == theirs["TOTAL"].content, "\(path)")
        if figures.stored("inline").diskBytes > 0 { return }
        for kind in ["zlib", "lzo", "zstd"] {
            let ours = figures.stored(kind)
            let row = Compsize.Row(
                disk: ours.diskBytes, content: ours.contentBytes, data: ours.dataBytes)
            #expect(row == theirs[kind], "\(path), \(kind)")
        }
        #expect(figures.stored("none").dataBytes == theirs["none"].data, "\(path)")
        #expect(figures.stored("preallocated").dataBytes == theirs["prealloc"].data, "\(path)")
        #expect(
            figures.stored("none").diskBytes + figures.stored("preallocated").diskBytes
                == theirs["none"].disk + theirs["prealloc"].disk, "\(path)")
    }

    @Test("Each image, each qube and the machine are what compsize says", arguments: seeds)
    func compsizeAgrees(seed: UInt64) throws {
        let tree = try RandomTree(seed: seed)
        let report = try WorkerRun.report(tree.volumes, on: tree.fileSystem)
        var kinds: Set<String> = []
        for qube in report.qubes {
            for image in qube.volumes.flatMap(\.images) {
                let figures = try #require(image.figures)
                try compare(figures, tree.fileSystem.image(image.path))
                kinds.formUnion(figures.storage.map(\.kind))
            }
            // Alpha's directory holds a second name of the template's root, which compsize counts.
            let folder = qube.name == "deb" ? "vm-templates/deb" : "appvms/\(qube.name)"
            try compare(qube.figures, tree.fileSystem.image(folder))
        }
        #expect(kinds == ["none", "zlib", "lzo", "zstd", "inline", "preallocated"])
        let machine = try #require(report.machine)
        // compsize counts data by name, we by inode: the template's root has two names.
        let theirs = try Compsize(tree.fileSystem.path)
        #expect(machine.everything.diskBytes == theirs["TOTAL"].disk)
        for kind in ["zlib", "lzo", "zstd"] {
            #expect(machine.everything.stored(kind).diskBytes == theirs[kind].disk)
            #expect(machine.everything.stored(kind).contentBytes == theirs[kind].content)
        }
        #expect(machine.everything.unreachableBytes > 0)
        let inline = machine.everything.stored("inline").diskBytes
        #expect(machine.everything.diskBytes - inline == (try tree.fileSystem.dataUsedBytes()))
    }

    @Test("What `btrfs filesystem du` calls total and exclusive of a file is so", arguments: seeds)
    func duAgrees(seed: UInt64) throws {
        let tree = try RandomTree(seed: seed)
        let report = try WorkerRun.report(tree.volumes, on: tree.fileSystem)
        var exclusive: UInt64 = 0
        for image in report.qubes.flatMap(\.volumes).flatMap(\.images) {
            let figures = try #require(image.figures)
            if figures.stored("inline").diskBytes > 0 { continue }
            let text = try Command.check(
                "btrfs", "filesystem", "du", "--raw", tree.fileSystem.image(image.path)
            ).output
            let row = try #require(text.split(separator: "\n").last).split(separator: " ")
            #expect(UInt64(row[0]) == figures.dataBytes, "\(image.path)")
            #expect(UInt64(row[1]) == figures.exclusiveDataBytes, "\(image.path)")
            exclusive += figures.exclusiveDataBytes
        }
        #expect(exclusive > 0)
    }

    /// Deletes files and compares what data takes before and after.
    private func delete(_ paths: [String], in tree: RandomTree) throws -> UInt64 {
        let before = try tree.fileSystem.dataUsedBytes()
        for path in paths { try FileManager.default.removeItem(atPath: path) }
        // A subvolume is removed in the background once it is out of sight.
        try Command.check("btrfs", "subvolume", "sync", tree.fileSystem.path)
        return before - (try tree.fileSystem.dataUsedBytes())
    }

    @Test("Deleting a set frees what was said of it: revisions, a qube, several", arguments: seeds)
    func deletionAgrees(seed: UInt64) throws {
        let tree = try RandomTree(seed: seed)
        func report(_ selected: Set<String>) throws -> Report {
            let volumes = tree.volumes.map { volume in
                var volume = volume
                volume.selected = selected.isEmpty || selected.contains(volume.qube)
                return volume
            }
            return try WorkerRun.report(volumes, on: tree.fileSystem)
        }
        for name in RandomTree.qubes {
            let qube = try #require(try report([name]).qubes.first)
            let revisions = qube.volumes.flatMap(\.images).filter { $0.role == "revision" }
            let inline = revisions.reduce(0) { $0 + ($1.figures?.stored("inline").diskBytes ?? 0) }
            let freed = try delete(
                revisions.map { tree.fileSystem.image($0.path) }, in: tree)
            #expect(freed == qube.figures.revisionsBytes - inline, "revisions of \(name)")
        }
        let alpha = try report([])
        let single = try #require(alpha.qubes.first { $0.name == "alpha" }).figures.exclusiveBytes
        #expect(try delete([tree.fileSystem.image("appvms/alpha")], in: tree) == single)
        // Two that share much: together they free more than one by one.
        let both = try report(["beta", "delta"])
        let sum = both.qubes.reduce(0) { $0 + $1.figures.exclusiveBytes }
        #expect(both.total.exclusiveBytes >= sum)
        let folders = ["appvms/beta", "appvms/delta"].map { tree.fileSystem.image($0) }
        #expect(try delete(folders, in: tree) == both.total.exclusiveBytes)
    }
}
