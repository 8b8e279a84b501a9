// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import SystemPackage
import Synchronization

@testable import Engine

/// A spill file in memory.
final class MemorySpill: SpillFile {
    private let bytes = Mutex<[UInt8]>([])

    func append(_ new: UnsafeRawBufferPointer) throws(BtrfsError) {
        let copy = unsafe Array(new)
        bytes.withLock { $0 += copy }
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
