// SPDX-License-Identifier: GPL-2.0-or-later

/// A device as the allocator of chunks sees it.
public struct DeviceSpace: Equatable, Sendable {
    /// Which device of the file system.
    public let identifier: UInt64
    /// Its size.
    public let totalBytes: ByteCount
    /// What chunks take of it.
    public let usedBytes: ByteCount
    /// It is not there: nothing can be put on it.
    public let isMissing: Bool
    /// The pieces that no chunk takes, in any order.
    public let freePieces: [ByteCount]

    /// Makes one.
    public init(
        identifier: UInt64, totalBytes: ByteCount, usedBytes: ByteCount, isMissing: Bool,
        freePieces: [ByteCount]
    ) {
        self.identifier = identifier
        self.totalBytes = totalBytes
        self.usedBytes = usedBytes
        self.isMissing = isMissing
        self.freePieces = freePieces
    }

    /// The pieces between chunks: what starts behind the first mebibyte, which the kernel leaves to
    /// boot loaders, and is on the device.
    /// - Parameter extents: where chunks lie, in order.
    public static func freePieces(
        between extents: [Range<ByteCount>], totalBytes: ByteCount
    ) -> [ByteCount] {
        var pieces: [ByteCount] = []
        var end = ByteCount.mebibytes(1)
        for extent in extents {
            if extent.lowerBound > end { pieces.append(extent.lowerBound - end) }
            end = max(end, extent.upperBound)
        }
        if totalBytes > end { pieces.append(totalBytes - end) }
        return pieces
    }
}

/// What new chunks of one profile can still hold, worked out as the kernel makes them: each takes
/// the devices with the most room, as much of each as the fullest of them has in one piece. So two
/// devices of unequal size have room for a mirror as the smaller has, and what is too small for a
/// stripe is none. Pure.
public enum AllocatableRoom {
    /// What is kept in the chunks.
    public enum Content: Sendable {
        case data, metadata
    }

    /// The smallest stripe (BTRFS_STRIPE_LEN).
    static let stripe = ByteCount.kibibytes(64)
    /// Above this a file system gets larger chunks.
    private static let largeFileSystem = ByteCount.mebibytes(50 << 10)
    /// The most chunks that are tried: a bound, at 1 GiB each far above what is worth knowing.
    private static let chunkLimit = 1 << 16

    /// What all chunks hold that there is room for, each byte once.
    public static func bytes(
        _ devices: [DeviceSpace], _ profile: BlockGroupProfile, _ content: Content
    ) -> ByteCount {
        let layout = profile.layout
        let present = devices.filter { !$0.isMissing }
        let total = present.reduce(ByteCount.zero) { $0 + $1.totalBytes }
        let limit = chunkLimit(content, total)
        var free = present.map { FreeSpace(pieces: $0.freePieces.sorted(by: <)) }
        var room = ByteCount.zero
        for _ in 0..<Self.chunkLimit {
            guard let chunk = take(&free, layout, limit) else { break }
            room += chunk
        }
        return room
    }

    /// How large the kernel makes chunks.
    private static func chunkLimit(_ content: Content, _ total: ByteCount) -> (
        stripe: ByteCount, chunk: ByteCount
    ) {
        let gibibyte = ByteCount.mebibytes(1024)
        let tenth = ByteCount(total.rawValue / 10)
        switch content {
        case .data: return (gibibyte, min(.mebibytes(10 << 10), tenth))
        case .metadata:
            let size = total > largeFileSystem ? gibibyte : ByteCount.mebibytes(256)
            return (size, min(size, tenth))
        }
    }

    /// Makes one chunk; nil when there is no room for any.
    private static func take(
        _ free: inout [FreeSpace], _ layout: BlockGroupProfile.Layout,
        _ limit: (stripe: ByteCount, chunk: ByteCount)
    ) -> ByteCount? {
        let onDevice = UInt64(layout.stripesOfDevice)
        let wanted = ByteCount(limit.stripe.rawValue * onDevice)
        let least = ByteCount(stripe.rawValue * onDevice)
        let candidates = free.indices.compactMap { index -> Candidate? in
            guard let largest = free[index].pieces.last, largest >= least else { return nil }
            return Candidate(
                index: index, piece: min(largest, wanted), total: free[index].total)
        }.sorted { ($1.piece, $1.total) < ($0.piece, $0.total) }
        let usable = min(candidates.count, layout.most ?? candidates.count)
        let count = usable / layout.step * layout.step
        guard count >= max(layout.fewest, 1) else { return nil }
        let chosen = candidates[..<count]
        let dataStripes = UInt64((count * layout.stripesOfDevice - layout.parity) / layout.copies)
        guard dataStripes > 0, let smallest = chosen.last?.piece else { return nil }
        var size = ByteCount(smallest.rawValue / onDevice)
        if size.rawValue * dataStripes > limit.chunk.rawValue {
            let share = ByteCount(limit.chunk.rawValue / dataStripes)
            size = min(size, share.roundedUp(to: .mebibytes(16)))
        }
        size = size.roundedDown(to: stripe)
        guard size > .zero else { return nil }
        let taken = ByteCount(size.rawValue * onDevice)
        for candidate in chosen { free[candidate.index].take(taken) }
        return ByteCount(size.rawValue * dataStripes)
    }

    private struct Candidate {
        let index: Int
        let piece: ByteCount
        let total: ByteCount
    }

    /// The free pieces of a device, the smallest first.
    private struct FreeSpace {
        var pieces: [ByteCount]
        var total: ByteCount

        init(pieces: [ByteCount]) {
            self.pieces = pieces
            total = pieces.reduce(ByteCount.zero, +)
        }

        /// The kernel takes the first piece that is large enough; here the smallest of those.
        mutating func take(_ bytes: ByteCount) {
            guard let place = pieces.firstIndex(where: { $0 >= bytes }) else { return }
            let left = pieces.remove(at: place) - bytes
            total = total - bytes
            guard left > .zero else { return }
            pieces.insert(left, at: pieces.firstIndex { $0 >= left } ?? pieces.endIndex)
        }
    }
}
