// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// How the content of one extent is to be found elsewhere, so that the extent is freed whole.
public struct Replacement: Equatable, Sendable {
    /// A part of the extent's content, and where it comes from.
    public struct Piece: Equatable, Sendable {
        /// The part, in the extent's unpacked content; whole sectors.
        public let range: Range<ByteCount>
        /// A place that holds the same bytes. The kernel compares them before it believes it.
        public let keeper: Place

        /// Makes a piece.
        public init(range: Range<ByteCount>, keeper: Place) {
            self.range = range
            self.keeper = keeper
        }
    }

    /// A part of the extent's content that equals an earlier part of it, which is written anew: one
    /// copy of what stands there again and again.
    public struct Repeat: Equatable, Sendable {
        /// The part; whole sectors.
        public let range: Range<ByteCount>
        /// Where in the content the equal part starts.
        public let original: ByteCount

        /// Makes a repeat.
        public init(range: Range<ByteCount>, original: ByteCount) {
            self.range = range
            self.original = original
        }

        /// The equal part.
        var originalRange: Range<ByteCount> {
            original..<(original + (range.upperBound - range.lowerBound))
        }
    }

    /// A position in a file.
    public struct Place: Hashable, Comparable, Sendable {
        /// The file.
        public let inode: InodeIdentifier
        /// Where in it.
        public let offset: FileOffset

        /// Makes a place.
        public init(inode: InodeIdentifier, offset: FileOffset) {
            self.inode = inode
            self.offset = offset
        }

        /// Which comes first: by file, then by position.
        public static func < (left: Place, right: Place) -> Bool {
            (left.inode, left.offset) < (right.inode, right.offset)
        }
    }

    /// How what no piece covers is written anew. The smaller it gets the greater it is.
    public enum Rewriting: Hashable, Comparable, Sendable {
        /// As it is.
        case plain
        /// In zstd frames of this level, where they shrink.
        case packed(level: Int)

        /// As requests and features say it: a level of zstd, or 0 for none; nil where they say
        /// nothing.
        public init?(number: Int?) {
            guard let number else { return nil }
            self = number == 0 ? .plain : .packed(level: number)
        }

        /// nil for plain.
        var level: Int? { if case .packed(let level) = self { level } else { nil } }
    }

    /// What a replacement is for.
    public enum Aim: Hashable, Sendable {
        /// It brings space.
        case space
        /// It brings fewer and larger extents, and takes no more space than before.
        case order
        /// It is no longer packed, whatever that takes.
        case plain
    }

    /// Where the extent starts.
    public let address: LogicalAddress
    /// When it was written: another extent may have taken its place.
    public let generation: Generation
    /// What comes back when it is freed.
    public let diskBytes: ByteCount
    /// The length of its content, unpacked.
    public let contentBytes: ByteCount
    /// The parts that stand elsewhere already, in order; no two overlap.
    public let pieces: [Piece]
    /// The parts that stand elsewhere in the extent itself; none overlaps another, or a piece.
    public let repeats: [Repeat]
    /// The parts that read as zeroes and become holes; in order, none overlaps another or a piece.
    public let holes: [Range<ByteCount>]
    /// How the rest is written.
    public let rewriting: Rewriting
    /// What the plan expects to come back on balance: data less metadata.
    public let predictedSaving: ByteCount
    /// What it expects to cost in metadata, in bytes of data.
    public let predictedMetadata: ByteCount
    /// What it is for.
    public let aim: Aim

    /// Nothing of it stands elsewhere: it gains by how it is written, or not at all.
    var isWrittenWhole: Bool { pieces.isEmpty && repeats.isEmpty && holes.isEmpty }

    /// It is packed already, and shall be packed better.
    var isPackedAgain: Bool { isPacked && isWrittenWhole && aim == .space }

    /// A packed extent takes less than its content; the kernel keeps none that does not.
    var isPacked: Bool { diskBytes < contentBytes }

    /// What a part of the content takes: of a packed extent its share.
    func diskBytes(of range: Range<ByteCount>) -> ByteCount {
        let length = range.upperBound - range.lowerBound
        guard isPacked else { return length }
        let share = length.rawValue.multipliedFullWidth(by: diskBytes.rawValue)
        return ByteCount(contentBytes.rawValue.dividingFullWidth(share).quotient)
    }

    /// The parts that are not written anew.
    var partsElsewhere: [Range<ByteCount>] {
        pieces.map(\.range) + repeats.map(\.range) + holes
    }

