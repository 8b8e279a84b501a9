// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// What the matching asks of an extent, found out once, as a judgement looks at all references.
/// Pure, but for what is spilled.
struct Standing: BitwiseCopyable, Sendable {
    /// Extents of a lower rank keep what those of a higher one give up.
    let rank: UInt8
    /// Something of it was allocated and not written yet.
    let isPartlyUnwritten: Bool

    /// Those of all extents, by position in the fingerprints.
    static func column(
        of survey: Survey, _ fingerprints: Fingerprints, _ scope: Scope,
        spills: (any SpillSource)?
    ) throws(BtrfsError) -> Column<Standing> {
        var standings = ColumnWriter<Standing>(spills: spills)
        for position in 0..<fingerprints.count {
            let extent = survey.extents[fingerprints.extent(position)]
            let isPartlyUnwritten = survey.references(to: extent).contains(where: \.isPreallocated)
            try standings.append(
                Standing(
                    rank: rank(of: extent, scope.judge(extent, in: survey)),
                    isPartlyUnwritten: isPartlyUnwritten))
        }
        return try standings.finish()
    }

    /// What must stay keeps for all others. Then what many refer to, for each reference that moves
    /// is compared byte by byte; and what is large, for it holds others in one piece. Twice the
    /// references are worth four times the length, and beyond 8 MiB length is worth no more.
    private static func rank(of extent: Survey.Extent, _ judgement: Scope.Judgement) -> UInt8 {
        guard judgement == .candidate else { return 0 }
        let references = min(extent.references.count, 8)
        let content = min(extent.contentBytes, .mebibytes(8))
        let merit =
            (Int.bitWidth - references.leadingZeroBitCount) * 2
            + (UInt64.bitWidth - content.rawValue.leadingZeroBitCount)
        return UInt8(clamping: max(100 - merit, 1))
    }
}
