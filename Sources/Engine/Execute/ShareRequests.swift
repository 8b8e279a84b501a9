// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// A range of a source that a range of one reference shall refer to.
struct Move: Sendable {
    /// The target's index in its batch.
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

    /// Its first part.
    func prefix(_ length: ByteCount) -> Move {
        Move(
            target: target, reference: reference,
            range: range.lowerBound..<(range.lowerBound + length), source: source,
            destination: destination)
    }

    /// Both files go on here where they end in the other.
    func follows(_ other: Move) -> Bool {
        destination.inode == other.destination.inode && source.identity == other.source.identity
            && destinationOffset == other.destinationOffset + other.lengthBytes
            && sourceOffset == other.sourceOffset + other.lengthBytes
    }
}

/// One dedupe request: moves that follow each other in both files.
struct ShareRequest: Sendable {
    var moves: [Move]

    var lengthBytes: ByteCount { moves.reduce(ByteCount.zero) { $0 + $1.lengthBytes } }
}

/// Where a part of an extent's content is to be had.
struct Source: Sendable {
    let range: Range<ByteCount>
    let file: any OpenFile
    /// Which file; nil for our scratch file.
    let identity: InodeIdentifier?
    /// Where in the file the part starts.
    let offset: FileOffset
    /// A qube may be writing to the file now: it is locked as well while the kernel compares.
    let isLive: Bool

    /// It is an image, not our scratch file.
    var isKeeper: Bool { identity != nil }

    /// The sources without what is excluded and without what an earlier one has: no two overlap.
    static func disjoint(_ sources: [Source], excluding excluded: [Range<ByteCount>]) -> [Source] {
        var taken = Ranges.union(excluded)
        var result: [Source] = []
        for source in sources {
            for range in Ranges.subtract(taken, from: [source.range]) {
                result.append(
                    Source(
                        range: range, file: source.file, identity: source.identity,
                        offset: source.offset + (range.lowerBound - source.range.lowerBound),
                        isLive: source.isLive))
            }
            taken = Ranges.union(taken + [source.range])
        }
        return result
    }
}

/// Cuts what is to be shared into requests. Pure.
enum ShareRequests {
    /// The moves of every reference of a target to its sources, in the references' order.
    static func moves(
        target index: Int, _ target: ReplacementTarget, sources: [Source]
    ) -> [Move] {
        var moves: [Move] = []
        for (referenceIndex, reference) in target.references.enumerated() {
            for source in sources where source.range.overlaps(reference.range) {
                moves.append(
                    Move(
                        target: index, reference: referenceIndex,
                        range: source.range.clamped(to: reference.range), source: source,
                        destination: reference))
            }
        }
        return moves
    }

    /// As few requests as there can be, in the order of the files moved to, none longer than the
    /// limits allow: the kernel keeps one item for what one request moves, where it can.
    static func make(
        _ moves: [Move], limits: ExecutionLimits
    ) -> [ShareRequest] {
        let sorted = moves.sorted {
            ($0.destination.inode, $0.destinationOffset)
                < ($1.destination.inode, $1.destinationOffset)
        }
        var requests: [ShareRequest] = []
        var room = ByteCount.zero
        for move in sorted {
            let limit = move.isLive ? limits.liveRequest : limits.request
            var rest = move
            while rest.lengthBytes > .zero {
                let last = requests.last?.moves.last
                let isJoined = last.map { rest.follows($0) && $0.isLive == rest.isLive } ?? false
                if !isJoined || room == .zero {
                    requests.append(ShareRequest(moves: []))
                    room = limit
                }
                let length = min(room, rest.lengthBytes)
                requests[requests.count - 1].moves.append(rest.prefix(length))
                room = room - length
                rest = rest.dropping(length)
            }
        }
        return requests
    }
}

extension Move {
    /// What is left behind its first part.
    fileprivate func dropping(_ length: ByteCount) -> Move {
        Move(
            target: target, reference: reference,
            range: (range.lowerBound + length)..<range.upperBound, source: source,
            destination: destination)
    }
}
