// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// A part of a file that the device did not give back: a read or a compare of it failed with EIO,
/// and around it none did.
public struct UnreadablePlace: Hashable, Sendable {
    /// The file.
    public var inode: InodeIdentifier
    /// Where in it, in whole sectors.
    public var range: Range<FileOffset>
    /// Where the same content is to be had, by all that checksums say; nil when nobody knows.
    public var copy: Replacement.Place?

    /// Makes a place.
    public init(
        inode: InodeIdentifier, range: Range<FileOffset>, copy: Replacement.Place? = nil
    ) {
        self.inode = inode
        self.range = range
        self.copy = copy
    }

    /// The places in order, those that touch or overlap joined: the first copy that is known stands
    /// for all. The same place may have been met by who knows of none, as a read before packing,
    /// and by who does, in whatever order. Pure.
    public static func joined(_ places: [UnreadablePlace]) -> [UnreadablePlace] {
        var joined: [UnreadablePlace] = []
        let sorted = places.sorted {
            ($0.inode, $0.range.lowerBound) < ($1.inode, $1.range.lowerBound)
        }
        for place in sorted {
            if let last = joined.last, last.inode == place.inode,
                last.range.upperBound >= place.range.lowerBound
            {
                joined[joined.count - 1].range =
                    last.range.lowerBound..<max(last.range.upperBound, place.range.upperBound)
                joined[joined.count - 1].copy =
                    last.copy ?? place.copyOfWhatStarts(at: last.range.lowerBound)
            } else {
                joined.append(place)
            }
        }
        return joined
    }

    /// Where the copy of what starts before it has to start.
    private func copyOfWhatStarts(at start: FileOffset) -> Replacement.Place? {
        let before = range.lowerBound - start
        guard let copy, before.rawValue <= copy.offset.rawValue else { return nil }
        return Replacement.Place(
            inode: copy.inode, offset: FileOffset(copy.offset.rawValue - before.rawValue))
    }
}
