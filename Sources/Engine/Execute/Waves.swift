// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemCalls

/// Cuts a batch into parts of which one after the other is moved. Pure.
enum Waves {
    /// In order; each compares at most `limit`, or is one target, or a chain of targets that stand
    /// in the scratch file without a gap: what is packed together goes together.
    static func make(_ works: [RoundWork], limit: ByteCount) -> [Range<Int>] {
        var waves: [Range<Int>] = []
        var start = 0
        var compared = ByteCount.zero
        for index in works.indices {
            let own = works[index].target.comparedBytes
            if index > start, compared + own > limit,
                !areJoined(works[index - 1].sources, works[index].sources)
            {
                waves.append(start..<index)
                start = index
                compared = .zero
            }
            compared += own
        }
        if start < works.count { waves.append(start..<works.count) }
        return waves
    }

    private static func areJoined(_ sources: [Source], _ next: [Source]) -> Bool {
        let ends = sources.filter(\.isWritten).map {
            $0.offset + ($0.range.upperBound - $0.range.lowerBound)
        }.max()
        let start = next.filter(\.isWritten).map(\.offset).min()
        return ends != nil && ends == start
    }
}

/// Lets one lane at a time move what takes long to finish or to take back: what all lanes have
/// begun must be over soon when the job is cancelled.
final class HeavyWaves: Sendable {
    private let isTaken = Monitor(false)

    /// Waits for its turn.
    func enter() {
        _ = isTaken.wait { isTaken -> Bool? in
            if isTaken { return nil }
            isTaken = true
            return true
        }
    }

    /// The next may go.
    func leave() { isTaken.withLock { $0 = false } }
}
