// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// A target of a round, with all that its references can be pointed to.
struct RoundWork: Sendable {
    let pending: PendingReplacement
    let target: ReplacementTarget
    let sources: [Source]
    /// What was written anew for it in this round.
    let rewritten: ByteCount
    /// By how much trees grow for it.
    let metadata: ByteCount

    /// The reference that moves last. It stays while another one cannot follow: it holds what that
    /// one, or the job, may have to go back to.
    var lastReference: Int { target.references.count - 1 }

    /// Something was written anew for it, which takes room until the extent is free.
    var isRewritten: Bool { rewritten + pending.rewritten > .zero }
}

/// A target whose references were moved, as far as they could.
struct MovedWork: Sendable {
    let planned: RoundWork
    /// What was moved, in the order in which it was.
    private(set) var moved: [Move] = []
    /// Why nothing more of it is moved.
    var failure: BtrfsError?
    /// Parts whose keeper turned out to differ, or to be unreadable, in this round.
    private(set) var distrusted: [Range<ByteCount>] = []
    /// Why a keeper could not be used, as far as this round has shown it.
    private(set) var keeperObstacle: LeftAloneReason?
    /// Some of it cannot be read: the extent stays for that, while the rest goes where it can.
    var isUnreadable = false
    /// What the devices did not give back, of it or of its keepers.
    var unreadablePlaces: [UnreadablePlace] = []
    /// Calls that ended with an I/O error.
    var errors = 0

    init(_ work: RoundWork) { planned = work }

    /// A keeper turned out to be of no use in this round.
    var hasDoubt: Bool { !distrusted.isEmpty }

    /// Nothing of it was moved, now or before.
    var isUntouched: Bool { moved.isEmpty && planned.pending.isUnmoved && failure == nil }

    /// How many references were moved in this round.
    var referencesMoved: Int { Set(moved.map(\.reference)).count }

    /// Why the extent stays as it was.
    var failureReason: LeftAloneReason {
        if isUnreadable { return .unreadable }
        return failure.map { LeftAloneReason(refusal: $0.reason) } ?? .stillUsed
    }

    /// What is known after the round.
    var afterRound: PendingReplacement {
        var next = planned.pending
        next.distrusted += distrusted
        next.moved += moved.map(\.movedSource)
        next.rewritten += planned.rewritten
        if let keeperObstacle { next.keeperObstacle = keeperObstacle }
        return next
    }

    /// Adds what was moved, as a part of a request that moved more.
    mutating func append(_ move: Move) { moved.append(move) }

    /// Adds what was moved; moves that follow each other are one.
    mutating func join(_ move: Move) {
        if let last = moved.last, last.reference == move.reference, move.follows(last),
            last.source.range == move.source.range
        {
            moved[moved.count - 1] = last.extended(by: move.lengthBytes)
        } else {
            moved.append(move)
        }
    }

    /// The part will be had from elsewhere in the next round.
    mutating func distrust(_ range: Range<ByteCount>, _ reason: LeftAloneReason) {
        distrusted.append(range)
        if reason != .changedMeanwhile { keeperObstacle = reason }
    }
}
