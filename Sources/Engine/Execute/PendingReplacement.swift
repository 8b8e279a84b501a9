// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// A replacement, and what earlier rounds have found out.
struct PendingReplacement: Sendable {
    let replacement: Replacement
    /// Parts that turned out not to equal their keeper, or whose keeper cannot be read.
    var distrusted: [Range<ByteCount>] = []
    /// Where parts of the content stand since a reference was moved.
    var moved: [Source] = []
    /// What was written anew for it.
    var rewritten = ByteCount.zero
    /// Why a keeper could not be used.
    var keeperObstacle: LeftAloneReason?

    /// No reference was moved yet: it may still go in another batch.
    var isUnmoved: Bool { moved.isEmpty }
}

/// What came of a batch.
struct BatchResult: Sendable {
    var outcome = ExecutionOutcome()
    /// What may go another way once all is known of keepers that cannot be used.
    var postponed: [Replacement] = []
    /// What it has not come to, or not to the end of, as the job was to end.
    var left = Remainder()

    mutating func add(_ other: BatchResult) {
        outcome.add(other.outcome)
        postponed += other.postponed
        left.add(other.left)
    }
}
