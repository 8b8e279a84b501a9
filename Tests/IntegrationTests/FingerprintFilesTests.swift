// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Engine
import Foundation
import SystemCalls
import SystemPackage
import Testing

@testable import Worker

/// What is kept of packed content stands in one of two real files.
@Suite("Files of fingerprints", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct FingerprintFilesTests {
    private typealias Entry = FingerprintSegment.Entry

    private static func entry(_ index: Int, generation: UInt64 = 1) -> Entry {
        Entry(
            address: LogicalAddress(UInt64(index + 1) << 17), generation: Generation(generation),
            sums: (0..<32).map { UInt32(truncatingIfNeeded: index &* 7919 &+ $0) })
    }

    private static func knows(_ files: FingerprintFiles, _ entry: Entry) -> Bool {
        let kept = files.newest()?.kept
        return kept?.sums(ofExtentAt: entry.address, generation: entry.generation) == entry.sums
    }

    /// The lengths of both files, and nothing else is there.
    private static func lengths(_ cache: String) throws -> [Int] {
        try FileManager.default.contentsOfDirectory(atPath: cache).sorted().map { name in
            let path = cache + "/" + name
            return try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int ?? -1
        }
    }

    @Test("One file is whole at any time, and the other empty when a run is over")
    func turns() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 256)
        let cache = fileSystem.folder + "/cache"
        try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
        let pool = try Descriptor.open(FilePath(fileSystem.pool), [.readOnly, .directory])
        let own = try FileSystem(directory: pool, path: fileSystem.pool)
        let directory = SharedDescriptor(
            try Descriptor.open(FilePath(cache), [.readOnly, .directory]))
        let files = FingerprintFiles(in: directory, for: own)
        #expect(files.newest() == nil)
        var generation: UInt64 = 0
        for run in 0..<4 {
            generation += 1
            try files.keep(unless: { _, _ in true }) { (_, add) throws(BtrfsError) in
                for index in 0..<4000 { add(Self.entry(index, generation: generation)) }
            }
            #expect(Self.knows(files, Self.entry(3999, generation: generation)))
            #expect(!Self.knows(files, Self.entry(3999, generation: generation - 1)))
            let lengths = try Self.lengths(cache)
            #expect(lengths.count == 2 && lengths.contains(0) && lengths.max() ?? 0 > 512 << 10)
            #expect(lengths[0] == 0 || run % 2 == 0)
        }
        // Who is cancelled has kept what it had come to, and what there was behind.
        #expect(throws: BtrfsError.cancellation) {
            try files.keep(unless: { _, _ in false }) { (_, add) throws(BtrfsError) in
                for index in 0..<1000 { add(Self.entry(index, generation: 9)) }
                throw BtrfsError.cancellation
            }
        }
        #expect(Self.knows(files, Self.entry(999, generation: 9)))
        #expect(Self.knows(files, Self.entry(1000, generation: generation)))
        // Who is killed leaves a file that was not written to its end, and the one before.
        let before = try Self.lengths(cache)
        let names = try FileManager.default.contentsOfDirectory(atPath: cache).sorted()
        let empty = try #require(before.firstIndex(of: 0))
        let whole = try Data(
            contentsOf: URL(fileURLWithPath: cache + "/" + names[1 - empty]))
        try Files.write(Data(count: 4096) + whole.dropFirst(4096), to: cache + "/" + names[empty])
        #expect(Self.knows(files, Self.entry(999, generation: 9)))
        try files.keep(unless: { _, _ in true }) { (_, add) throws(BtrfsError) in
            add(Self.entry(5))
        }
        #expect(Self.knows(files, Self.entry(5)))
        #expect(!Self.knows(files, Self.entry(999, generation: 9)))
    }

    @Test("A full disk costs what was to be kept, and the job nothing")
    func full() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 256)
        let cache = fileSystem.folder + "/cache"
        try FileManager.default.createDirectory(atPath: cache, withIntermediateDirectories: true)
        try Command.check("mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", cache)
        defer { _ = try? Command.run(["umount", cache]) }
        let pool = try Descriptor.open(FilePath(fileSystem.pool), [.readOnly, .directory])
        let own = try FileSystem(directory: pool, path: fileSystem.pool)
        let directory = SharedDescriptor(
            try Descriptor.open(FilePath(cache), [.readOnly, .directory]))
        let files = FingerprintFiles(in: directory, for: own)
        let answer = try files.keep(unless: { _, _ in true }) { (_, add) throws(BtrfsError) in
            for index in 0..<40_000 { add(Self.entry(index)) }
            return 42
        }
        #expect(answer == 42)
        // An eighth of 3 MiB holds one segment.
        #expect(Self.knows(files, Self.entry(0)))
        #expect(!Self.knows(files, Self.entry(39_999)))
        #expect(try Self.lengths(cache).max() ?? 0 < 384 << 10)
    }
}
