// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs
internal import Synchronization

/// A range of a file that the device does not give back.
public struct UnreadablePlace: Hashable, Sendable {
    /// The file.
    public let inode: InodeIdentifier
    /// Where in it; whole sectors, but at the end of the file.
    public let range: Range<FileOffset>
    /// Where the same content is to be had, by all that checksums say; nil when that is not known.
    public let copy: Replacement.Place?

    /// Makes a place.
    public init(
        inode: InodeIdentifier, range: Range<FileOffset>, copy: Replacement.Place? = nil
    ) {
        self.inode = inode
        self.range = range
        self.copy = copy
    }

    func contains(_ other: UnreadablePlace) -> Bool {
        inode == other.inode && range.lowerBound <= other.range.lowerBound
            && other.range.upperBound <= range.upperBound
    }

    /// Both as one, where the other follows in the file, and its copy in the copy's.
    func joined(with next: UnreadablePlace) -> UnreadablePlace? {
        guard inode == next.inode, range.upperBound == next.range.lowerBound else { return nil }
        let expected = copy.map {
            Replacement.Place(
                inode: $0.inode, offset: $0.offset + (range.upperBound - range.lowerBound))
        }
        guard next.copy == expected else { return nil }
        return UnreadablePlace(
            inode: inode, range: range.lowerBound..<next.range.upperBound, copy: copy)
    }
}

/// Keepers that could not be read, and who takes their place: the next place that holds the same.
///
/// So that good copies are still shared with each other, and a sector that one of them has read in
/// vain is not read in vain again. One for a job.
final class SuccessorKeepers: Sendable {
    /// The most places that are remembered.
    static let limit = 4096

    private let state = Mutex<[InodeIdentifier: [Bad]]>([:])

    private struct Bad {
        let range: Range<ByteCount>
        let successor: Replacement.Place?
    }

    /// - Parameter successor: holds what the range should hold; nil when that cannot be read either.
    func add(
        _ range: Range<ByteCount>, of inode: InodeIdentifier, successor: Replacement.Place?
    ) {
        state.withLock { state in
            guard state[inode, default: []].count < Self.limit,
                !state[inode, default: []].contains(where: { $0.range == range })
            else { return }
            state[inode, default: []].append(Bad(range: range, successor: successor))
        }
    }

    /// A piece, with what is bad of its keeper taken out, or taken from the successor.
    func pieces(for piece: Replacement.Piece) -> [Replacement.Piece] {
        let known = state.withLock { $0[piece.keeper.inode] } ?? []
        if known.isEmpty { return [piece] }
        let start = ByteCount(piece.keeper.offset.rawValue)
        let length = piece.range.upperBound - piece.range.lowerBound
        let bad = known.filter { $0.range.overlaps(start..<(start + length)) }
        let good = Ranges.subtract(bad.map(\.range), from: [start..<(start + length)])
        let kept = good.map { range in
            Replacement.Piece(
                range: Self.shifted(range, from: start, to: piece.range.lowerBound),
                keeper: Replacement.Place(
                    inode: piece.keeper.inode, offset: .start + range.lowerBound))
        }
        let replaced = bad.compactMap { bad -> Replacement.Piece? in
            guard let successor = bad.successor else { return nil }
            let range = bad.range.clamped(to: start..<(start + length))
            return Replacement.Piece(
                range: Self.shifted(range, from: start, to: piece.range.lowerBound),
                keeper: Replacement.Place(
                    inode: successor.inode,
                    offset: successor.offset + (range.lowerBound - bad.range.lowerBound)))
        }
        return (kept + replaced).sorted { $0.range.lowerBound < $1.range.lowerBound }
    }

    private static func shifted(
        _ range: Range<ByteCount>, from origin: ByteCount, to target: ByteCount
    ) -> Range<ByteCount> {
        (target + (range.lowerBound - origin))..<(target + (range.upperBound - origin))
    }
}
