// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// Which extents of a survey are to be fingerprinted. Pure, but for what is spilled.
extension DedupePlanner {
    /// The extents that may be matched. Others can keep what one in scope gives up, though they are
    /// not in scope themselves; but not those that are to be left out altogether, and not what a
    /// running qube alone uses and will soon have overwritten. Nor those of groups that nothing in
    /// scope is of: a request on one qube costs no more than what that qube can be compared with.
    /// - Returns: their indices in the survey.
    public static func eligible(
        _ survey: Survey, scope: Scope, spills: (any SpillSource)? = nil
    ) throws(BtrfsError) -> Column<UInt32> {
        var groups: Set<Int> = []
        var memo = FilesMemo<Set<Int>>()
        for extent in survey.extents where scope.judge(extent, in: survey) == .candidate {
            let own = memo.value(of: extent, in: survey) { scope.groups(of: extent, in: survey) }
            if !own.isSubset(of: groups) { groups.formUnion(own) }
        }
        var files = FilesMemo<Bool>()
        return try indices(of: survey, spills) { extent in
            let mayBe = files.value(of: extent, in: survey) {
                mayBeCompared(extent, in: survey, scope: scope, groups: groups)
            }
            return mayBe && isWritten(extent, survey, scope)
        }
    }

    /// Whether the files that show an extent let it be matched with what is of some groups.
    private static func mayBeCompared(
        _ extent: Survey.Extent, in survey: Survey, scope: Scope, groups: Set<Int>
    ) -> Bool {
        guard !groups.isDisjoint(with: scope.groups(of: extent, in: survey)) else { return false }
        let references = survey.references(to: extent)
        let isLiveOnly = references.allSatisfy { survey.files[$0.file].image.isLive }
        return (scope.includesLiveOnly || !isLiveOnly)
            && references.allSatisfy { reference in
                let file = survey.files[reference.file]
                return !file.inode.hasNoChecksums
                    && !file.image.owners.contains { scope.volumes[$0].isSkipped }
            }
    }

    /// The extents that may become holes, wholly or in parts, and were written to.
    /// - Returns: their indices in the survey.
    public static func mayHoldZeroes(
        _ survey: Survey, scope: Scope, spills: (any SpillSource)? = nil
    ) throws(BtrfsError) -> Column<UInt32> {
        try indices(of: survey, spills) { extent in
            scope.judge(extent, in: survey) == .candidate
                && scope.makesHoles(in: extent, of: survey) && !survey.isPreallocated(extent)
        }
    }

    private static func indices(
        of survey: Survey, _ spills: (any SpillSource)?, _ isWanted: (Survey.Extent) -> Bool
    ) throws(BtrfsError) -> Column<UInt32> {
        var indices = ColumnWriter<UInt32>(spills: spills)
        for (index, extent) in survey.extents.enumerated() where isWanted(extent) {
            try indices.append(UInt32(index))
        }
        return try indices.finish()
    }

    /// Something of it was written; and where something was not, that may become a hole.
    private static func isWritten(
        _ extent: Survey.Extent, _ survey: Survey, _ scope: Scope
    ) -> Bool {
        let isPartly = survey.references(to: extent).contains(where: \.isPreallocated)
        return !isPartly
            || scope.makesHoles(in: extent, of: survey) && !survey.isPreallocated(extent)
    }
}
