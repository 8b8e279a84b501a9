// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// What was done, counted as it was done.
public struct ExecutionOutcome: Equatable, Sendable {
    /// Extents that nobody refers to any more.
    public var extentsReplaced = 0
    /// What they took on the device.
    public var freed = ByteCount.zero
    /// What was written anew for them.
    public var rewritten = ByteCount.zero
    /// What trees may have grown by for it, at most, each byte once: reckoned, not measured.
    public var metadata = ByteCount.zero
    /// References that were moved.
    public var referencesMoved = 0
    /// References that were moved back, because another one could not follow.
    public var referencesMovedBack = 0
    /// What stayed as it was.
    public var leftAlone = LeftAlone()
    /// The first failures, for dom0's log.
    public var failures: [BtrfsError] = []

    /// What the device does not give back, neighbours joined; the first of them.
    public var unreadablePlaces: [UnreadablePlace] = []
    /// How much that is in all.
    public var unreadableBytes = ByteCount.zero

    /// The most unreadable places that are kept.
    public static let placeLimit = 1000
    /// The most failures that are kept.
    public static let failureLimit = 20

    /// Nothing done, and this left alone.
    public init(leftAlone: LeftAlone = LeftAlone()) { self.leftAlone = leftAlone }

    /// What has come back on balance so far.
    public var saved: ByteCount { freed - min(rewritten, freed) }

    mutating func add(_ failure: BtrfsError) {
        if failures.count < Self.failureLimit { failures.append(failure) }
    }

    mutating func add(_ place: UnreadablePlace) {
        if unreadablePlaces.contains(where: { $0.contains(place) }) { return }
        unreadableBytes += place.range.upperBound - place.range.lowerBound
        if let last = unreadablePlaces.last, let joined = last.joined(with: place) {
            unreadablePlaces[unreadablePlaces.count - 1] = joined
        } else if unreadablePlaces.count < Self.placeLimit {
            unreadablePlaces.append(place)
        }
    }

    mutating func add(_ other: ExecutionOutcome) {
        extentsReplaced += other.extentsReplaced
        freed += other.freed
        rewritten += other.rewritten
        metadata += other.metadata
        referencesMoved += other.referencesMoved
        referencesMovedBack += other.referencesMovedBack
        leftAlone.add(other.leftAlone)
        other.failures.forEach { add($0) }
        other.unreadablePlaces.forEach { add($0) }
    }
}
