// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemCalls

/// What of which files somebody will still read: keepers, for all batches to come that take
/// something from there, as it would have to be read again for each of them; and what a batch that
/// is read ahead or in work goes through, for what another one lets go of meanwhile would come back
/// and stay.
final class PageUses: Sendable {
    /// Uses are counted, and pages are let go of, in parts of this length.
    static let part = ByteCount.mebibytes(16)

    private let counts = Monitor<[InodeIdentifier: [UInt64: Int]]>([:])

    /// Batches to come, with what they take from keepers.
    func expect(_ batches: [ArraySlice<Replacement>]) {
        for batch in batches { add(Self.keepers(of: batch)) }
    }

    /// A batch is about to be read ahead or worked on.
    /// - Parameter ranges: what it goes through, besides its keepers.
    func begin(_ ranges: [InodeIdentifier: [Range<ByteCount>]]) { add(Self.parts(of: ranges)) }

    private func add(_ parts: Set<Part>) {
        counts.withLock { counts in
            for part in parts { counts[part.inode, default: [:]][part.number, default: 0] += 1 }
        }
    }

    /// A batch is done.
    /// - Parameter ranges: those that it was begun with.
    /// - Returns: what nobody will read any more.
    func finish(
        _ batch: [Replacement], _ ranges: [InodeIdentifier: [Range<ByteCount>]]
    ) -> [InodeIdentifier: [Range<ByteCount>]] {
        counts.withLock { counts in
            var free: [InodeIdentifier: [Range<ByteCount>]] = [:]
            for part in [Self.keepers(of: batch), Self.parts(of: ranges)].joined() {
                let inode = part.inode
                guard let count = counts[inode]?[part.number] else { continue }
                counts[inode]?[part.number] = count > 1 ? count - 1 : nil
                if count > 1 { continue }
                free[inode, default: []].append(part.range)
                if counts[inode]?.isEmpty == true { counts[inode] = nil }
            }
            return free
        }
    }

    /// No batch is to come.
    func clear() { counts.withLock { $0 = [:] } }

    /// What of ranges of a file nobody will read.
    func unneeded(
        of ranges: [Range<ByteCount>], in inode: InodeIdentifier
    ) -> [Range<ByteCount>] {
        guard let needed = counts.withLock({ $0[inode] }) else { return ranges }
        return Ranges.union(
            Ranges.cut(ranges, atMultiplesOf: Self.part).filter {
                needed[$0.lowerBound.rawValue / Self.part.rawValue] == nil
            })
    }

    private static func keepers(of batch: some Collection<Replacement>) -> Set<Part> {
        let pieces = batch.lazy.flatMap(\.pieces)
        return parts(
            of: Dictionary(grouping: pieces, by: \.keeper.inode)
                .mapValues { $0.map(\.keeperRange) })
    }

    private static func parts(of ranges: [InodeIdentifier: [Range<ByteCount>]]) -> Set<Part> {
        var parts: Set<Part> = []
        for (inode, ranges) in ranges {
            for range in Ranges.cut(Ranges.union(ranges), atMultiplesOf: part) {
                let number = range.lowerBound.rawValue / part.rawValue
                parts.insert(Part(inode: inode, number: number))
            }
        }
        return parts
    }

    private struct Part: Hashable {
        let inode: InodeIdentifier
        let number: UInt64

        var range: Range<ByteCount> {
            let start = ByteCount(number * PageUses.part.rawValue)
            return start..<(start + PageUses.part)
        }
    }
}
