// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import SystemCalls
import SystemPackage

@testable import Engine

/// A cache file in memory, which can be full.
final class MemoryCache: CacheSource, CacheSink {
    private struct State {
        var bytes: [UInt8] = []
        var writes = 0
        var segmentReads = 0
    }

    private let state = Monitor(State())
    private let roomBytes: Int

    init(_ bytes: [UInt8] = [], roomBytes: Int = .max) {
        self.roomBytes = roomBytes
        state.withLock { $0.bytes = bytes }
    }

    var bytes: [UInt8] { state.withLock { $0.bytes } }
    var writes: Int { state.withLock { $0.writes } }
    /// How often a whole segment was asked for.
    var segmentReads: Int { state.withLock { $0.segmentReads } }
    var lengthBytes: UInt64 { UInt64(bytes.count) }

    func read(at offset: UInt64, count: Int) -> [UInt8] {
        state.withLock { state in
            if count == KeptFingerprints.placeBytes { state.segmentReads += 1 }
            return Array(state.bytes.dropFirst(Int(clamping: offset)).prefix(count))
        }
    }

    func write(_ new: [UInt8], at offset: UInt64) throws(BtrfsError) {
        let end = Int(offset) + new.count
        let hasRoom = state.withLock { state in
            guard end <= roomBytes else { return false }
            state.writes += 1
            if state.bytes.count < end {
                state.bytes += [UInt8](repeating: 0, count: end - state.bytes.count)
            }
            state.bytes.replaceSubrange(Int(offset)..<end, with: new)
            return true
        }
        if !hasRoom { throw BtrfsError("write", "a cache", .noSpace) }
    }

    func synchronize() throws(BtrfsError) {}
}
