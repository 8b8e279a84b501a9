// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Engine
import Foundation
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Worker

/// What a qube's removal gives back comes back within seconds, whatever a job has open.
@Suite(
    "Images that are deleted while a job has them open",
    .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct DeletedImageTests {
    private static let revision = "@2026-01-02T03:04:05Z"

    private func opened(_ path: String, by store: BtrfsStore) throws -> any OpenFile {
        let descriptor = try Descriptor.open(FilePath(path), .readOnly)
        let inode = try #require(try store.fileSystem.inode(of: descriptor, path: path))
        let item = try #require(try store.inode(inode))
        return try store.open(inode, generation: item.generation)
    }

    @Test(
        "Deleted images are let go of whoever holds them, with their subvolume, too; others are not"
    )
    func letGo() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let subvolume = fileSystem.image("appvms/gone")
        try Command.check("btrfs", "subvolume", "create", subvolume)
        let paths =
            ["appvms/work/private.img", "appvms/kept/private.img"].map(fileSystem.image)
            + [subvolume + "/private.img"]
        for (number, path) in paths.enumerated() {
            try Files.write(Content.random(mebibytes: 16, seed: UInt64(number)), to: path)
        }
        try fileSystem.synchronize()
        let before = try fileSystem.dataUsedBytes()
        let pool = try Descriptor.open(FilePath(fileSystem.pool), [.readOnly, .directory])
        let own = try FileSystem(directory: pool, path: fileSystem.pool)
        let images = OpenImages(of: own)
        let store = BtrfsStore(Site(fileSystem: own, clock: .system, openImages: images, pools: []))
        let files = try paths.map { try opened($0, by: store) }
        images.letGoOfDeleted()
        let sector = ByteCount.kibibytes(4)
        for file in files { #expect(try store.prefix(of: file, sector) == sector.count) }

        try FileManager.default.removeItem(atPath: paths[0])
        try Command.check("btrfs", "subvolume", "delete", subvolume)
        images.letGoOfDeleted()
        for file in [files[0], files[2]] {
            let gone = OpenImage.gone
            #expect(throws: gone) { try store.prefix(of: file, sector) }
            #expect(throws: gone) {
                _ = try store.readEncoded(file, at: .start, lengthBytes: sector)
            }
            #expect(throws: gone) { try store.cachedBytes(file, at: .start, lengthBytes: sector) }
            #expect(throws: gone) {
                try store.share(
                    file, at: .start, lengthBytes: sector, with: files[1], at: .start)
            }
            #expect(throws: gone) {
                try store.share(
                    files[1], at: .start, lengthBytes: sector, with: file, at: .start)
            }
            store.prefetch(file, at: .start, lengthBytes: sector)
            store.forget(file, at: .start, lengthBytes: sector)
        }
        #expect(try store.prefix(of: files[1], sector) == sector.count)
        try Command.check("btrfs", "subvolume", "sync", fileSystem.pool)
        try fileSystem.synchronize()
        try fileSystem.synchronize()
        let freed = before - (try fileSystem.dataUsedBytes())
        #expect(freed == 2 * 16 << 20)
        withExtendedLifetime(files) {}
    }

    @Test("A paused job holds none that was deleted, and goes on without it")
    func paused() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 1024)
        for number in 0..<24 {
            let image = fileSystem.image("appvms/work/private.img.\(number)\(Self.revision)")
            try Files.write(Content.text(mebibytes: 4, seed: UInt64(1 + number)), to: image)
        }
        try fileSystem.synchronize()
        let session = try WorkerSession(
            WorkerRun.order(
                .compress(level: 9, running: false), [WorkerRun.volume("work")], on: fileSystem))
        try #require(try session.progress(until: \.isHalfWay) != nil)
        session.say(.pause)
        _ = try #require(try session.progress { $0.pacing?.reason == .pause })
        let open = try images(openIn: session.identifier)
        try #require(!open.isEmpty, "a lane holds what it works with")
        for path in open { try FileManager.default.removeItem(atPath: path) }
        let end = Date() + 10
        while try !images(openIn: session.identifier).isEmpty, Date() < end {
            Thread.sleep(forTimeInterval: 0.1)
        }
        #expect(try images(openIn: session.identifier) == [])
        session.say(.resume)
        guard case .result(let result)? = try session.last() else {
            Issue.record("\(String(describing: session.messages.last))")
            return
        }
        #expect(result.extentsReplaced > 0)
        #expect(result.problems.isEmpty)
    }

    private func images(openIn process: Int32) throws -> [String] {
        let folder = "/proc/\(process)/fd"
        let open = try FileManager.default.contentsOfDirectory(atPath: folder).compactMap {
            try? FileManager.default.destinationOfSymbolicLink(atPath: folder + "/" + $0)
        }
        return Array(Set(open.filter { $0.contains(".img") })).sorted()
    }
}

extension BtrfsStore {
    fileprivate func prefix(of file: any OpenFile, _ lengthBytes: ByteCount) throws -> Int {
        var buffer = [UInt8](repeating: 0, count: lengthBytes.count)
        return unsafe try buffer.withUnsafeMutableBytes {
            unsafe try read(file, at: .start, into: $0)
        }
    }
}
