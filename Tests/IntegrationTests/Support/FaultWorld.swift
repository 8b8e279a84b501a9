// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// How much of the matrices of faults is gone through: a short form of each in every run, all of it
/// with FAULTS=all, as `make test-faults` does.
enum FaultMatrix {
    static let isWhole = ProcessInfo.processInfo.environment["FAULTS"] == "all"
}

/// The verbs that change where content lies.
enum Verb: String, CaseIterable, Sendable {
    case dedupe, optimize, compress, defragment, sparsify

    /// Those that find something to do in any content.
    static let allCases: [Verb] = [.dedupe, .optimize, .compress, .defragment]

    var work: WorkerOrder.Work {
        switch self {
        case .dedupe: WorkerRun.dedupe
        case .optimize: WorkerRun.optimize
        case .compress: WorkerRun.compress
        case .defragment: WorkerRun.defragment
        case .sparsify: .sparsify(running: false)
        }
    }
}

/// A file system on devices with faults, and what its images hold.
final class FaultWorld {
    static let blockBytes = 4096

    let devices: [FaultDevice]
    let fileSystem: LoopFileSystem
    /// The content that each image has been given, by its path below the pool.
    private(set) var contents: [String: Data] = [:]
    var device: FaultDevice { devices[0] }

    init(
        devices count: Int = 1, mebibytes: Int = 512, options: [String] = [], mount: [String] = []
    ) throws {
        devices = try (0..<count).map { _ in try FaultDevice(mebibytes: mebibytes) }
        fileSystem = try LoopFileSystem(on: devices, options: options, mount: mount)
    }

    /// Writes an image in extents of its own.
    /// - Parameter flushEveryBytes: a flush after so many bytes, as guests send them, ends an
    ///   extent.
    func write(_ content: Data, to image: String, flushEveryBytes: Int? = nil) throws {
        let path = fileSystem.image(image)
        try Files.write(flushEveryBytes == nil ? content : Data(), to: path)
        contents[image] = content
        guard let step = flushEveryBytes else { return }
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        defer { try? file.close() }
        for start in stride(from: 0, to: content.count, by: step) {
            try file.write(contentsOf: content[start..<min(start + step, content.count)])
            try file.synchronize()
        }
    }

    /// Writes an image in blocks of 64 KiB in no order, so that it lies in many extents and every
    /// verb has something to do.
    func write(scattered content: Data, to image: String) throws {
        let path = fileSystem.image(image)
        let blocks = content.count >> 16
        try Files.write(Data(), to: path)
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        defer { try? file.close() }
        for step in 0..<blocks {
            // Any step that has no factor in common with the number of blocks visits each once.
            let block = step * 35 % blocks
            try file.seek(toOffset: UInt64(block) << 16)
            try file.write(contentsOf: content[block << 16..<(block + 1) << 16])
            if step % 4 == 3 { try file.synchronize() }
        }
        contents[image] = content
    }

    /// Clones an image, as a revision or a precache.
    func clone(_ image: String, to copy: String) throws {
        try Files.clone(fileSystem.image(image), to: fileSystem.image(copy))
        contents[copy] = contents[image]
    }

    /// Reads these images, so that their pages are in the cache.
    func warm(_ images: some Sequence<String>) throws {
        for image in images {
            _ = try Data(contentsOf: URL(fileURLWithPath: fileSystem.image(image)))
        }
    }

    func dropCaches() throws {
        // Of this file system alone: a sync of all would cut extents of other tests.
        try fileSystem.synchronize()
        try Data("3\n".utf8).write(to: URL(fileURLWithPath: "/proc/sys/vm/drop_caches"))
    }

    /// Makes a sector of an image come back changed from the disk.
    /// - Parameter copies: of how many of its copies, the first ones.
    func rot(_ image: String, atByte offset: UInt64, copies: Int = .max) throws {
        let places = try DeviceMap(fileSystem.path).copies(
            ofByte: offset, in: fileSystem.image(image))
        for place in places.prefix(copies) {
            devices[place.device - 1].set {
                $0.rotten.append(place.offset..<(place.offset + 16))
            }
        }
    }

    /// The blocks of an image that do not read as they should: none can be read, or they read
    /// otherwise.
    func blocks(of image: String) throws -> (unreadable: Set<Int>, wrong: Set<Int>) {
        let content = try #require(contents[image])
        let url = URL(fileURLWithPath: fileSystem.image(image))
        if let whole = try? Data(contentsOf: url), whole == content { return ([], []) }
        let count = content.count / Self.blockBytes
        guard let file = try? FileHandle(forReadingFrom: url) else {
            return (Set(0..<count), [])
        }
        defer { try? file.close() }
        var unreadable: Set<Int> = []
        var wrong: Set<Int> = []
        for block in 0..<count {
            let range = block * Self.blockBytes..<(block + 1) * Self.blockBytes
            do {
                try file.seek(toOffset: UInt64(range.lowerBound))
                if try file.read(upToCount: Self.blockBytes) != content[range] {
                    wrong.insert(block)
                }
            } catch {
                unreadable.insert(block)
            }
        }
        return (unreadable, wrong)
    }

    /// Every image reads as it should, but for blocks that were unreadable before.
    func expectWhole(
        except bad: [String: Set<Int>] = [:], _ when: String, mayRefuse: Bool = false,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for image in contents.keys.sorted() {
            let found = try blocks(of: image)
            let lost = found.unreadable.subtracting(bad[image] ?? [])
            #expect(
                lost.isEmpty || mayRefuse,
                "\(when): \(image) has lost blocks \(lost.sorted().prefix(8))",
                sourceLocation: sourceLocation)
            #expect(
                found.wrong.isEmpty,
                "\(when): \(image) reads otherwise: \(found.wrong.sorted().prefix(8))",
                sourceLocation: sourceLocation)
        }
    }

    /// Runs the worker, which remembers what it finds out.
    /// - Returns: its last message.
    func job(
        _ work: WorkerOrder.Work, _ volumes: [WorkerOrder.Volume], risksReadOnly: Bool? = nil
    ) throws -> WorkerMessage? {
        let state = fileSystem.folder + "/state"
        try FileManager.default.createDirectory(
            atPath: state, withIntermediateDirectories: true)
        var order = WorkerRun.order(work, volumes, on: fileSystem)
        order.risksReadOnly = risksReadOnly
        return try WorkerRun.messages(order, options: ["--state-directory", state]).last
    }
}
