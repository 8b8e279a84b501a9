// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine

/// Where the range that is shared may be cut, so that one kernel call is short while others need
/// the disk or may send. Pure.
///
/// What is cut in the middle of an extent becomes two references to it, in every file, and in the
/// trees of every snapshot: an extent that has many is left alone for what they cost. Between two
/// extents there are two references anyway.
struct ShareSteps {
    /// What one call compares, unless its first extent is longer: a packed one never is.
    static let wantedBytes = ByteCount.mebibytes(1)
    /// What the kernel takes at a time (BTRFS_MAX_DEDUPE_LEN in fs/btrfs/reflink.c).
    static let mostBytes = ByteCount.mebibytes(16)

    /// Where extents of the source end, in order. A hole has none: nothing is cut there.
    let ends: [FileOffset]

    /// How much to share from an offset of the source.
    /// - Parameter left: what there is still to share, and the most that is said.
    func lengthBytes(at offset: FileOffset, atMost left: ByteCount) -> ByteCount {
        let most = min(left, Self.mostBytes)
        let later = ends.drop { $0 <= offset }
        guard let first = later.first else { return min(most, Self.wantedBytes) }
        let end = later.prefix { $0 <= offset + Self.wantedBytes }.last ?? first
        return min(end - offset, most)
    }
}

extension BtrfsStore {
    /// The steps of a range of a source; none are known where its tree cannot be read, and
    /// whatever is wrong there the request meets itself.
    func steps(
        _ source: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount
    ) -> ShareSteps {
        guard lengthBytes > ShareSteps.wantedBytes, let stored = source as? any StoredFile else {
            return ShareSteps(ends: [])
        }
        var ends: [FileOffset] = []
        try? forEachFileExtent(of: stored.inode, from: offset, through: offset + lengthBytes) {
            (extent) throws(BtrfsError) in ends.append(extent.fileOffset + extent.lengthBytes)
        }
        return ShareSteps(ends: ends)
    }
}
