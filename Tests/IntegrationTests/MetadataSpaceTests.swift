// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// Law 2 on real file systems: with its metadata, and over its devices.
@Suite("Disk use on a real Btrfs", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct MetadataSpaceTests {
    private static let jobs = [
        WorkerRun.compress, WorkerRun.dedupe, WorkerRun.optimize, WorkerRun.defragment,
    ]
    private func order(
        _ work: WorkerOrder.Work, _ pool: String, _ qubes: [String] = ["work"]
    ) -> WorkerOrder {
        WorkerOrder(
            work: work, pools: [.init(name: "pool", directory: pool)],
            volumes: qubes.map { WorkerRun.volume($0) }, wholeMachine: true)
    }

    private func usage(_ fileSystem: DiskFileSystem) throws -> FileSystemUsage {
        guard
            case .report(let report)? = try WorkerRun.messages(order(.report, fileSystem.path))
                .last
        else { throw WorkerRun.UnexpectedEnd(message: "no report") }
        return try #require(report.fileSystems.first)
    }

    // MARK: Room

    struct Layout: CustomTestStringConvertible, Sendable {
        let data: String
        let metadata: String
        let mebibytes: [Int]

        var testDescription: String { "\(data) of \(mebibytes)" }
        var options: [String] {
            data == "mixed"
                ? ["-M", "-n", "4096"] : ["--data", data, "--metadata", metadata]
        }
    }

    static let layouts = [
        Layout(data: "single", metadata: "dup", mebibytes: [1024]),
        Layout(data: "dup", metadata: "dup", mebibytes: [1024]),
        Layout(data: "single", metadata: "raid1", mebibytes: [1024, 320]),
        Layout(data: "raid1", metadata: "raid1", mebibytes: [1536, 512]),
        Layout(data: "raid1", metadata: "raid1", mebibytes: [1024, 768, 512]),
        Layout(data: "raid10", metadata: "raid1", mebibytes: [768, 768, 768, 384]),
        Layout(data: "raid5", metadata: "raid1", mebibytes: [1024, 1024, 384]),
        Layout(data: "raid1c3", metadata: "raid1c3", mebibytes: [1024, 768, 512]),
        Layout(data: "mixed", metadata: "mixed", mebibytes: [512]),
    ]

    @Test("What is said to be left for data is what data can be given", arguments: layouts)
    func room(layout: Layout) throws {
        let fileSystem = try DiskFileSystem(
            mebibytes: layout.mebibytes, options: layout.options)
        // A pool without any of its volumes is taken for one whose disk is not mounted.
        try Files.write(Data(count: 4096), to: fileSystem.image("appvms/work/private.img"))
        try fileSystem.synchronize()
        let before = try usage(fileSystem)
        let room = Int64(before.dataRoomBytes)
        let start = try fileSystem.used().data
        var number = 0
        // Pieces of 4 MiB: the last of them that fits tells to within that.
        while try Command.run(
            ["fallocate", "--length", "4MiB", "\(fileSystem.path)/filler\(number)"]
        ).status == 0 { number += 1 }
        let given = try fileSystem.used().data - start
        let slack = room / 20 + 24 << 20
        #expect(given <= room + slack, "\(given >> 20) MiB of \(room >> 20)")
        #expect(given >= room - slack, "\(given >> 20) MiB of \(room >> 20)")
        #expect(before.isMixed == (layout.data == "mixed"))
        #expect(try usage(fileSystem).dataRoomBytes < 24 << 20)
    }

    @Test(
        "On a file system that is full but for a little no job makes it fuller, nor read-only",
        arguments: layouts)
    func nearlyFull(layout: Layout) throws {
        let fileSystem = try DiskFileSystem(mebibytes: layout.mebibytes, options: layout.options)
        let image = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.text(mebibytes: 24, seed: 1), to: image)
        try Files.copy(image, to: fileSystem.image("appvms/copy/private.img"))
        for number in 0..<60 {
            try Files.clone(image, to: "\(image).\(number)@2026-01-02T03:04:05Z")
        }
        try fileSystem.synchronize()
        var number = 0
        while try Command.run(
            ["fallocate", "--length", "4MiB", "\(fileSystem.path)/filler\(number)"]
        ).status == 0 { number += 1 }
        for last in [number - 1, number - 2] where last >= 0 {
            try FileManager.default.removeItem(atPath: "\(fileSystem.path)/filler\(last)")
        }
        try fileSystem.synchronize()
        for work in Self.jobs {
            let before = try fileSystem.used()
            let last = try WorkerRun.messages(order(work, fileSystem.path, ["work", "copy"])).last
            switch last {
            case .result, .failure: break
            default: Issue.record("\(work): \(String(describing: last))")
            }
            try fileSystem.synchronize()
            let after = try fileSystem.used()
            #expect(fileSystem.isWritable)
            #expect(after.data + after.metadata <= before.data + before.metadata, "\(work)")
        }
    }

    @Test("A mirror on a small and a large disk has the small one's room for metadata")
    func smallMirror() throws {
        let fileSystem = try DiskFileSystem(
            mebibytes: [2048, 160], options: ["--data", "single", "--metadata", "raid1"])
        let image = fileSystem.image("appvms/work/private.img")
        try Files.write(Content.text(mebibytes: 32, seed: 1), to: image)
        for number in 0..<60 {
            try Files.clone(image, to: "\(image).\(number)@2026-01-02T03:04:05Z")
        }
        try fileSystem.synchronize()
        try fillMetadata(of: fileSystem, downTo: 6 << 20)
        let start = try fileSystem.used()
        for work in Self.jobs {
            guard
                case .failure(_, let message, _)? = try WorkerRun.messages(
                    order(work, fileSystem.path)
                ).last
            else {
                Issue.record("\(work) was not refused")
                return
            }
            #expect(message.contains("MiB of metadata"))
        }
        guard case .check(let report)? = try WorkerRun.messages(order(.check, fileSystem.path)).last
        else {
            Issue.record("no check")
            return
        }
        let finding = report.findings.first { $0.topic == "space.metadata" }
        #expect(finding?.level == .problem)
        #expect(fileSystem.isWritable)
        #expect(try fileSystem.used().data == start.data)
    }

    /// Long links stand in the trees themselves.
    private func fillMetadata(of fileSystem: DiskFileSystem, downTo roomBytes: UInt64) throws {
        let target = String(repeating: "x", count: 3500)
        let folder = fileSystem.path + "/links"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        var number = 0
        while true {
            try fileSystem.synchronize()
            let room = try usage(fileSystem).metadataRoomBytes
            if room <= roomBytes { return }
            // Of each about 4 KiB, and never so many that the kernel has to refuse.
            for _ in 0..<max((room - roomBytes) / 8192, 100) {
                try FileManager.default.createSymbolicLink(
                    atPath: "\(folder)/\(number)", withDestinationPath: target)
                number += 1
            }
        }
    }

    @Test("Ordering fragments takes nothing, neither in data nor in metadata")
    func defragment() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 1024)
        let image = fileSystem.image("appvms/work/private.img")
        let content = Content.random(mebibytes: 32, seed: 5)
        try Files.write(Data(), to: image)
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: image))
        let pieces = content.count / (24 << 10)
        for number in 0..<pieces {
            // A step that meets every piece once.
            let start = number * 577 % pieces * (24 << 10)
            try file.seek(toOffset: UInt64(start))
            try file.write(contentsOf: content[start..<(start + 24 << 10)])
            if number.isMultiple(of: 4) { try file.synchronize() }
        }
        try file.close()
        try Files.clone(image, to: image + ".1@2026-01-02T03:04:05Z")
        try Files.clone(image, to: fileSystem.image("appvms/copy/private.img"))
        let before = try fileSystem.deviceUsedBytes()
        let volumes = [WorkerRun.volume("work"), WorkerRun.volume("copy")]
        let result = try WorkerRun.job(WorkerRun.defragment, volumes, on: fileSystem)
        #expect(result.extentsReplaced > 100)
        #expect(try fileSystem.deviceUsedBytes() <= before)
    }

    // MARK: Others

    @Test("What others delete or write meanwhile is not the job's")
    func othersMeanwhile() throws {
        for isWritten in [true, false] {
            let fileSystem = try LoopFileSystem(mebibytes: 1024)
            for number in 0..<24 {
                try Files.write(
                    Content.text(mebibytes: 2, seed: UInt64(number + 1)),
                    to: fileSystem.image("appvms/work/private.img.\(number)@2026-01-02T03:04:05Z"))
                try fileSystem.synchronize()
            }
            let other = fileSystem.path + "/other"
            if !isWritten { try Files.write(Content.random(mebibytes: 64, seed: 2), to: other) }
            try fileSystem.synchronize()
            let session = try WorkerSession(
                WorkerRun.order(
                    .compress(level: 9, running: false), [WorkerRun.volume("work")],
                    on: fileSystem))
            _ = try #require(try session.progress(until: { $0.stage == .execute }))
            session.say(.pause)
            _ = try #require(try session.progress(until: { $0.pacing?.reason == .pause }))
            if isWritten {
                try Files.write(Content.random(mebibytes: 64, seed: 2), to: other)
            } else {
                try FileManager.default.removeItem(atPath: other)
            }
            try fileSystem.synchronize()
            session.say(.resume)
            guard case .result(let result)? = try session.last() else {
                Issue.record("\(String(describing: session.messages.last))")
                return
            }
            let own = try #require(result.own)
            let saved = Int64(own.freedBytes) - Int64(own.writtenBytes)
            #expect(saved > 20 << 20)
            #expect(result.othersBytes == (isWritten ? 64 : -64) << 20)
            #expect(result.savedBytes == saved - Int64(own.metadataBytes))
        }
    }
}
