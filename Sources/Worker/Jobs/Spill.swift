// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
public import Engine
public import SystemCalls
public import SystemPackage

/// Nameless files to spill to, opened before the worker has forbidden itself to write. What one was
/// given is empty, and comes back when it lets go of it: its space is given back then.
public final class SpillPool: SpillSource {
    /// What a job or an estimate has at a time: a survey's items, then its extents and references,
    /// which fingerprints and plan keep beside their own eight.
    static let jobFiles = 12
    /// What it has where they are in the pool itself, which each costs an inode for a while: enough
    /// for what is largest.
    static let jobFilesInPool = 3

    private let free: Monitor<[Spill]>
    /// What of a column is held in memory.
    public let columnBytes: Int
    /// What of a survey's items is held in memory while they are sorted.
    public let surveySortBytes: Int

    /// In a directory of ours, or of the pool where there is none.
    /// - Parameter heldBytes: no more than this is held in memory of any one thing.
    public init(
        in directory: SharedDescriptor, count: Int, heldBytes: Int = .max
    ) throws(Errno) {
        // A quarter of a million extents, and half a million items.
        columnBytes = min(heldBytes, 8 << 20)
        surveySortBytes = min(heldBytes, 24 << 20)
        var spills: [Spill] = []
        for _ in 0..<count { spills.append(try Spill(in: directory)) }
        free = Monitor(spills)
    }

    /// One of them.
    public func take() -> (any SpillFile)? {
        free.withLock { $0.popLast() }.map { LentSpill($0, of: self) }
    }

    fileprivate func giveBack(_ spill: Spill) {
        spill.clear()
        free.withLock { $0.append(spill) }
    }
}

/// A file of a pool, for as long as somebody holds it.
private final class LentSpill: SpillFile {
    private let spill: Spill
    private let pool: SpillPool

    init(_ spill: Spill, of pool: SpillPool) {
        self.spill = spill
        self.pool = pool
    }

    deinit { pool.giveBack(spill) }

    func append(_ bytes: UnsafeRawBufferPointer) throws(BtrfsError) {
        unsafe try spill.append(bytes)
    }

    func read(
        at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(BtrfsError) {
        unsafe try spill.read(at: offset, into: buffer)
    }

    func expectRandomReads(_ isRandom: Bool) { spill.expectRandomReads(isRandom) }

    func map() throws(BtrfsError) -> Mapping { try spill.map() }
}

/// A nameless file for what has no room in memory.
final class Spill: Sendable {
    /// What errors say they are about.
    static let subject = "a spill file"

    private let file: SharedDescriptor
    private let length = Monitor(UInt64(0))

    fileprivate init(in directory: SharedDescriptor) throws(Errno) {
        file = SharedDescriptor(
            try directory.descriptor.open(beneath: ".", [.readWrite, .temporary, .exclusive]))
    }

    fileprivate func append(_ bytes: UnsafeRawBufferPointer) throws(BtrfsError) {
        let count = UInt64(bytes.count)
        let offset = length.withLock { length in
            defer { length += count }
            return length
        }
        do throws(Errno) {
            unsafe try file.descriptor.write(bytes, atOffset: offset)
        } catch {
            throw BtrfsError("write", Self.subject, error)
        }
    }

    /// Gives back the space of all that was added. A failure costs space and nothing else.
    fileprivate func clear() {
        length.withLock { length in
            length = 0
            try? file.descriptor.truncate(toBytes: 0)
            file.descriptor.adviseRandomReads(false)
        }
    }

    fileprivate func read(
        at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(BtrfsError) {
        do throws(Errno) {
            let count = unsafe try file.descriptor.read(into: buffer, atOffset: offset)
            guard count == buffer.count else { throw .ioError }
        } catch {
            throw BtrfsError("read", Self.subject, error)
        }
    }

    fileprivate func expectRandomReads(_ isRandom: Bool) {
        file.descriptor.adviseRandomReads(isRandom)
    }

    fileprivate func map() throws(BtrfsError) -> Mapping {
        do throws(Errno) {
            return try file.descriptor.map(lengthBytes: Int(length.withLock { $0 }))
        } catch {
            throw BtrfsError("mmap", Self.subject, error)
        }
    }
}
