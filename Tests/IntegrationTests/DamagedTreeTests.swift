// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// A node of a tree that the device does not give back.
struct DamagedTreeCase: CustomTestStringConvertible, Sendable {
    enum Tree: String, CaseIterable {
        case checksum, extent, files

        /// As btrfs(8) and the worker call it.
        var names: (dump: String, words: String) {
            switch self {
            case .checksum: ("csum", "the tree of checksums")
            case .extent: ("extent", "the tree of extents")
            case .files: ("fs", "the tree of files of subvolume 5")
            }
        }
    }

    var tree: Tree
    var verb: Verb
    var testDescription: String { "\(tree) \(verb)" }

    static let short: [DamagedTreeCase] = Tree.allCases.flatMap { tree in
        [Verb.dedupe, .compress].map { DamagedTreeCase(tree: tree, verb: $0) }
    }
    static let all: [DamagedTreeCase] = Tree.allCases.flatMap { tree in
        Verb.allCases.map { DamagedTreeCase(tree: tree, verb: $0) }
    }
}

@Suite("Damaged metadata", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct DamagedTreeTests {
    static let cases = FaultMatrix.isWhole ? DamagedTreeCase.all : DamagedTreeCase.short
    private static let images = ["appvms/work/private.img", "appvms/copy/private.img"]
    private static let volumes = [WorkerRun.volume("work"), WorkerRun.volume("copy")]

    /// Small nodes, so that each tree has many: the first ones are read when it is mounted, and
    /// held.
    private func world() throws -> FaultWorld {
        let world = try FaultWorld(
            mebibytes: 384, options: ["-n", "4096", "-m", "dup"], mount: ["noatime"])
        let content = Content.text(mebibytes: 6, seed: 1)
        let others = world.fileSystem.path + "/others"
        for number in 0..<250 {
            try Files.write(Data(repeating: UInt8(number), count: 8192), to: "\(others)/\(number)")
        }
        // Behind all those, so that their items are not in one node with the pool's directory.
        for image in Self.images { try world.write(content, to: image) }
        for image in Self.images.reversed() {
            try Files.overwrite(
                world.fileSystem.image(image), atOffset: 0, with: content.prefix(8192))
        }
        try world.fileSystem.synchronize()
        return world
    }

    /// Where the copies of a leaf lie: of the images' own items, or one in the middle.
    private func leaf(_ tree: DamagedTreeCase.Tree, _ world: FaultWorld) throws -> [Range<UInt64>] {
        let path = world.fileSystem.image(Self.images[0])
        let number = try #require(
            FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? UInt64)
        try Command.check("umount", world.fileSystem.path)
        let dump = try Command.check(
            "btrfs", "inspect-internal", "dump-tree", "-t", tree.names.dump, world.device.path)
        try Command.check("mount", "-o", "noatime", world.device.path, world.fileSystem.path)
        var leaves: [UInt64] = []
        var own: UInt64?
        for line in dump.output.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.first == "leaf", words.contains("items") {
                leaves.append(UInt64(words[1]) ?? 0)
            } else if line.contains("(\(number) EXTENT_DATA "), own == nil {
                own = leaves.last
            }
        }
        try #require(leaves.count > 2, "\(tree) has \(leaves.count) leaves")
        let logical = try tree == .files ? #require(own) : leaves[leaves.count / 2]
        return try DeviceMap(world.fileSystem.path).copies(of: logical).map {
            $0.offset..<($0.offset + 4096)
        }
    }

    private func failure(_ message: WorkerMessage?) -> String? {
        guard case .failure(let kind, let text, _)? = message else { return nil }
        return kind == ServiceException.Kind.unsuitablePool.rawValue ? text : nil
    }

    private func check(_ world: FaultWorld) throws -> CheckReport {
        let last = try world.job(.check, Self.volumes)
        guard case .check(let check)? = last else {
            throw WorkerRun.UnexpectedEnd(message: "\(String(describing: last))")
        }
        return check
    }

    @Test(
        "It ends a job before it writes, is remembered, and holds until a scrub was clean",
        arguments: cases)
    func bothCopies(test: DamagedTreeCase) throws {
        let world = try world()
        let copies = try leaf(test.tree, world)
        try #require(copies.count == 2)
        try world.dropCaches()
        world.device.set { $0.unreadable = copies }
        let text = try failure(world.job(test.verb.work, Self.volumes)) ?? ""
        #expect(text.contains(test.tree.names.words), "\(text)")
        #expect(text.contains(world.device.path) && text.contains("read error"), "\(text)")
        #expect(text.contains("btrfs scrub start -B \(world.fileSystem.path)"), "\(text)")
        #expect(try !world.fileSystem.isReadOnly)
        // Whole again, and nobody knows: it holds all the same, for every job.
        world.device.mend()
        try world.fileSystem.remount()
        try world.expectWhole("after a refused job")
        #expect(
            try failure(world.job(WorkerRun.optimize, Self.volumes))?.contains("damaged") == true)
        let finding = try check(world).findings.first { $0.topic == "metadata.damaged" }
        #expect(finding?.level == .problem && finding?.command?.contains("scrub") == true)
        #expect(finding?.message.contains(test.tree.names.words) == true)
        guard case .report(let report)? = try world.job(.report, Self.volumes) else {
            Issue.record("no report")
            return
        }
        #expect(report.problems.contains { $0.message.contains("metadata is damaged") })
        // Who says that it may cost the file system gets what was asked for.
        guard case .result? = try world.job(WorkerRun.dedupe, Self.volumes, risksReadOnly: true)
        else {
            Issue.record("refused in spite of the option")
            return
        }
        try Command.check("btrfs", "scrub", "start", "-B", world.fileSystem.path)
        guard case .result? = try world.job(WorkerRun.compress, Self.volumes) else {
            Issue.record("refused after a clean scrub")
            return
        }
        #expect(
            try check(world).findings.allSatisfy {
                $0.topic != "metadata.damaged" || $0.level == .good
            })
        try world.expectWhole("at the end")
    }

    @Test(
        "One bad copy of two is no damage: the job runs, and the images are whole",
        arguments: DamagedTreeCase.Tree.allCases)
    func oneCopy(tree: DamagedTreeCase.Tree) throws {
        let world = try world()
        let copies = try leaf(tree, world)
        for copy in copies {
            try world.fileSystem.remount()
            try world.dropCaches()
            world.device.set { $0.unreadable = [copy] }
            let last = try world.job(WorkerRun.optimize, Self.volumes)
            guard case .result(let result)? = last else {
                Issue.record("\(String(describing: last))")
                return
            }
            #expect(result.unreadable == nil)
            world.device.mend()
            try world.fileSystem.remount()
            try world.expectWhole("after optimize")
        }
    }

    @Test("A check finds what no job has met")
    func checkLooks() throws {
        let world = try world()
        let copies = try leaf(.extent, world)
        #expect(
            try check(world).findings.contains {
                $0.topic == "metadata.damaged" && $0.level == .good
            })
        try world.fileSystem.remount()
        try world.dropCaches()
        world.device.set { $0.unreadable = copies }
        let found = try check(world).findings
        #expect(found.contains { $0.topic == "metadata.damaged" && $0.level == .problem })
        #expect(found.contains { $0.topic == "device.errors" && $0.subject == world.device.path })
        #expect(try !world.fileSystem.isReadOnly)
    }
}
