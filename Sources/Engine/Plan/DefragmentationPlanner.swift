// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// Plans which extents to write together, so that files read in fewer and larger pieces. Pure.
///
/// Only neighbours with the same references are joined: in every file that shows the end of one the
/// next one follows. So what was shared is shared afterwards.
public enum DefragmentationPlanner {
    /// A plain extent of this content is large enough: a disk reads it at full speed.
    public static let enoughContent = ByteCount.mebibytes(1)
    /// What a frame can hold at most; a compressed extent of this content is large enough.
    public static let enoughPackedContent = EncodedIO.frameContentBytes
    /// Neighbours are joined when at most this share of the pieces is left: one of two.
    public static let piecesForOne = 2

    /// Plans the small extents in scope. What lies on the device in the order of the file is read
    /// at one go already, and stays.
    /// - Parameter chainContent: the most content that is written together.
    public static func plan(
        _ survey: Survey, scope: Scope, chainContent: ByteCount = ExecutionLimits().batchContent
    ) -> Plan {
        var plan = Plan()
        var candidates: [Survey.Extent] = []
        for extent in survey.extents {
            switch scope.judge(extent, in: survey) {
            case .outside: continue
            case .leave(let reason): plan.leftAlone.add(reason, diskBytes: extent.diskBytes)
            case .candidate where !survey.preallocatedRanges(of: extent).isEmpty:
                plan.leftAlone.add(.preallocated, diskBytes: extent.diskBytes)
            case .candidate: candidates.append(extent)
            }
        }
        candidates.sort { survey.place(of: $0) < survey.place(of: $1) }
        for chain in chains(candidates, survey, chainContent) {
            if isWorth(chain, survey) {
                plan.replacements += chain.map { replacement(of: $0) }
            } else {
                for extent in chain {
                    plan.leftAlone.add(.inOrder, diskBytes: extent.diskBytes)
                }
            }
        }
        return plan
    }

    /// Neighbours that may be written together; what may not is a chain of its own.
    private static func chains(
        _ extents: [Survey.Extent], _ survey: Survey, _ limit: ByteCount
    ) -> [[Survey.Extent]] {
        var chains: [[Survey.Extent]] = []
        var content = ByteCount.zero
        for extent in extents {
            if let last = chains.last?.last, isSmall(last), isSmall(extent),
                (last.compression == .none) == (extent.compression == .none),
                content + extent.contentBytes <= limit, survey.areNeighbours(last, extent)
            {
                chains[chains.count - 1].append(extent)
                content += extent.contentBytes
            } else {
                chains.append([extent])
                content = extent.contentBytes
            }
        }
        return chains
    }

    private static func isSmall(_ extent: Survey.Extent) -> Bool {
        extent.contentBytes
            < (extent.compression == .none ? enoughContent : enoughPackedContent)
    }

    /// Whether the pieces in which a chain lies on the device become few enough.
    private static func isWorth(_ chain: [Survey.Extent], _ survey: Survey) -> Bool {
        guard let first = chain.first, chain.count > 1 else { return false }
        let jumps = zip(chain, chain.dropFirst()).count { one, next in
            one.address + one.diskBytes != next.address
        }
        let content = chain.reduce(ByteCount.zero) { $0 + $1.contentBytes }
        let frame = enoughPackedContent.rawValue
        let after = first.compression == .none ? 1 : Int((content.rawValue + frame - 1) / frame)
        return jumps + 1 >= after * piecesForOne
    }

    private static func replacement(of extent: Survey.Extent) -> Replacement {
        Replacement(
            address: extent.address, generation: extent.generation, diskBytes: extent.diskBytes,
            contentBytes: extent.contentBytes, pieces: [],
            rewriting: extent.compression == .none
                ? .plain : .packed(level: CompressionPlanner.defaultLevel),
            predictedSaving: .zero, aim: .order)
    }
}

extension Survey {
    /// Every file that shows the end of one extent goes on with the start of the other, and shows
    /// both whole.
    fileprivate func areNeighbours(_ one: Extent, _ other: Extent) -> Bool {
        let first = references(to: one)
        let second = references(to: other)
        guard first.count == second.count, showSameRange(first), showSameRange(second) else {
            return false
        }
        return zip(first, second).allSatisfy {
            $0.file == $1.file && $0.fileOffset + $0.lengthBytes == $1.fileOffset
        }
    }

    private func showSameRange(_ references: Column<Reference>.SubSequence) -> Bool {
        references.allSatisfy { $0.rangeInExtent == references.first?.rangeInExtent }
    }
}
