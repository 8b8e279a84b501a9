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
    /// What was written in all: also what was given up, as the kernel refused to share it, or
    /// somebody came to use the extent. It takes room until the next commit.
    public var written = ByteCount.zero
    /// What of that stands beside the extent that it was to replace: a reference could not follow,
    /// and those that had could not go back, as what they would go back to cannot be read.
    public var standsTwice = ByteCount.zero
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

    /// What the devices did not give back: each place once, in no order, the first of them.
    public private(set) var unreadablePlaces: [UnreadablePlace] = []

    /// The most failures that are kept.
    public static let failureLimit = 20
    /// The most places that are kept: a disk that has lost more needs no list.
    public static let unreadableLimit = 1000

    /// What was to be replaced and was not come to, as the job was cancelled or its time was over.
    public internal(set) var left = Remainder()

    /// What was found out, to be kept for jobs to come: the first of it.
    public internal(set) var verdicts: [Verdict] = []

    /// Nothing done, and this left alone.
    public init(leftAlone: LeftAlone = LeftAlone()) { self.leftAlone = leftAlone }

    /// What has come back on balance so far.
    public var saved: ByteCount { freed - min(rewritten, freed) }

    mutating func add(_ failure: BtrfsError) {
        if failures.count < Self.failureLimit { failures.append(failure) }
    }

    mutating func add(_ place: UnreadablePlace) {
        guard unreadablePlaces.count < Self.unreadableLimit, !unreadablePlaces.contains(place)
        else { return }
        unreadablePlaces.append(place)
    }

    mutating func add(_ new: [Verdict]) {
        verdicts += new.prefix(max(Verdicts.limit - verdicts.count, 0))
    }

    mutating func add(_ other: ExecutionOutcome) {
        extentsReplaced += other.extentsReplaced
        freed += other.freed
        rewritten += other.rewritten
        written += other.written
        standsTwice += other.standsTwice
        metadata += other.metadata
        referencesMoved += other.referencesMoved
        referencesMovedBack += other.referencesMovedBack
        leftAlone.add(other.leftAlone)
        other.failures.forEach { add($0) }
        other.unreadablePlaces.forEach { add($0) }
        add(other.verdicts)
        left.add(other.left)
    }
}

/// What of a plan is left.
public struct Remainder: Equatable, Sendable {
    /// Extents.
    public private(set) var extents = 0
    /// What they take on the device.
    public private(set) var disk = ByteCount.zero
    /// Their content, unpacked.
    public private(set) var content = ByteCount.zero
    /// What the plan expects to come back on balance, where it knows.
    public private(set) var predictedSaving = ByteCount.zero

    /// Nothing.
    public init() {}

    /// All of these.
    public init(_ replacements: some Sequence<Replacement>) {
        for replacement in replacements {
            extents += 1
            disk += replacement.diskBytes
            content += replacement.contentBytes
            predictedSaving += replacement.predictedSaving
        }
    }

    mutating func add(_ other: Remainder) {
        extents += other.extents
        disk += other.disk
        content += other.content
        predictedSaving += other.predictedSaving
    }
}
