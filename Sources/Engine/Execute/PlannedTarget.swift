// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// A target, and where its content stands already: what has to be written anew follows from that,
/// what it costs, and what the references can be pointed to in the end. Pure.
struct PlannedTarget: Sendable {
    let pending: PendingReplacement
    let target: ReplacementTarget
    let keepers: [Keeper]

    /// The parts that will be pointed to another part of what is written. In the first round only:
    /// later ones write what is left as it is. And not where a file ends within a sector, for that
    /// has to be written in its place.
    var repeats: [Replacement.Repeat] {
        let isPlain = pending.isUnmoved && !target.references.contains(where: \.isTail)
        return isPlain ? pending.replacement.repeats : []
    }

    /// What has to be written anew, and what it costs to point the rest elsewhere.
    func part(_ leaves: SharedLeaves) -> WrittenPart {
        let elsewhere = keepers.map(\.source.range) + repeats.map(\.range)
        let census = ReferenceCensus(target.references)
        return WrittenPart(
            target: target, ranges: Ranges.subtract(elsewhere, from: target.usedRanges),
            spent: pending.rewritten, cost: cost(census, leaves), census: census)
    }

    /// What it costs in metadata before anything of it is written anew.
    private func cost(_ census: ReferenceCensus, _ leaves: SharedLeaves) -> ReplacementCost {
        var cost = ReplacementCost(references: target.references.count)
        cost.add(unsharing: leaves.bytes(of: target))
        for keeper in keepers {
            let range = keeper.source.range
            switch keeper.source.origin {
            case .hole: cost.add(holes: census.showing(range))
            case .image, .scratch:
                cost.add(references: census.items(over: range, joints: keeper.joints))
            }
        }
        for item in repeats { cost.add(references: census.showing(item.range)) }
        return cost
    }

    /// What is known of the extent when its content was packed and did not shrink; nil where more
    /// was asked of it than that.
    var verdict: Verdict? {
        let replacement = pending.replacement
        guard case .packed(let level) = replacement.rewriting, replacement.aim == .space,
            replacement.isWrittenWhole, keepers.isEmpty, pending.isUnmoved,
            pending.rewritten == .zero
        else { return nil }
        let used = Ranges.totalBytes(target.usedRanges)
        return Verdict(
            address: replacement.address, generation: replacement.generation, level: level,
            usedParts: Verdict.usedParts(used, of: replacement.contentBytes))
    }

    /// The work that is left when its parts were written.
    /// - Parameter file: what they were written to; nil when nothing was.
    func work(_ rewritten: Rewritten, in file: (any OpenFile)?) -> RoundWork {
        let places = rewritten.places + rewritten.places(of: repeats)
        let written = file.map { file in
            places.map {
                Source(
                    range: $0.range, file: file, origin: .scratch, offset: $0.offset,
                    isLive: false)
            }
        }
        return RoundWork(
            pending: pending, target: target, sources: keepers.map(\.source) + (written ?? []),
            rewritten: rewritten.diskBytes, metadata: rewritten.metadataBytes)
    }
}
