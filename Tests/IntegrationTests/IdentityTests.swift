// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Worker

/// Whatever is opened below a pool is of the pool's file system, or it is named. Inode numbers
/// begin at 256 on every Btrfs, so that those of another one are mostly of some file here.
@Suite(
    "Other file systems below a pool, on a real Btrfs",
    .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct IdentityTests {
    /// Whose number the foreign image has.
    enum Collision: CaseIterable {
        case anotherQubes
        case aFileOfNoQube
        case nobodys
    }

    /// A pool with two qubes, of which one has its images on a second Btrfs.
    private final class Machine {
        let pool: LoopFileSystem
        let other: LoopFileSystem
        private var mounts: [String] = []

        init(_ collision: Collision) throws {
            pool = try LoopFileSystem(mebibytes: 512)
            other = try LoopFileSystem(mebibytes: 256)
            let personal = pool.image("appvms/personal/private.img")
            let secret = pool.path + "/secret/notes.bin"
            try Files.write(Content.text(mebibytes: 16, seed: 1), to: personal)
            try Files.write(Content.text(mebibytes: 16, seed: 2), to: secret)
            try Files.write(
                Content.text(mebibytes: 8, seed: 3), to: pool.image("appvms/work/private.img"))
            let number: UInt64 =
                switch collision {
                case .anotherQubes: try Self.number(of: personal)
                case .aFileOfNoQube: try Self.number(of: secret)
                case .nobodys: 400
                }
            try makeImage(number)
            try pool.synchronize()
            try other.synchronize()
            try mount("--bind", other.path, pool.image("appvms/work"))
        }

        deinit {
            for point in mounts.reversed() { _ = try? Command.run(["umount", point]) }
        }

        var foreignImage: String { other.path + "/private.img" }

        func mount(_ words: String...) throws {
            let ending = try Command.run(["mount"] + words)
            try #require(ending.status == 0, "\(ending.errors)")
            mounts.append(words[words.count - 1])
        }

        static func number(of path: String) throws -> UInt64 {
            let text = try Command.check("stat", "-c", "%i", path).output
            return try #require(UInt64(text.trimmingCharacters(in: .newlines)))
        }

        /// Files are made and removed until one has the number.
        private func makeImage(_ number: UInt64) throws {
            for _ in 0..<number {
                let made = FileManager.default.createFile(atPath: foreignImage, contents: nil)
                try #require(made)
                let found = try Self.number(of: foreignImage)
                if found == number { break }
                try #require(found < number)
                try FileManager.default.removeItem(atPath: foreignImage)
            }
            let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: foreignImage))
            try handle.write(contentsOf: Content.text(mebibytes: 5, seed: 4))
            try handle.close()
            try #require(try Self.number(of: foreignImage) == number)
        }

        func volume(_ qube: String, selected: Bool = true) -> WorkerOrder.Volume {
            WorkerRun.volume(qube, selected: selected)
        }

        /// An order about `work`, or about both qubes.
        func order(_ work: WorkerOrder.Work, both: Bool = false) -> WorkerOrder {
            WorkerRun.order(
                work, [volume("work"), volume("personal", selected: both)], on: pool)
        }
    }

    private static let subject = "pool:appvms/work/private"

    private func expectNamed(
        _ problems: [Report.Problem], _ location: SourceLocation = #_sourceLocation
    ) {
        let named = problems.filter { $0.message.contains("another file system") }
        #expect(named.map(\.subject) == [Self.subject], "\(problems)", sourceLocation: location)
        #expect(
            named.allSatisfy { $0.message.contains("qvm-pool add") }, sourceLocation: location)
    }

    private func expectRefusal(
        _ message: WorkerMessage?, _ location: SourceLocation = #_sourceLocation
    ) {
        guard case .failure(let kind, let text, _)? = message else {
            Issue.record("\(String(describing: message))", sourceLocation: location)
            return
        }
        #expect(kind == ServiceException.Kind.unsuitablePool.rawValue, sourceLocation: location)
        #expect(text.hasPrefix(Self.subject), "\(text)", sourceLocation: location)
        #expect(text.contains("another file system"), "\(text)", sourceLocation: location)
    }

    @Test(
        "A report counts nothing of it, and nothing of another file in its place",
        arguments: Collision.allCases)
    func report(collision: Collision) throws {
        let machine = try Machine(collision)
        expectRefusal(try WorkerRun.messages(machine.order(.report)).last)
        let last = try WorkerRun.messages(machine.order(.report, both: true)).last
        guard case .report(let report)? = last else {
            Issue.record("\(String(describing: last))")
            return
        }
        expectNamed(report.problems)
        let qubes = Dictionary(uniqueKeysWithValues: report.qubes.map { ($0.name, $0.figures) })
        #expect(qubes["work"]?.dataBytes == 0)
        #expect(qubes["personal"]?.dataBytes == 16 << 20)
        #expect(qubes["personal"]?.exclusiveBytes == 16 << 20, "nobody shares with it")
    }

    @Test(
        "Jobs touch neither it nor a file that has its number here",
        arguments: [
            WorkerRun.compress, WorkerRun.dedupe, WorkerRun.optimize, WorkerRun.defragment,
            WorkerRun.sparsify, .estimate(running: false), .verify(accepts: false),
        ], Collision.allCases)
    func jobs(work: WorkerOrder.Work, collision: Collision) throws {
        let machine = try Machine(collision)
        let before = try machine.pool.dataUsedBytes()
        let foreign = try machine.other.dataUsedBytes()
        expectRefusal(try WorkerRun.messages(machine.order(work)).last)
        #expect(try machine.pool.dataUsedBytes() == before)
        #expect(try machine.other.dataUsedBytes() == foreign)
    }

    @Test(
        "With others that were asked for, those are worked on and it is named",
        arguments: Collision.allCases)
    func others(collision: Collision) throws {
        let machine = try Machine(collision)
        let inventory = try machine.pool.inventory()
        let foreign = try machine.other.dataUsedBytes()
        let last = try WorkerRun.messages(machine.order(WorkerRun.compress, both: true)).last
        guard case .result(let result)? = last else {
            Issue.record("\(String(describing: last))")
            return
        }
        expectNamed(result.problems)
        #expect(try machine.pool.inventory() == inventory)
        #expect(try machine.other.dataUsedBytes() == foreign)
        #expect(
            try machine.pool.compsizeBytes(machine.pool.image("appvms/personal/private.img"))
                < 8 << 20)
        #expect(try machine.pool.compsizeBytes(machine.pool.path + "/secret/notes.bin") == 16 << 20)
    }

    @Test("A check says it, with the command that shows the mount")
    func check() throws {
        let machine = try Machine(.anotherQubes)
        let last = try WorkerRun.messages(machine.order(.check)).last
        guard case .check(let check)? = last else {
            Issue.record("\(String(describing: last))")
            return
        }
        let found = try #require(check.findings.first { $0.topic == "pool.foreign" })
        #expect(found.level == .problem && found.subject == Self.subject)
        #expect(found.command == "findmnt -T \(machine.pool.image("appvms/work"))")
        #expect(!check.findings.contains { $0.topic == "pool.unreadable" })
    }

    @Test("What new images inherit is not set on it")
    func newData() throws {
        let machine = try Machine(.anotherQubes)
        expectRefusal(try WorkerRun.messages(machine.order(.newData(.zstd))).last)
        let property = try Command.check(
            "btrfs", "property", "get", machine.other.path, "compression"
        ).output
        #expect(!property.contains("zstd"))
    }

    @Test("Something that is no Btrfs is said in the same words")
    func noBtrfs() throws {
        let machine = try Machine(.anotherQubes)
        try machine.mount("-t", "tmpfs", "none", machine.pool.image("appvms/work"))
        let last = try WorkerRun.messages(machine.order(.report, both: true)).last
        guard case .report(let report)? = last else {
            Issue.record("\(String(describing: last))")
            return
        }
        expectNamed(report.problems)
    }

    @Test("A foreign image that is mounted over an image is named by its own path")
    func mountedFile() throws {
        let machine = try Machine(.anotherQubes)
        try Files.write(
            Content.text(mebibytes: 4, seed: 5), to: machine.pool.image("appvms/third/private.img"))
        try machine.mount(
            "--bind", machine.foreignImage, machine.pool.image("appvms/third/private.img"))
        let order = WorkerRun.order(
            .report, [machine.volume("third"), machine.volume("personal")], on: machine.pool)
        guard case .report(let report)? = try WorkerRun.messages(order).last else {
            Issue.record("no report")
            return
        }
        #expect(report.problems.map(\.subject) == ["pool:appvms/third/private.img"])
        let qubes = Dictionary(uniqueKeysWithValues: report.qubes.map { ($0.name, $0.figures) })
        #expect(qubes["third"]?.dataBytes == 0)
        #expect(qubes["personal"]?.exclusiveBytes == 16 << 20)
    }

    @Test("Other directories, subvolumes and files of the pool's own file system are its own")
    func ownMounts() throws {
        let pool = try LoopFileSystem(mebibytes: 512)
        let elsewhere = pool.path + "/elsewhere"
        try Command.check("btrfs", "subvolume", "create", elsewhere)
        try Files.write(Content.text(mebibytes: 4, seed: 1), to: elsewhere + "/private.img")
        try Files.write(Content.text(mebibytes: 4, seed: 2), to: pool.path + "/plain/private.img")
        var points: [String] = []
        defer { for point in points { _ = try? Command.run(["umount", point]) } }
        for (qube, source) in [("one", elsewhere), ("two", pool.path + "/plain")] {
            let point = pool.image("appvms/\(qube)")
            try FileManager.default.createDirectory(
                atPath: point, withIntermediateDirectories: true)
            try Command.check("mount", "--bind", source, point)
            points.append(point)
        }
        let third = pool.image("appvms/three/private.img")
        try Files.write(Data(), to: third)
        try Command.check("mount", "--bind", elsewhere + "/private.img", third)
        points.append(third)
        let volumes = ["one", "two", "three"].map { WorkerRun.volume($0) }
        let report = try WorkerRun.report(volumes, on: pool)
        #expect(report.problems.isEmpty, "\(report.problems)")
        #expect(report.qubes.map(\.figures.dataBytes) == [4 << 20, 4 << 20, 4 << 20])
        #expect(report.total.dataBytes == 8 << 20, "one file has two of the names")
        let result = try WorkerRun.job(WorkerRun.compress, volumes, on: pool)
        #expect(result.problems.isEmpty, "\(result.problems)")
        #expect(try pool.compsizeBytes(elsewhere + "/private.img") < 2 << 20)
        #expect(try pool.compsizeBytes(pool.path + "/plain/private.img") < 2 << 20)
    }

    @Test("A skipped qube's images stay left out when a mount covers them in the middle of a job")
    func roles() throws {
        let pool = try LoopFileSystem(mebibytes: 256)
        for name in ["private.img", "private-dirty.img"] {
            try Files.write(
                Content.text(mebibytes: 1, seed: 1), to: pool.image("appvms/vault/\(name)"))
        }
        try pool.synchronize()
        let order = WorkerRun.order(
            WorkerRun.dedupe, [WorkerRun.volume("vault", skipped: true)], on: pool)
        let site = try #require(Sites(order, clock: .system).sites.first)
        let list = ImageList(site: site, order: order)
        let book = RoleBook(site: site, order: order, list: list, trust: .zero)
        #expect(list.images.count == 2)
        let point = pool.image("appvms/vault")
        try Command.check("mount", "-t", "tmpfs", "none", point)
        defer { _ = try? Command.run(["umount", point]) }
        for image in list.images {
            #expect(book.isLeftOut(image.inode))
            #expect(book.isLive(image.inode) == image.path.hasSuffix("-dirty.img"))
        }
    }
}