    /// Makes a replacement.
    public init(
        address: LogicalAddress, generation: Generation, diskBytes: ByteCount,
        contentBytes: ByteCount, pieces: [Piece], repeats: [Repeat] = [],
        holes: [Range<ByteCount>] = [], rewriting: Rewriting,
        predictedSaving: ByteCount, predictedMetadata: ByteCount = .zero, aim: Aim = .space
    ) {
        self.predictedMetadata = predictedMetadata
        self.aim = aim
        self.address = address
        self.generation = generation
        self.diskBytes = diskBytes
        self.contentBytes = contentBytes
        self.pieces = pieces
        self.repeats = repeats
        self.holes = holes
        self.rewriting = rewriting
        self.predictedSaving = predictedSaving
    }
}

/// Why an extent was left as it is.
public enum LeftAloneReason: String, CaseIterable, Sendable {
    case alreadyCompressed = "already compressed"
    case doesNotShrink = "does not shrink"
    case onlyLive = "only running qubes use it"
    case skipped = "a qube that uses it is to be left alone (btrfs.skip)"
    case switchedOff = "compression is off for its qubes (btrfs.compress)"
    case alreadyPlain = "not compressed"
    case packedForOthers = "shared with qubes that want it compressed"
    case beingMade = "its file is still being made"
    case tooSmall = "too small to shrink"
    case preallocated = "allocated but not yet written"
    case noChecksums = "NOCOW: no checksums"
    case immutable = "a file that uses it is immutable"
    case tooManyReferences = "too many references"
    case changedMeanwhile = "changed meanwhile"
    case unalignedEnd = "the end of a file cuts it within a sector"
    case stillUsed = "somebody came to use it meanwhile"
    case unreadable = "cannot be read"
    case copyUnreadable = "its copy cannot be read"
    case copyInUse = "its copy is in use and could not be read from the disk anew"
    case refused = "the kernel refused to share it"
    case beingSent = "its snapshot is being sent (btrfs send)"
    case quotaFull = "a quota is full"
    case swapFile = "a swap file uses it"
    case inOrder = "reads at one go as it is"
    case outOfSpace = "no space for the scratch file"
    case tooManySnapshots = "in too many snapshots or clones"
    case noMetadataRoom = "no room for metadata"

    /// It may be otherwise the next time, though no file of the survey has changed: it passes, or
    /// it depends on a file that the survey does not see.
    public var isPassing: Bool {
        switch self {
        case .changedMeanwhile, .stillUsed, .unreadable, .refused, .outOfSpace, .immutable,
            .copyUnreadable, .copyInUse, .tooManyReferences, .unalignedEnd, .tooManySnapshots,
            .noMetadataRoom, .beingSent, .quotaFull, .swapFile:
            true
        default: false
        }
    }

    /// There was too little room for it.
    public var isForWantOfRoom: Bool {
        switch self {
        case .outOfSpace, .noMetadataRoom, .quotaFull: true
        default: false
        }
    }

    /// Worth telling a person, and not only the normal course of things.
    public var isTrouble: Bool {
        switch self {
        case .unreadable, .copyUnreadable, .refused, .outOfSpace, .noMetadataRoom, .beingSent,
            .quotaFull:
            true
        default: false
        }
    }
}

/// Counts what was left alone, by reason.
public struct LeftAlone: Equatable, Sendable {
    /// How many extents, and what they take on the device.
    public struct Tally: Equatable, Sendable {
        /// Extents.
        public var extents = 0
        /// Their bytes on the device.
        public var disk = ByteCount.zero
        /// The most references that one of them has, where their number is the reason; else 0.
        public var mostReferences = 0
    }

    /// The tallies.
    public private(set) var tallies: [LeftAloneReason: Tally] = [:]

    /// Some of them for want of room.
    public var lacksRoom: Bool { tallies.keys.contains { $0.isForWantOfRoom } }

    /// Nothing yet.
    public init() {}

    /// More of them; `diskBytes` is what all of these take.
    public mutating func add(
        _ reason: LeftAloneReason, extents: Int = 1, diskBytes: ByteCount, references: Int = 0
    ) {
        tallies[reason, default: Tally()].add(
            Tally(extents: extents, disk: diskBytes, mostReferences: references))
    }

    /// All of another count.
    public mutating func add(_ other: LeftAlone) {
        for (reason, tally) in other.tallies {
            tallies[reason, default: Tally()].add(tally)
        }
    }
}

extension LeftAlone.Tally {
    fileprivate mutating func add(_ other: Self) {
        extents += other.extents
        disk += other.disk
        mostReferences = max(mostReferences, other.mostReferences)
    }
}
