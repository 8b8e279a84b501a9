// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// What it costs in metadata to write parts anew and point their references there. Pure: it takes
/// only the lengths, so that what cannot gain is neither read nor packed.
struct RewritePrices {
    private let parts: [WrittenPart]
    private let limits: ExecutionLimits
    private let sectorBytes: ByteCount

    init(_ parts: [WrittenPart], limits: ExecutionLimits, sectorBytes: ByteCount) {
        self.parts = parts
        self.limits = limits
        self.sectorBytes = sectorBytes
    }

    /// Whether a part gains at a cost if its content shrinks to a sector a frame.
    private func mayGain(_ part: WrittenPart, _ cost: ReplacementCost) -> Bool {
        // What is joined with others costs less than alone.
        guard part.target.replacement.aim == .space else { return true }
        let written = Ranges.totalBytes(part.ranges)
        if written > .zero, written < limits.chain { return true }
        var least = part.spent + cost.dataBytes(at: limits.price)
        for range in part.ranges {
            let frames = frames(of: range.upperBound - range.lowerBound, part)
            least += ByteCount(UInt64(frames) * sectorBytes.rawValue)
        }
        return least < part.target.replacement.diskBytes
    }

    /// Why a part is not worth looking at; nil when it may be.
    func failure(_ index: Int) -> RewriteFailure? {
        let part = parts[index]
        return RewriteFailure.loss(
            at: costOfLarge(part), otherwise: .costsMetadata(part)
        ) { mayGain(part, $0) }
    }

    /// Of a part that is written alone.
    func costOfLarge(_ part: WrittenPart) -> ReplacementCost {
        var cost = part.cost
        for range in part.ranges { add(range, of: part, to: &cost) }
        return cost
    }

    /// Of each part that is in a chain. What several have in common each bears its share of.
    func costs(_ chains: [Chain]) -> [Int: ReplacementCost] {
        var costs: [Int: ReplacementCost] = [:]
        for chain in chains {
            guard chain.slices.count > 1 else {
                for slice in chain.slices {
                    let part = parts[slice.target]
                    add(slice.range, of: part, to: &costs[slice.target, default: part.cost])
                }
                continue
            }
            for slice in chain.slices {
                let part = parts[slice.target]
                let frames = frames(of: chain.lengthBytes, part)
                let references = part.census.showing(slice.range)
                var whole = ReplacementCost(references: 0)
                whole.add(references: frames * references)
                whole.add(extents: frames)
                let share = whole.comingBytes / UInt64(chain.slices.count) + 1
                costs[slice.target, default: part.cost].add(bytes: share)
            }
        }
        return costs
    }

    private func add(
        _ range: Range<ByteCount>, of part: WrittenPart, to cost: inout ReplacementCost
    ) {
        cost.add(
            references: part.census.items(
                over: range, unit: unit(part), liveUnit: limits.liveRequest))
        cost.add(extents: frames(of: range.upperBound - range.lowerBound, part))
    }

    /// What one item can refer to: a frame, or what one request moves.
    private func unit(_ part: WrittenPart) -> ByteCount {
        switch part.target.replacement.rewriting {
        case .packed: limits.frameContent
        case .plain: limits.request
        }
    }

    private func frames(of length: ByteCount, _ part: WrittenPart) -> Int {
        let unit = unit(part).rawValue
        return Int((length.rawValue + unit - 1) / unit)
    }
}
