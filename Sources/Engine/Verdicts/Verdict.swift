// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// What a job has found out about an extent: packed at this level it does not shrink. An extent is
/// written once and never changes, so that this stays true of what has its address and its
/// generation, as long as files use as much of it: what nobody uses any more would come back.
///
/// 16 bytes, as millions of them are kept.
public struct Verdict: Hashable, Sendable {
    /// The use of an extent is told in so many parts of its content: a verdict stands until one of
    /// them more has gone out of use.
    public static let partsOfContent = 64
    /// The highest level that can be told.
    public static let highestLevel = 31

    /// Addresses are whole multiples of this on every Btrfs.
    private static let addressUnit: UInt64 = 4096

    /// The address, which leaves 12 bits for the level and the use:
    ///
    ///     63           12  11   10     6  5          0
    ///     address / 4096   0    level     used parts - 1
    let word: UInt64
    /// When the extent was written.
    public let generation: Generation

    /// nil where it cannot be told.
    public init?(
        address: LogicalAddress, generation: Generation, level: Int,
        usedParts: Int = Verdict.partsOfContent
    ) {
        guard address.rawValue.isMultiple(of: Self.addressUnit),
            (1...Self.highestLevel).contains(level), (1...Self.partsOfContent).contains(usedParts)
        else { return nil }
        word = address.rawValue | UInt64(level) << 6 | UInt64(usedParts - 1)
        self.generation = generation
    }

    /// Reads what was kept; nil when it is none.
    init?(word: UInt64, generation: UInt64) {
        self.word = word
        self.generation = Generation(generation)
        guard word & 1 << 11 == 0, level > 0 else { return nil }
    }

    /// Where the extent starts.
    public var address: LogicalAddress { LogicalAddress(word & ~(Self.addressUnit - 1)) }
    /// The highest zstd level that was tried.
    public var level: Int { Int(word >> 6 & 31) }
    /// How much of the content files used, in parts.
    public var usedParts: Int { Int(word & 63) + 1 }

    /// How much of an extent is used, in parts of its content, rounded up.
    static func usedParts(_ used: ByteCount, of content: ByteCount) -> Int {
        guard content > .zero else { return partsOfContent }
        let parts =
            (used.rawValue * UInt64(partsOfContent) + content.rawValue - 1) / content.rawValue
        return Int(min(max(parts, 1), UInt64(partsOfContent)))
    }

    /// This one, now that it is known besides what was known before.
    func joined(with older: Verdict) -> Verdict {
        let isSame = older.generation == generation && older.usedParts == usedParts
        return isSame && older.level > level ? older : self
    }
}