/// A pool whose disk is not mounted.
@Suite(
    "Pools without their disk, on a real Btrfs",
    .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct EmptyPoolTests {
    private let volumes = [WorkerRun.volume("work"), WorkerRun.volume("vault")]

    private func order(
        _ work: WorkerOrder.Work, on fileSystem: LoopFileSystem
    ) throws -> WorkerOrder {
        let point = fileSystem.path + "/second"
        try FileManager.default.createDirectory(
            atPath: point + "/appvms", withIntermediateDirectories: true)
        var order = WorkerRun.order(work, volumes, on: fileSystem)
        order.pools.append(.init(name: "second", directory: point))
        order.volumes[1].pool = "second"
        return order
    }

    @Test("It is named, and others go on")
    func named() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 256)
        try Files.write(
            Content.text(mebibytes: 4, seed: 1), to: fileSystem.image("appvms/work/private.img"))
        let last = try WorkerRun.messages(order(.report, on: fileSystem)).last
        guard case .report(let report)? = last else {
            Issue.record("\(String(describing: last))")
            return
        }
        #expect(report.problems.map(\.subject) == ["pool second"])
        #expect(report.problems.allSatisfy { $0.message.contains("not mounted") })
        #expect(report.total.dataBytes == 4 << 20)
        guard case .check(let check)? = try WorkerRun.messages(order(.check, on: fileSystem)).last
        else {
            Issue.record("no check")
            return
        }
        let found = check.findings.filter { $0.topic == "pool.unsuitable" }
        #expect(found.map(\.subject) == ["pool second"])
        #expect(found.allSatisfy { $0.level == .problem })
    }

    @Test("A job on it alone is refused", arguments: [WorkerRun.compress, .report])
    func refused(work: WorkerOrder.Work) throws {
        let fileSystem = try LoopFileSystem(mebibytes: 256)
        var order = try order(work, on: fileSystem)
        order.volumes[0].selected = false
        guard case .failure(_, let message, _)? = try WorkerRun.messages(order).last else {
            Issue.record("it was done")
            return
        }
        #expect(message.hasPrefix("pool second") && message.contains("not mounted"), "\(message)")
    }

    @Test("A pool with nothing but volatile volumes may be empty")
    func volatile() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 256)
        var order = try order(.report, on: fileSystem)
        order.volumes[0].selected = false
        order.volumes[1].isVolatile = true
        guard case .report(let report)? = try WorkerRun.messages(order).last else {
            Issue.record("no report")
            return
        }
        #expect(!report.problems.contains { $0.subject == "pool second" })
    }
}
