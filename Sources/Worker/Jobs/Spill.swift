// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
public import Engine
internal import Synchronization
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
    /// - Parameters:
    ///   - reserve: where what has no room there goes; nil for nowhere.
    ///   - heldBytes: no more than this is held in memory of any one thing.
    public init(
        in directory: SharedDescriptor, reserve: SharedDescriptor? = nil, count: Int,
        heldBytes: Int = .max
    ) throws(Errno) {
        // A quarter of a million extents, and half a million items.
        columnBytes = min(heldBytes, 8 << 20)
        surveySortBytes = min(heldBytes, 24 << 20)
        var spills: [Spill] = []
        for _ in 0..<count { spills.append(try Spill(in: directory, reserve: reserve)) }
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

/// A nameless file for what has no room in memory. Where its disk fills up, what it holds goes to
/// another one, on the disk that the job works on.
final class Spill: Sendable {
    /// What errors say they are about.
    static let subject = "a spill file"

    private let first: SharedDescriptor
    private let second: SharedDescriptor?
    /// Nothing more is written to the first file; whoever reads from it still may.
    private let isMoved = Atomic<Bool>(false)
    private let length = Monitor(UInt64(0))

    /// - Parameter reserve: where what has no room in the directory goes; nil for nowhere.
    fileprivate init(
        in directory: SharedDescriptor, reserve: SharedDescriptor? = nil
    ) throws(Errno) {
        func nameless(_ directory: SharedDescriptor) throws(Errno) -> SharedDescriptor {
            SharedDescriptor(
                try directory.descriptor.open(beneath: ".", [.readWrite, .temporary, .exclusive]))
        }
        first = try nameless(directory)
        if let reserve { second = try nameless(reserve) } else { second = nil }
    }

    private var file: SharedDescriptor {
        isMoved.load(ordering: .acquiring) ? second ?? first : first
    }

    /// One at a time, as whoever fills it does.
    fileprivate func append(_ bytes: UnsafeRawBufferPointer) throws(BtrfsError) {
        let offset = length.withLock { $0 }
        do throws(Errno) {
            do throws(Errno) {
                unsafe try file.descriptor.write(bytes, atOffset: offset)
            } catch {
                guard error == .noSpace || error == .diskQuotaExceeded else { throw error }
                try move(lengthBytes: offset, orThrow: error)
                unsafe try file.descriptor.write(bytes, atOffset: offset)
            }
        } catch {
            throw BtrfsError("write", Self.subject, error)
        }
        length.withLock { $0 = offset + UInt64(bytes.count) }
    }

    /// Goes on in the other file. The first one stays as it is for those that read there: it gives
    /// its space back with the rest.
    private func move(lengthBytes: UInt64, orThrow error: Errno) throws(Errno) {
        guard let second, !isMoved.load(ordering: .acquiring) else { throw error }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { unsafe buffer.deallocate() }
        var done: UInt64 = 0
        while done < lengthBytes {
            let part = unsafe UnsafeMutableRawBufferPointer(
                rebasing: buffer[..<Int(min(UInt64(buffer.count), lengthBytes - done))])
            guard unsafe try first.descriptor.read(into: part, atOffset: done) == part.count else {
                throw .ioError
            }
            unsafe try second.descriptor.write(UnsafeRawBufferPointer(part), atOffset: done)
            done += UInt64(part.count)
        }
        isMoved.store(true, ordering: .releasing)
    }

    /// Gives back the space of all that was added. A failure costs space and nothing else.
    fileprivate func clear() {
        for file in [first, second].compactMap(\.self) {
            try? file.descriptor.truncate(toBytes: 0)
            file.descriptor.adviseRandomReads(false)
        }
        length.withLock { $0 = 0 }
        isMoved.store(false, ordering: .releasing)
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
