// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

extension Lane {
    /// Points references that were moved back to the extent, where one that still refers to it
    /// holds the same bytes: the extent lives on, and a second copy of it would only cost.
    func retreat(_ pending: Pending) -> Int {
        guard !pending.moved.isEmpty else { return 0 }
        // The widest first: mostly it is all that is needed.
        let holders = resolver.holders(of: pending.replacement)
            .sorted { $0.lengthBytes > $1.lengthBytes }
        return pending.moved.count { giveBack($0, to: holders) }
    }

    /// What a few holders do not take back, a thousand others hardly would.
    private static var attemptsToGiveBack: Int { 8 }

    /// - Returns: whether any part went back.
    private func giveBack(
        _ moved: Source, to holders: [OpenReference]
    ) -> Bool {
        var left = [moved.range]
        var attempts = 0
        for holder in holders {
            if left.isEmpty || attempts >= Self.attemptsToGiveBack { break }
            let parts = left.map { $0.clamped(to: holder.range) }.filter { !$0.isEmpty }
            let returned = parts.filter { giveBack(moved, $0, to: holder) }
            left = Ranges.subtract(returned, from: left)
            if !parts.isEmpty && returned.isEmpty { attempts += 1 }
        }
        return left != [moved.range]
    }

    private func giveBack(
        _ moved: Source, _ part: Range<ByteCount>,
        to holder: OpenReference
    ) -> Bool {
        let limit = moved.isLive || holder.isLive ? limits.liveRequest : limits.request
        var start = part.lowerBound
        while start < part.upperBound {
            let length = min(limit, part.upperBound - start)
            let result = try? store.share(
                holder.file, at: holder.fileOffset(of: start), lengthBytes: length,
                with: moved.file, at: moved.offset + (start - moved.range.lowerBound))
            guard result == .shared(length) else { return false }
            start = start + length
        }
        return true
    }
}
