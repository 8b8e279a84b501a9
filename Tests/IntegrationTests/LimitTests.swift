// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Foundation
import Glibc
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Worker

/// Bounds of docs/engine.md that only a real file system can reach.
@Suite("Limits, on a real Btrfs", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct LimitTests {
    @Test("FileSystem.referenceLimit: an extent of more references is left alone, and said to be")
    func referenceLimit() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let block = fileSystem.image("appvms/work/private.img")
        let blockBytes = 64 << 10
        try Files.write(Content.text(mebibytes: 1, seed: 1).prefix(blockBytes), to: block)
        try fileSystem.synchronize()
        // Each copy has so many references to the one extent.
        let each = 400
        let copies = FileSystem.referenceLimit / each
        let first = fileSystem.path + "/copies/0"
        try Files.write(Data(), to: first)
        try Self.clone(block, blockBytes, times: each, to: first)
        for copy in 1..<copies { try Files.clone(first, to: fileSystem.path + "/copies/\(copy)") }
        func reasons() throws -> [String] {
            try WorkerRun.job(WorkerRun.compress, [WorkerRun.volume("work")], on: fileSystem)
                .leftAlone.map(\.reason)
        }
        #expect(try reasons() == ["too many references"], "\(copies * each + 1) references")
        try FileManager.default.removeItem(atPath: fileSystem.path + "/copies/1")
        try fileSystem.synchronize()
        #expect(try !reasons().contains("too many references"))
    }

    private static func clone(
        _ source: String, _ length: Int, times: Int, to destination: String
    ) throws {
        // struct file_clone_range, FICLONERANGE of <linux/fs.h>.
        struct Range {
            var source: Int64
            var sourceOffset: UInt64 = 0
            var length: UInt64
            var destinationOffset: UInt64
        }
        let from = try FileHandle(forReadingFrom: URL(fileURLWithPath: source))
        let to = try FileHandle(forWritingTo: URL(fileURLWithPath: destination))
        for number in 0..<times {
            var range = Range(
                source: Int64(from.fileDescriptor), length: UInt64(length),
                destinationOffset: UInt64(number * length))
            let status = unsafe ioctl(to.fileDescriptor, 0x4020_940d, &range)
            try #require(status == 0, "errno \(errno)")
        }
        try from.close()
        try to.close()
    }

    /// dom0's own files below a folder.
    private func walk(_ folder: String, limit: Int = SystemWalk.fileLimit) throws -> SystemWalk {
        func opened() throws -> Descriptor { try .open(FilePath(folder), .directory) }
        let fileSystem = try FileSystem(directory: opened(), path: folder)
        let directory = SharedDescriptor(try opened())
        return SystemWalk(
            [SystemFolder(path: folder, directory: directory)], on: fileSystem, except: [],
            passing: .zero, limit: limit)
    }

    @Test("SystemWalk.depthLimit: what lies deeper is not entered, and it is said")
    func depthLimit() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 256)
        let top = fileSystem.path + "/usr"
        func path(_ depth: Int) -> String { top + String(repeating: "/d", count: depth) + "/file" }
        try Files.write(Data(count: 8192), to: path(SystemWalk.depthLimit - 1))
        #expect(try walk(top).files.count == 1)
        #expect(try walk(top).problems.isEmpty)
        try Files.write(Data(count: 8192), to: path(SystemWalk.depthLimit))
        #expect(try walk(top).files.count == 1)
        let problems = try walk(top).problems.map(\.message)
        #expect(problems.contains { $0.hasPrefix("1 of its own folders") })
    }

    @Test("SystemWalk.fileLimit: the largest are kept, and how many were left out is said")
    func fileLimit() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 256)
        let top = fileSystem.path + "/usr"
        for size in 1...6 { try Files.write(Data(count: size << 14), to: top + "/\(size)") }
        let kept = try walk(top, limit: 4)
        #expect(kept.files.map(\.sizeBytes).sorted() == (3...6).map { UInt64($0 << 14) })
        #expect(kept.problems.map(\.message).contains { $0.hasPrefix("2 of its own files") })
        #expect(try walk(top, limit: 6).problems.isEmpty)
    }
}
