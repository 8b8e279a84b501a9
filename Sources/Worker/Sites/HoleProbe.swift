// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import SystemCalls
internal import SystemPackage

/// Makes the file that holes are taken from, and sees on scratch files of our own whether the
/// running kernel makes them as it should: the range becomes a hole, reads as before, and no time
/// stamp moves.
///
/// Where a request takes many items away and puts nothing in their place, the kernel sets the time
/// stamps (btrfs_replace_file_extents in fs/btrfs/file.c, without an extent to insert). Requests of
/// the engine take one item away; that this is enough is not believed, but looked at.
struct HoleProbe {
    /// Enough to be an extent, and not to lie in the tree.
    private static let triedBytes = ByteCount.mebibytes(1)
    /// The slowest clocks that kernels are built with tick every 10 ms.
    private static let twoTicksMilliseconds = 20

    let store: BtrfsStore
    /// To be the hole; empty.
    let hole: BtrfsScratch
    /// To try it on; empty before and after.
    let victim: BtrfsScratch

    /// The file that holes are taken from; nil where this kernel does not make them as it should.
    func zeroFile() -> ZeroFile? {
        let length = ExecutionLimits().request
        defer { try? store.clear(victim) }
        do throws(BtrfsError) {
            try store.named("ftruncate", "the file of a hole") { () throws(Errno) in
                try hole.shared.descriptor.truncate(toBytes: length.rawValue)
            }
            guard try makesHoles() else {
                Log.note("this kernel does not make holes as it should: zeroes stay as they are")
                return nil
            }
        } catch {
            Log.note([error])
            return nil
        }
        return ZeroFile(file: hole.shared, lengthBytes: length)
    }

    private func makesHoles() throws(BtrfsError) -> Bool {
        let zeroes = [UInt8](repeating: 0, count: Self.triedBytes.count)
        try write(zeroes)
        let victimFile = try store.settle(victim).file
        let before = try times()
        // A time stamp that is set again within one tick of the clock would be the same.
        Pause.milliseconds(Self.twoTicksMilliseconds)
        let outcome = try store.share(
            hole.shared, at: .start, lengthBytes: Self.triedBytes, with: victimFile, at: .start)
        guard outcome == .shared(Self.triedBytes) else { return false }
        let after = try times()
        guard after.modified == before.modified, after.changed == before.changed else {
            return false
        }
        var isHole = true
        try store.forEachFileExtent(of: victim.inode, from: .start, through: FileOffset(.max)) {
            (extent) throws(BtrfsError) in
            if extent.storage != .hole { isHole = false }
        }
        return isHole
    }

    private func write(_ bytes: [UInt8]) throws(BtrfsError) {
        var failure: BtrfsError?
        unsafe bytes.withUnsafeBytes { bytes in
            do throws(BtrfsError) {
                unsafe try store.writePlain(bytes, to: victim, at: .start)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    private func times() throws(BtrfsError) -> FileStatus {
        try store.named("fstat", "the scratch file") { () throws(Errno) in
            try victim.shared.descriptor.status()
        }
    }
}
