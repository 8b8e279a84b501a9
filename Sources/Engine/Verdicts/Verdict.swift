// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// What a job has found out about an extent: up to this level nothing is to be had by packing it.
/// An extent is written once and never changes, so that this stays true of what has its address and
/// its generation.
///
/// 16 bytes, as millions of them are kept.
public struct Verdict: Hashable, Sendable {
    /// Why nothing is to be had.
    public enum Finding: UInt64, Sendable {
        /// It was tried. That stands as long as files use as much of the extent: what nobody uses
        /// any more would come back.
        case doesNotShrink = 0
        /// A job has written it so.
        case packed = 1
    }

    /// The use of an extent is told in so many parts of its content: a verdict stands until one of
    /// them more has gone out of use.
    public static let partsOfContent = 64
    /// The highest level that can be told.
    public static let highestLevel = 19
    /// The lowest level that can be told; those below it are told as this one.
    public static let lowestLevel = highestLevel - highestCode
    private static let highestCode = 31

    /// Addresses are whole multiples of this on every Btrfs.
    private static let addressUnit: UInt64 = 4096

    /// The address, which leaves 12 bits for the rest:
    ///
    ///     63           12  11       10     6  5          0
    ///     address / 4096   finding  level     used parts - 1
    ///
    /// A level above 0 is told as it is, and -1 and those below as what comes behind the highest.
    let word: UInt64
    /// When the extent was written.
    public let generation: Generation

    /// nil where it cannot be told.
    public init?(
        address: LogicalAddress, generation: Generation, finding: Finding = .doesNotShrink,
        level: Int, usedParts: Int = Verdict.partsOfContent
    ) {
        guard address.rawValue.isMultiple(of: Self.addressUnit),
            level != 0, level <= Self.highestLevel,
            (1...Self.partsOfContent).contains(usedParts)
        else { return nil }
        let code = level > 0 ? level : Self.highestLevel - max(level, Self.lowestLevel)
        word =
            address.rawValue | finding.rawValue << 11 | UInt64(code) << 6 | UInt64(usedParts - 1)
        self.generation = generation
    }

    /// Reads what was kept; nil when it is none.
    init?(word: UInt64, generation: UInt64) {
        self.word = word
        self.generation = Generation(generation)
        guard level != 0 else { return nil }
    }

    /// Where the extent starts.
    public var address: LogicalAddress { LogicalAddress(word & ~(Self.addressUnit - 1)) }
    /// Why nothing is to be had.
    public var finding: Finding { word & 1 << 11 == 0 ? .doesNotShrink : .packed }
    /// The highest zstd level that was tried, or the one that it was written at.
    public var level: Int {
        let code = Int(word >> 6 & UInt64(Self.highestCode))
        return code > Self.highestLevel ? Self.highestLevel - code : code
    }
    /// How much of the content files used when it was tried, in parts.
    public var usedParts: Int { Int(word & 63) + 1 }

    /// How much of an extent is used, in parts of its content, rounded up.
    static func usedParts(_ used: ByteCount, of content: ByteCount) -> Int {
        guard content > .zero else { return partsOfContent }
        let parts =
            (used.rawValue * UInt64(partsOfContent) + content.rawValue - 1) / content.rawValue
        return Int(min(max(parts, 1), UInt64(partsOfContent)))
    }

    /// Whether it says more than what is taken of every packed extent that nothing is known of: at
    /// the level that jobs pack at when they are not told otherwise there would be millions.
    /// - Parameter levelOfOthers: what is taken.
    public func isWorthKeeping(_ levelOfOthers: Int) -> Bool {
        finding == .doesNotShrink || level != levelOfOthers
            || level != CompressionPlanner.defaultLevel
    }

    /// This one, now that it is known besides what was known before.
    func joined(with older: Verdict) -> Verdict {
        let isSame = older.generation == generation && older.usedParts == usedParts
        return isSame && older.level > level ? older : self
    }
}
