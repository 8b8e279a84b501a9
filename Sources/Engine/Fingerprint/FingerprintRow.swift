// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemCalls

/// Puts the work of several threads into the order it was given out in, and holds little of it: who
/// is too far ahead waits for the one behind.
final class FingerprintRow: Sendable {
    /// One extent's checksums.
    struct Item: Sendable {
        /// By its index in the survey.
        let extent: Int
        /// Of each sector, as `Fingerprints.closed` gives it.
        let closed: [UInt32]
        /// For the cache.
        let kept: FingerprintSegment.Entry?
    }

    private struct State {
        var fingerprints: FingerprintWriter
        var done = ByteCount.zero
        /// The first piece that is not there yet.
        var next = 0
        var waiting: [Int: [Item]] = [:]
        var isAbandoned = false
    }

    private let state: Monitor<State>
    private let waitingLimit: Int

    /// - Parameter waitingLimit: how many pieces may be there before an earlier one is; at least 1.
    init(_ fingerprints: FingerprintWriter, waitingLimit: Int) {
        state = Monitor(State(fingerprints: fingerprints))
        self.waitingLimit = max(waitingLimit, 1)
    }

    /// Takes a piece. Waits while it is too far ahead; that ends, as pieces are begun in order and
    /// the first that is missing never waits.
    func put(
        _ items: [Item], at piece: Int, _ keep: (FingerprintSegment.Entry) -> Void
    ) throws(BtrfsError) {
        _ = state.wait { [waitingLimit] in
            piece < $0.next + waitingLimit || $0.isAbandoned ? true : nil
        }
        try state.withLock { (state) throws(BtrfsError) in
            state.waiting[piece] = items
            while let items = state.waiting.removeValue(forKey: state.next) {
                state.next += 1
                for item in items {
                    if let kept = item.kept { keep(kept) }
                    try state.fingerprints.append(extent: item.extent, closed: item.closed)
                }
            }
        }
    }

    /// A piece will never come: nobody waits for it any longer.
    func abandon() { state.withLock { $0.isAbandoned = true } }

    /// Counts content, and gives the sum.
    func done(_ content: ByteCount) -> ByteCount {
        state.withLock { state in
            state.done += content
            return state.done
        }
    }

    /// All that was put in order.
    func finish() throws(BtrfsError) -> Fingerprints {
        try state.withLock { (state) throws(BtrfsError) in try state.fingerprints.finish() }
    }
}
