// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// One dedupe request: moves that follow each other in both files.
struct ShareRequest: Sendable {
    var moves: [Move]

    var lengthBytes: ByteCount { moves.reduce(ByteCount.zero) { $0 + $1.lengthBytes } }
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
