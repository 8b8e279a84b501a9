// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// Where a part of an extent's content is to be had.
struct Source: Sendable {
    /// What holds the part.
    enum Origin: Equatable, Sendable {
        /// A file of others, which is read from the device before anything is pointed to it.
        case image(InodeIdentifier)
        /// Our scratch file: it was written anew, and has settled.
        case scratch
        /// A hole: where it is put nothing is stored, and what it replaces reads as before.
        case hole
    }

    let range: Range<ByteCount>
    let file: any OpenFile
    let origin: Origin
    /// Where in the file the part starts.
    let offset: FileOffset
    /// A qube may be writing to the file now: it is locked as well while the kernel compares.
    let isLive: Bool

    /// It holds what others hold as well, by all that checksums say.
    var isKeeper: Bool {
        switch origin {
        case .image, .hole: true
        case .scratch: false
        }
    }

    /// It was written anew, which takes room.
    var isWritten: Bool {
        switch origin {
        case .image, .hole: false
        case .scratch: true
        }
    }

    /// The image that it is a part of; nil when it is of no image.
    var image: InodeIdentifier? {
        switch origin {
        case .image(let inode): inode
        case .scratch, .hole: nil
        }
    }

    var lengthBytes: ByteCount { range.upperBound - range.lowerBound }

    /// Where in its file.
    var fileRange: Range<ByteCount> {
        let start = ByteCount(offset.rawValue)
        return start..<(start + lengthBytes)
    }

    /// The parts of the content that ranges of its file hold.
    func contentRanges(_ parts: [Range<ByteCount>]) -> [Range<ByteCount>] {
        let start = fileRange.lowerBound
        return parts.map { part in
            let first = range.lowerBound + (part.lowerBound - start)
            return first..<(first + (part.upperBound - part.lowerBound))
        }
    }

    /// Holes for parts of the content, from a file that is one.
    static func holes(_ ranges: [Range<ByteCount>], in zeroes: ZeroFile) -> [Source] {
        Ranges.cut(ranges, atMultiplesOf: zeroes.lengthBytes).map {
            Source(range: $0, file: zeroes.file, origin: .hole, offset: .start, isLive: false)
        }
    }

    /// The sources without what is excluded and without what an earlier one has: no two overlap.
    static func disjoint(_ sources: [Source], excluding excluded: [Range<ByteCount>]) -> [Source] {
        var taken = Ranges.union(excluded)
        var result: [Source] = []
        for source in sources {
            for range in Ranges.subtract(taken, from: [source.range]) {
                result.append(
                    Source(
                        range: range, file: source.file, origin: source.origin,
                        offset: source.offset + (range.lowerBound - source.range.lowerBound),
                        isLive: source.isLive))
            }
            taken = Ranges.union(taken + [source.range])
        }
        return result
    }
}
