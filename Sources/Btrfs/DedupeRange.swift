// SPDX-License-Identifier: GPL-2.0-or-later
internal import CBtrfs
internal import Glibc
public import SystemCalls
public import SystemPackage

/// What the kernel made of one destination.
public enum DedupeOutcome: Equatable, Sendable {
    /// The bytes are equal, and this many of them are shared now. May be fewer than asked for.
    case shared(ByteCount)
    /// The bytes differ; nothing changed.
    case differs
    /// It could not be done; nothing changed.
    case failed(Errno)
}

/// `FIDEDUPERANGE`: the one way in which we ever touch an image.
public enum DedupeRange {
    /// The most that one request processes; the kernel cuts what is longer
    /// (BTRFS_MAX_DEDUPE_LEN in fs/btrfs/reflink.c).
    public static let limitBytes = ByteCount.mebibytes(16)

    /// Makes ranges of other files refer to what a range of `source` refers to, after the kernel
    /// has compared every byte with both files locked. It changes no content, no size and no time
    /// stamp.
    ///
    /// `source` and all offsets are sector-aligned, `lengthBytes` as well, unless both ranges end
    /// with their files. At most `limitBytes`. Root may give destinations that are open for
    /// reading.
    /// - Throws: the request as a whole was refused (EINVAL, ENOMEM).
    public static func share(
        _ source: borrowing Descriptor, at sourceOffset: FileOffset, lengthBytes: ByteCount,
        with destination: borrowing Descriptor, at destinationOffset: FileOffset
    ) throws(BtrfsError) -> DedupeOutcome {
        let fixedBytes = MemoryLayout<file_dedupe_range>.size
        let infoBytes = MemoryLayout<file_dedupe_range_info>.size
        return try unsafe withUnsafeTemporaryAllocation(
            byteCount: fixedBytes + infoBytes, alignment: 8
        ) { (memory) throws(BtrfsError) -> DedupeOutcome in
            var head = file_dedupe_range()
            head.src_offset = sourceOffset.rawValue
            head.src_length = lengthBytes.rawValue
            head.dest_count = 1
            var info = file_dedupe_range_info()
            info.dest_fd = Int64(destination.rawValue)
            info.dest_offset = destinationOffset.rawValue
            unsafe memory.storeBytes(of: head, as: file_dedupe_range.self)
            unsafe memory.storeBytes(
                of: info, toByteOffset: fixedBytes, as: file_dedupe_range_info.self)
            guard let base = memory.baseAddress,
                unsafe ioctl(source.rawValue, cbtrfs_FIDEDUPERANGE, base) == 0
            else { throw BtrfsError("FIDEDUPERANGE", "the source", Errno(rawValue: errno)) }
            let result = unsafe memory.load(
                fromByteOffset: fixedBytes, as: file_dedupe_range_info.self)
            return outcome(result)
        }
    }

    private static func outcome(_ info: file_dedupe_range_info) -> DedupeOutcome {
        switch info.status {
        case FILE_DEDUPE_RANGE_SAME: .shared(ByteCount(info.bytes_deduped))
        case FILE_DEDUPE_RANGE_DIFFERS: .differs
        default: .failed(Errno(rawValue: -info.status))
        }
    }
}
