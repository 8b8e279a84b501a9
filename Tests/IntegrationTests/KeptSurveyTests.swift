// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Foundation
import SystemCalls
import SystemPackage
import Testing

@testable import Engine
@testable import Worker

/// What a real file system says of what has changed is enough: a survey by what was kept is the one
/// from scratch, whatever has happened in between.
@Suite("A kept survey on a real Btrfs", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct KeptSurveyTests {
    /// Counts the files that are read.
    private final class Counting: ExtentCatalog {
        let base: BtrfsStore
        private let count = Monitor(0)

        init(_ base: BtrfsStore) { self.base = base }

        var reads: Int { count.withLock { $0 } }
        var sectorBytes: ByteCount { base.sectorBytes }

        func forEachFileExtent(
            of inode: InodeIdentifier, from start: FileOffset, through end: FileOffset,
            _ body: (FileExtent) throws(BtrfsError) -> Void
        ) throws(BtrfsError) {
            count.withLock { $0 += 1 }
            try base.forEachFileExtent(of: inode, from: start, through: end, body)
        }

        func hasChanged(
            _ inode: InodeIdentifier, since generation: Generation
        ) throws(BtrfsError) -> Bool {
            try base.hasChanged(inode, since: generation)
        }

        func uses(ofExtentAt address: LogicalAddress) throws(BtrfsError) -> ExtentUses {
            try base.uses(ofExtentAt: address)
        }

        func inode(_ identifier: InodeIdentifier) throws(BtrfsError) -> InodeItem? {
            try base.inode(identifier)
        }

        func generation() throws(BtrfsError) -> Generation { try base.generation() }
    }

    /// A file system with large files of many extents, and a cache directory.
    private final class World {
        let disk: LoopFileSystem
        let fileSystem: FileSystem
        let catalog: Counting
        private(set) var files: SurveyFiles
        private let cache: SharedDescriptor
        private var random: Content
        private var number = 0

        init(seed: UInt64) throws {
            random = Content(seed: seed)
            disk = try LoopFileSystem(mebibytes: 768, mount: ["compress-force=zstd"])
            let cache = disk.folder + "/cache"
            try FileManager.default.createDirectory(
                atPath: cache, withIntermediateDirectories: true)
            self.cache = SharedDescriptor(
                try Descriptor.open(FilePath(cache), [.readOnly, .directory]))
            fileSystem = try FileSystem(
                directory: Descriptor.open(FilePath(disk.path), [.readOnly, .directory]),
                path: disk.path)
            catalog = Counting(
                BtrfsStore(
                    Site(
                        fileSystem: fileSystem, clock: .system,
                        openImages: OpenImages(of: fileSystem), pools: []))
            )
            files = SurveyFiles(in: self.cache, for: fileSystem)
            try Command.check("btrfs", "subvolume", "create", disk.path + "/s")
            for _ in 0..<3 { try make() }
        }

        /// Every regular file, with its number: of subvolumes and snapshots, too.
        func images(in folder: String = "") throws -> [ImageFile] {
            try paths(in: folder).compactMap { path in
                let file = try Descriptor.open(FilePath(path), .readOnly)
                return try fileSystem.inode(of: file, path: path).map {
                    ImageFile(inode: $0, owners: [0])
                }
            }
        }

        func paths(in folder: String = "") throws -> [String] {
            try Command.check("find", disk.path + folder, "-type", "f").output
                .split(separator: "\n").map(String.init).sorted()
        }

        func survey(_ images: [ImageFile]) throws -> Survey {
            try files.keep(
                at: try? catalog.generation(), in: Set(images.map(\.inode.subvolume))
            ) { (memory) throws(BtrfsError) in
                try Surveyor.survey(images, in: catalog, memory: memory)
            }
        }

        func number(_ range: Range<Int>) -> Int {
            range.lowerBound + Int(random.next() % UInt64(range.count))
        }

        private func own() throws -> String {
            let paths = try paths(in: "/s")
            return paths[number(0..<paths.count)]
        }

        /// 64 MiB of zeroes that are written, which makes 512 packed extents, and three leaves.
        private func make() throws {
            number += 1
            try write(disk.path + "/s/\(number).img", mebibyte: 0, count: 64)
        }

        private func write(_ path: String, mebibyte: Int, count: Int) throws {
            try Command.check(
                "dd", "if=/dev/zero", "of=" + path, "bs=1M", "seek=\(mebibyte)", "count=\(count)",
                "conv=notrunc", "status=none")
        }

        /// A file, and the range of it whose items are a leaf of their own, as btrfs(8) prints it.
        func ofOneLeaf() throws -> (inode: InodeIdentifier, range: Range<Int>)? {
            let tree = try fileSystem.inode(
                of: Descriptor.open(FilePath(disk.path + "/s"), [.readOnly, .directory]),
                path: "/s")
            guard let subvolume = tree?.subvolume else { return nil }
            let device = try Command.check("findmnt", "-n", "-o", "SOURCE", disk.path).output
            let text = try Command.check(
                "btrfs", "inspect-internal", "dump-tree", "-t", "\(subvolume.rawValue)",
                device.trimmingCharacters(in: .whitespacesAndNewlines)
            ).output
            var leaves: [[[Substring]]] = []
            for line in text.split(separator: "\n") {
                if line.hasPrefix("leaf "), line.contains(" items ") { leaves.append([]) }
                guard let key = line.firstRange(of: "key (") else { continue }
                let words = line[key.upperBound...].prefix { $0 != ")" }.split(separator: " ")
                if words.count == 3, !leaves.isEmpty, line.contains("item ") {
                    leaves[leaves.count - 1].append(words)
                }
            }
            for (leaf, next) in zip(leaves, leaves.dropFirst()) {
                guard let inode = leaf.first?[0], let end = next.first,
                    (leaf + [end]).allSatisfy({ $0[0] == inode && $0[1] == "EXTENT_DATA" }),
                    let number = UInt64(inode), let from = Int(leaf[0][2]), let to = Int(end[2])
                else { continue }
                return (InodeIdentifier(subvolume: subvolume, number: number), from..<to)
            }
            return nil
        }

        /// One of the things that happen to images and their file systems.
        func happen() throws -> String {
            let path = try own()
            let place = number(0..<64)
            let length = number(1..<40)
            switch number(0..<13) {
            case 0, 1:
                try write(path, mebibyte: place, count: 1)
                return "write"
            case 2, 3:
                // Longer than a leaf: one in the middle leaves no item behind.
                try Command.check(
                    "fallocate", "--punch-hole", "-o", "\(place)M", "-l", "\(length)M", path)
                return "punch"
            case 4:
                try Command.check("truncate", "-s", "\(place + 1)M", path)
                return "truncate"
            case 5:
                try Command.check("fallocate", "-o", "\(place)M", "-l", "1M", path)
                return "fallocate"
            case 6:
                // As qubesd does when a qube ends: the old image is a revision, under its name.
                let revision = path + ".1@2026-01-01T00:00:00Z"
                try? FileManager.default.removeItem(atPath: revision)
                try FileManager.default.moveItem(atPath: path, toPath: revision)
                try Files.clone(revision, to: path)
                return "revision"
            case 7:
                if try paths(in: "/s").count > 2 {
                    try FileManager.default.removeItem(atPath: path)
                }
                try make()
                return "delete and make"
            case 8:
                let name = disk.path + "/snapshot"
                if FileManager.default.fileExists(atPath: name) {
                    try Command.check("btrfs", "subvolume", "delete", "-c", name)
                } else {
                    try Command.check(
                        "btrfs", "subvolume", "snapshot", disk.path + "/s", name)
                }
                return "snapshot"
            case 9:
                try Command.check("btrfs", "balance", "start", "-d", disk.path)
                return "balance"
            case 10:
                try Command.check("btrfs", "filesystem", "defragment", "-f", path)
                return "defragment"
            case 11:
                let target = try own()
                guard target != path else { return "nothing" }
                try Files.clone(path, to: target)
                return "clone over"
            default:
                // The same length goes and comes, far from each other.
                try Command.check(
                    "fallocate", "--punch-hole", "-o", "0", "-l", "\(length)M", path)
                try Command.check(
                    "fallocate", "-o", "100M", "-l", "\(length)M", path)
                return "exchange"
            }
        }
    }

    private static func compare(_ kept: Survey, _ fresh: Survey, _ history: [String]) {
        #expect(Array(kept.extents) == Array(fresh.extents), "\(history)")
        #expect(Array(kept.references) == Array(fresh.references), "\(history)")
        #expect(kept.files.map(\.inode) == fresh.files.map(\.inode), "\(history)")
        #expect(kept.files.map(\.pieces) == fresh.files.map(\.pieces), "\(history)")
    }

    @Test("Whatever has happened, the survey by what was kept is the one from scratch")
    func histories() throws {
        for seed in 1...3 as ClosedRange<UInt64> {
            let world = try World(seed: seed)
            var history: [String] = []
            for _ in 0..<20 {
                for _ in 0..<world.number(1..<3) { history.append(try world.happen()) }
                try world.disk.synchronize()
                let images = try world.images()
                Self.compare(
                    try world.survey(images), try Surveyor.survey(images, in: world.catalog),
                    history)
            }
        }
    }

    @Test("Nothing is read of what has not changed, and a leaf that is gone shows")
    func unchanged() throws {
        let world = try World(seed: 9)
        // What was read in the transaction that wrote it may have gone on changing: it is read
        // once more in a later one.
        for round in 0..<3 {
            try Files.write(Data([1]), to: world.disk.path + "/later-\(round)")
            try world.disk.synchronize()
            _ = try world.survey(try world.images(in: "/s"))
        }
        let images = try world.images(in: "/s")
        let before = world.catalog.reads
        _ = try world.survey(images)
        #expect(world.catalog.reads == before)
        // Exactly what one leaf holds goes. The kernel that was tried writes a leaf beside it anew;
        // where one does not, what the file maps tells.
        let hole = try #require(try world.ofOneLeaf())
        let path = try #require(
            try world.paths(in: "/s").first { path in
                let status = try FileManager.default.attributesOfItem(atPath: path)
                return status[.systemFileNumber] as? UInt64 == hole.inode.number
            })
        try Command.check(
            "fallocate", "--punch-hole", "-o", "\(hole.range.lowerBound)", "-l",
            "\(hole.range.count)", path)
        try world.disk.synchronize()
        let survey = try world.survey(images)
        // One that stands in the same leaf is read as well.
        #expect((1...2).contains(world.catalog.reads - before))
        Self.compare(survey, try Surveyor.survey(images, in: world.catalog), [])
    }
}
