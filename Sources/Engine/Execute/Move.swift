// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// A range of a source that a range of one reference shall refer to.
struct Move: Sendable {
    /// The target's index in its round.
    let target: Int
    /// The reference's index in its target.
    let reference: Int
    /// The part of the extent's content.
    let range: Range<ByteCount>
    let source: Source
    let destination: OpenReference

    var lengthBytes: ByteCount { range.upperBound - range.lowerBound }
    var sourceOffset: FileOffset { source.offset + (range.lowerBound - source.range.lowerBound) }
    var destinationOffset: FileOffset { destination.fileOffset(of: range.lowerBound) }
    /// A qube may be writing to one of the files: both are locked while the kernel compares.
    var isLive: Bool { destination.isLive || source.isLive }

    /// Both files go on here where they end in the other. Holes are made item by item: where a
    /// request takes thousands of items away and leaves nothing in their place, the kernel needs
    /// more than one transaction and sets the time stamps (btrfs_replace_file_extents without an
    /// extent to insert); of one item it cannot come to that.
    func follows(_ other: Move) -> Bool {
        source.origin != .hole && destination.inode == other.destination.inode
            && source.origin == other.source.origin
            && destinationOffset == other.destinationOffset + other.lengthBytes
            && sourceOffset == other.sourceOffset + other.lengthBytes
    }

    // MARK: Its parts

    /// Its first part.
    func prefix(_ length: ByteCount) -> Move {
        with(range.lowerBound..<(range.lowerBound + length))
    }

    /// What is left behind its first part.
    func dropping(_ length: ByteCount) -> Move {
        with((range.lowerBound + length)..<range.upperBound)
    }

    /// A part of it, counted from its start.
    func part(_ part: Range<ByteCount>) -> Move {
        with((range.lowerBound + part.lowerBound)..<(range.lowerBound + part.upperBound))
    }

    /// It and what comes behind it.
    func extended(by length: ByteCount) -> Move {
        with(range.lowerBound..<(range.upperBound + length))
    }

    private func with(_ range: Range<ByteCount>) -> Move {
        Move(
            target: target, reference: reference, range: range, source: source,
            destination: destination)
    }

    // MARK: Its places

    var sourceFileRange: Range<ByteCount> {
        let start = ByteCount(sourceOffset.rawValue)
        return start..<(start + lengthBytes)
    }

    var destinationFileRange: Range<ByteCount> {
        let start = ByteCount(destinationOffset.rawValue)
        return start..<(start + lengthBytes)
    }

    /// Where the content is to be had when this was moved.
    var movedSource: Source {
        Source(
            range: range, file: destination.file,
            origin: source.origin == .hole ? .hole : .image(destination.inode),
            offset: destinationOffset, isLive: destination.isLive)
    }

    /// Its source, as a place for others; nil when that is no image.
    var sourceAsPlace: Replacement.Place? {
        source.image.map { Replacement.Place(inode: $0, offset: sourceOffset) }
    }

    func sourcePlace(
        _ inode: InodeIdentifier, copy: Replacement.Place?
    ) -> UnreadablePlace {
        UnreadablePlace(
            inode: inode, range: sourceOffset..<(sourceOffset + lengthBytes), copy: copy)
    }

    func destinationPlace(copy: Replacement.Place?) -> UnreadablePlace {
        UnreadablePlace(
            inode: destination.inode,
            range: destinationOffset..<(destinationOffset + lengthBytes), copy: copy)
    }
}
