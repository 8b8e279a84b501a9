// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemCalls

/// Keepers that could not be read, and who takes their place: the next place that holds the same.
///
/// So that good copies are still shared with each other, and a sector that one of them has read in
/// vain is not read in vain again. One for a job.
final class SuccessorKeepers: Sendable {
    /// The most places that are remembered.
    static let limit = 4096

    private let state = Monitor<[InodeIdentifier: [Bad]]>([:])

    private struct Bad {
        let range: Range<ByteCount>
        let successor: Replacement.Place?
    }

    /// Of several successors the first place counts, whoever was first to say so.
    /// - Parameter successor: holds what the range should hold; nil when it cannot be read either.
    func add(
        _ range: Range<ByteCount>, of inode: InodeIdentifier, successor: Replacement.Place?
    ) {
        state.withLock { state in
            var known = state[inode] ?? []
            if let index = known.firstIndex(where: { $0.range == range }) {
                guard let successor, known[index].successor.map({ successor < $0 }) ?? true else {
                    return
                }
                known[index] = Bad(range: range, successor: successor)
            } else if known.count < Self.limit {
                known.append(Bad(range: range, successor: successor))
            }
            state[inode] = known
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
