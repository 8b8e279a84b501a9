// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs
public import SystemPackage

/// What was written to a scratch file, to be looked for in its tree. Pure.
///
/// A write that the device refuses is reported to the first who asks and to nobody else; the range
/// is a hole then, or what it was before, while the page cache goes on to show what was written.
enum Settlement {
    /// A frame as it was written.
    struct Frame: Equatable, Sendable {
        let offset: FileOffset
        /// Whole sectors.
        let lengthBytes: ByteCount
        /// What it takes on the device when it is packed; nil when it is plain.
        let packedBytes: ByteCount?
        /// The level at which it was to be packed; nil when it was not.
        var level: Int?

        /// What it takes on the device.
        var diskBytes: ByteCount { packedBytes ?? lengthBytes }
    }

    /// What is known from now on of extents that frames have become: at which level they are
    /// packed, or that they do not shrink at it.
    /// - Parameters:
    ///   - extents: in order.
    ///   - frames: in order, none overlapping another.
    static func verdicts(on extents: [FileExtent], of frames: [Frame]) -> [Verdict] {
        var next = 0
        return extents.compactMap { extent in
            while next < frames.count,
                frames[next].offset + frames[next].lengthBytes <= extent.fileOffset
            {
                next += 1
            }
            guard next < frames.count, frames[next].offset < end(of: extent),
                let level = frames[next].level,
                case .regular(let reference) = extent.storage
            else { return nil }
            return Verdict(
                address: reference.address, generation: extent.generation,
                finding: extent.compression == .none ? .doesNotShrink : .packed, level: level)
        }
    }

    /// The first frame that is not in the tree as it was written: on the device, of its length, not
    /// older than the batch, and packed as it was when it was.
    /// - Parameters:
    ///   - frames: in order, none overlapping another.
    ///   - extents: in order.
    static func firstMissing(
        _ frames: [Frame], in extents: [FileExtent], since generation: Generation
    ) -> Frame? {
        var next = 0
        for frame in frames {
            while next < extents.count, end(of: extents[next]) <= frame.offset { next += 1 }
            if !isThere(frame, extents[next...], since: generation) { return frame }
        }
        return nil
    }

    private static func isThere(
        _ frame: Frame, _ extents: ArraySlice<FileExtent>, since generation: Generation
    ) -> Bool {
        var position = frame.offset
        let end = frame.offset + frame.lengthBytes
        for extent in extents {
            guard extent.fileOffset <= position, case .regular(let reference) = extent.storage,
                generation <= extent.generation
            else { return false }
            if let packedBytes = frame.packedBytes {
                return extent.compression == .zstd && extent.fileOffset == frame.offset
                    && extent.lengthBytes == frame.lengthBytes
                    && extent.contentBytes == frame.lengthBytes
                    && reference.offsetInExtent == .zero && reference.diskBytes == packedBytes
            }
            // The kernel joins plain frames, or cuts them, as it finds room. Where the mount option
            // compress-force tells it to, it packs them too, whatever the file's flags say.
            position = Self.end(of: extent)
            if position >= end { return true }
        }
        return false
    }

    private static func end(of extent: FileExtent) -> FileOffset {
        extent.fileOffset + extent.lengthBytes
    }
}

extension BtrfsError {
    private static let refusedWriteSubject = "the scratch file, on a disk that refuses writes"

    /// What was written did not reach the device: the job has to end.
    public static func refusedWrite(_ call: String, _ reason: Errno) -> BtrfsError {
        BtrfsError(call, refusedWriteSubject, reason)
    }

    /// It says that the device refuses writes.
    public var isRefusedWrite: Bool { subject == Self.refusedWriteSubject }

    /// The file system, or a quota, has no room.
    var isFull: Bool { reason == .noSpace || reason == .diskQuotaExceeded }
}
