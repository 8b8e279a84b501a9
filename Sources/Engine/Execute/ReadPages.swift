// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Synchronization

/// Lets go of what a job has read and nobody may need for a while: it must not push out of memory
/// what qubes work with. Whatever became of an extent: replaced, left alone or failed.
///
/// What was in the cache when the job came to it is somebody's, and stays; so does all of a file
/// that a running qube writes to. `FreshSources` knows the rest: what was absent, or was let go
/// before.
struct ReadPages: Sendable {
    let store: any ExtentStore
    let fresh: FreshSources
    let roles: any LiveRoles
    let keepers: KeeperUses

    /// Once for each file and range: each call may have to wait for all processors.
    func letGo(
        of ranges: [InodeIdentifier: [Range<ByteCount>]],
        _ open: (InodeIdentifier) -> (any OpenFile)?
    ) {
        for (inode, ranges) in ranges where !roles.isLive(inode) {
            let unneeded = keepers.unneeded(of: Ranges.union(ranges), in: inode)
            let read = fresh.take(unneeded, of: inode)
            guard !read.isEmpty, let file = open(inode) else { continue }
            for range in read {
                store.forget(
                    file, at: .start + range.lowerBound,
                    lengthBytes: range.upperBound - range.lowerBound)
            }
        }
    }

    /// What was read through these.
    func letGo(of references: [OpenReference]) {
        let groups = Dictionary(grouping: references, by: \.inode)
        letGo(of: groups.mapValues { $0.map { $0.fileRange(sectorBytes: store.sectorBytes) } }) {
            groups[$0]?.first?.file
        }
    }
}

extension OpenReference {
    /// Where in its file, in whole sectors.
    fileprivate func fileRange(sectorBytes: ByteCount) -> Range<ByteCount> {
        let start = ByteCount(fileOffset.rawValue)
        return start..<(start + lengthBytes.roundedUp(to: sectorBytes))
    }
}

/// From where in which keepers batches to come will take something: those pages would have to be
/// read again for each of them. A keeper goes when the last batch that takes from there is done.
final class KeeperUses: Sendable {
    /// Keepers are counted, and let go of, in parts of this length.
    static let part = ByteCount.mebibytes(16)

    private let counts = Mutex<[InodeIdentifier: [UInt64: Int]]>([:])

    /// Batches to come.
    func add(_ batches: [[Replacement]]) {
        counts.withLock { counts in
            for part in batches.lazy.flatMap(Self.parts) {
                counts[part.inode, default: [:]][part.number, default: 0] += 1
            }
        }
    }

    /// A batch is done.
    /// - Returns: what nobody will take from any more.
    func finish(_ batch: [Replacement]) -> [InodeIdentifier: [Range<ByteCount>]] {
        counts.withLock { counts in
            var free: [InodeIdentifier: [Range<ByteCount>]] = [:]
            for part in Self.parts(of: batch) {
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

    /// What of ranges of a file no batch to come will take from.
    func unneeded(
        of ranges: [Range<ByteCount>], in inode: InodeIdentifier
    ) -> [Range<ByteCount>] {
        guard let needed = counts.withLock({ $0[inode] }) else { return ranges }
        return Ranges.union(
            Ranges.cut(ranges, atMultiplesOf: Self.part).filter {
                needed[$0.lowerBound.rawValue / Self.part.rawValue] == nil
            })
    }

    private static func parts(of batch: [Replacement]) -> Set<Part> {
        var parts: Set<Part> = []
        for piece in batch.lazy.flatMap(\.pieces) {
            for range in Ranges.cut([piece.keeperRange], atMultiplesOf: part) {
                parts.insert(
                    Part(
                        inode: piece.keeper.inode,
                        number: range.lowerBound.rawValue / part.rawValue))
            }
        }
        return parts
    }

    private struct Part: Hashable {
        let inode: InodeIdentifier
        let number: UInt64

        var range: Range<ByteCount> {
            let start = ByteCount(number * KeeperUses.part.rawValue)
            return start..<(start + KeeperUses.part)
        }
    }
}
