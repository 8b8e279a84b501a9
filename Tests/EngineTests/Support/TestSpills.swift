// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import SystemCalls
import SystemPackage

@testable import Engine

/// Spill files that hold nothing in memory: what can go to them does.
final class TestSpills: SpillSource {
    /// What a spill on a full disk says.
    static let full = BtrfsError("write", "a spill file", .noSpace)

    /// What one has been given, in the order in which it was.
    private struct State {
        var byteCounts: [Int] = []
        var open = 0
    }

    private let state = Monitor(State())
    private let limitBytes: Int
    private let fileLimit: Int

    let columnBytes = 0
    let surveySortBytes = 0

    /// - Parameters:
    ///   - limitBytes: what there is room for in each.
    ///   - fileLimit: how many there are at a time.
    init(limitBytes: Int = .max, fileLimit: Int = .max) {
        self.limitBytes = limitBytes
        self.fileLimit = fileLimit
    }

    /// The bytes that each file was given, in the order in which they were taken.
    var byteCounts: [Int] { state.withLock { $0.byteCounts } }
    /// The files that somebody holds.
    var openCount: Int { state.withLock { $0.open } }

    func take() -> (any SpillFile)? {
        let number = state.withLock { state -> Int? in
            guard state.open < fileLimit else { return nil }
            state.open += 1
            state.byteCounts.append(0)
            return state.byteCounts.count - 1
        }
        return number.map { TestSpill($0, of: self) }
    }

    fileprivate func grow(_ number: Int, by count: Int) throws(BtrfsError) {
        let hasRoom = state.withLock { state in
            guard state.byteCounts[number] + count <= limitBytes else { return false }
            state.byteCounts[number] += count
            return true
        }
        if !hasRoom { throw Self.full }
    }

    fileprivate func giveBack() { state.withLock { $0.open -= 1 } }
}

/// A nameless file.
private final class TestSpill: SpillFile {
    private let file: Descriptor
    private let number: Int
    private let source: TestSpills

    init(_ number: Int, of source: TestSpills) {
        self.number = number
        self.source = source
        guard
            let folder = try? Descriptor.open("/tmp", [.readOnly, .directory]),
            let file = try? folder.open(beneath: ".", [.readWrite, .temporary, .exclusive])
        else {
            // No test of what spills says anything on such a machine.
            preconditionFailure("/tmp has no nameless files")
        }
        self.file = file
    }

    deinit { source.giveBack() }

    private var length: Int { source.byteCounts[number] }

    func append(_ bytes: UnsafeRawBufferPointer) throws(BtrfsError) {
        let start = length
        try source.grow(number, by: bytes.count)
        do throws(Errno) {
            unsafe try file.write(bytes, atOffset: UInt64(start))
        } catch {
            throw BtrfsError("write", "a spill file", error)
        }
    }

    func read(
        at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(BtrfsError) {
        let count = unsafe try? file.read(into: buffer, atOffset: offset)
        guard count == buffer.count else { throw BtrfsError("read", "a spill file", .ioError) }
    }

    func expectRandomReads(_ isRandom: Bool) { file.adviseRandomReads(isRandom) }

    func map() throws(BtrfsError) -> Mapping {
        do throws(Errno) {
            return try file.map(lengthBytes: length)
        } catch {
            throw BtrfsError("mmap", "a spill file", error)
        }
    }
}
