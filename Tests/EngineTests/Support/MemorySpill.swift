// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import SystemPackage
import Synchronization

@testable import Engine

/// A spill file in memory.
final class MemorySpill: SpillFile {
    /// What a spill on a full disk says.
    static let full = BtrfsError("write", "a spill file", .noSpace)

    private let bytes = Mutex<[UInt8]>([])
    private let limitBytes: Int

    init(limitBytes: Int = .max) { self.limitBytes = limitBytes }

    var byteCount: Int { bytes.withLock { $0.count } }

    func append(_ new: UnsafeRawBufferPointer) throws(BtrfsError) {
        let copy = unsafe Array(new)
        let hasRoom = bytes.withLock { bytes -> Bool in
            guard bytes.count + copy.count <= limitBytes else { return false }
            bytes += copy
            return true
        }
        if !hasRoom { throw Self.full }
    }

    func read(
        at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(BtrfsError) {
        let count = buffer.count
        let part = bytes.withLock { Array($0[Int(offset)...].prefix(count)) }
        guard part.count == count else { throw BtrfsError("read", "a spill file", .ioError) }
        unsafe buffer.copyBytes(from: part)
    }
}
