// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
/// Packs frames for real, and throws the result away: reads images and writes nothing. For one
/// thread.
struct FrameMeasure {
    /// Looked at of an extent of many frames before its fate is believed.
    static var framesOfExtent: Int { 5 }

    let store: any ContentStore
    let files: FileCache
    let survey: Survey
    let limits: ExecutionLimits
    let packer: FramePacker

    private var reader: ContentReader { ContentReader(store: store, earlyEnd: .isZeroes) }

    /// What a sample brings, as a share of its content.
    struct Outcome: Sendable {
        var base = 0.0
        /// At the other levels that it was packed at.
        var others: [Int: Double] = [:]
    }

    /// A level, and the share of samples that are packed at it.
    struct Level: Sendable {
        let level: Int
        let share: Double
    }

    /// Starts the reads of samples that come next.
    func prefetch(_ samples: some Sequence<FrameSample>) {
        for segment in samples.flatMap(\.segments) {
            reader.prefetch(segment.range, of: content(of: segment.extent))
        }
    }

    /// Measures samples of one extent, or one of leftovers.
    /// - Parameter base: the level that every sample is packed at.
    func outcomes(
        _ samples: [FrameSample], isLeft: Bool, base: Int, others: [Level]
    ) -> [Outcome] {
        var found = samples.map { outcome(of: $0.segments, lot: $0.lot, base: base, others) }
        if isLeft { return found.map(\.outcome) }
        guard let extent = samples.first?.segments.first?.extent else { return [] }
        let judgement = judge(extent, samples, found.map(\.savedBytes), base: base)
        for index in found.indices {
            if !judgement.isWorth {
                found[index].outcome = Outcome()
            } else {
                found[index].outcome.base += judgement.unusedShare
                found[index].outcome.others = found[index].outcome.others.mapValues {
                    $0 + judgement.unusedShare
                }
            }
        }
        return found.map(\.outcome)
    }

    private struct Found {
        var outcome: Outcome
        let savedBytes: UInt64
    }

    private func outcome(
        of segments: [Segment], lot: Double, base: Int, _ others: [Level]
    ) -> Found {
        guard take(segments), packer.plainBytes > .zero else {
            return Found(outcome: Outcome(), savedBytes: 0)
        }
        let saved = saving(level: base)
        let length = Double(packer.plainBytes.rawValue)
        var outcome = Outcome(base: Double(saved) / length)
        // What does not shrink at one level hardly does at another.
        for other in others where saved > 0 && lot < other.share {
            outcome.others[other.level] = Double(saving(level: other.level)) / length
        }
        return Found(outcome: outcome, savedBytes: saved)
    }

    // MARK: The extent's fate

    private struct Judgement {
        let isWorth: Bool
        /// What no file uses of the extent goes with it, less what metadata grows by: bytes for
        /// each byte that is used.
        let unusedShare: Double
    }

    /// What packing an extent costs in metadata with all its references, those of snapshots among
    /// them; in bytes of data.
    private func metadataBytes(of extent: Survey.Extent, _ used: [Range<ByteCount>]) -> UInt64 {
        let known = survey.references(to: extent)
        var count = known.count
        if case .all(let uses) = try? store.uses(ofExtentAt: extent.address) {
            count = max(count, uses.count)
        }
        func frames(_ ranges: [Range<ByteCount>]) -> Int {
            Ranges.cut(ranges, atMultiplesOf: limits.frameContent).count
        }
        // Each shows what it shows, and those of snapshots are taken to show as much.
        let items = known.reduce(0) { $0 + frames([$1.rangeInExtent]) }
        var cost = ReplacementCost(references: count)
        cost.add(references: items * count / max(known.count, 1))
        cost.add(extents: frames(used))
        return cost.dataBytes(at: limits.price).rawValue
    }

    /// An extent is replaced whole or not at all: whether it is worth it takes more of its frames
    /// than one. They are looked at one by one until it is clear.
    private func judge(
        _ index: Int, _ samples: [FrameSample], _ saved: [UInt64], base: Int
    ) -> Judgement {
        let extent = survey.extents[index]
        let used = survey.usedRanges(of: extent)
        let usedBytes = Ranges.totalBytes(used).rawValue
        let disk = extent.diskBytes.rawValue
        let unused = disk - min(usedBytes, disk)
        let metadata = metadataBytes(of: extent, used)
        let worth = Judgement(
            isWorth: true,
            unusedShare: (Double(unused) - Double(metadata)) / Double(max(usedBytes, 1)))
        let lost = limits.worthwhileDenominator - limits.worthwhileNumerator
        let threshold = max(disk * lost / limits.worthwhileDenominator, metadata + 1)
        var known: [Range<ByteCount>: UInt64] = [:]
        for (sample, saved) in zip(samples, saved) {
            if let range = sample.segments.first?.range { known[range] = saved }
        }
        let frames = Ranges.cut(used, atMultiplesOf: limits.frameContent)
        func sum() -> UInt64 { unused + known.values.reduce(0, +) }
        if sum() >= threshold { return worth }
        // Nothing was found to shrink: what the samples bring is nothing either way.
        guard sum() > unused else { return Judgement(isWorth: false, unusedShare: 0) }
        let drawn = known.count
        let step = max(frames.count / Self.framesOfExtent, 1)
        var added: UInt64 = 0
        for frame in stride(from: step / 2, to: frames.count, by: step).map({ frames[$0] })
        where known[frame] == nil && known.count < Self.framesOfExtent {
            let isRead = take([Segment(extent: index, range: frame)])
            let saved = isRead ? saving(level: base) : 0
            known[frame] = saved
            added += saved
            if sum() >= threshold { return worth }
            let rest = UInt64(frames.count - known.count)
            if sum() + added / UInt64(known.count - drawn) * rest >= 4 * threshold { return worth }
        }
        // The first was drawn because it is there; the others say what the rest is like.
        let looked = UInt64(known.count - drawn)
        let mean = looked > 0 ? added / looked : (sum() - unused) / UInt64(known.count)
        let isWorth = sum() + mean * UInt64(frames.count - known.count) >= threshold
        return isWorth ? worth : Judgement(isWorth: false, unusedShare: 0)
    }

    // MARK: Packing

    /// What packing brings for the content that was taken.
    private func saving(level: Int) -> UInt64 {
        let plainBytes = packer.plainBytes
        return (plainBytes - (packer.packedBytes(level: level) ?? plainBytes)).rawValue
    }

    /// Reads the content of a frame for the packer.
    /// - Returns: whether all of it could be read.
    private func take(_ segments: [Segment]) -> Bool {
        let parts = segments.map { (content(of: $0.extent), $0.range) }
        // As in execution: what a running qube works with stays in memory.
        defer { for (content, range) in parts { reader.forget(range, of: content) } }
        do throws(ContentFailure) {
            unsafe try packer.take(parts, reader.read)
            return true
        } catch {
            return false
        }
    }

    private func content(of extent: Int) -> SurveyedContent {
        SurveyedContent(survey: survey, files: files, extent: survey.extents[extent])
    }
}

/// The content of an extent, by the references that a survey has seen, as far as their files can be
/// opened.
private struct SurveyedContent: ShownContent {
    let survey: Survey
    let files: FileCache
    let extent: Survey.Extent

    func part(from position: ByteCount) -> ContentPart? {
        let reference = survey.references(to: extent).first {
            $0.rangeInExtent.contains(position)
        }
        guard let reference else { return nil }
        let file = survey.files[reference.file]
        let inode = file.image.inode
        guard let open = try? files.open(inode, generation: file.inode.generation) else {
            return nil
        }
        return ContentPart(
            range: position..<reference.rangeInExtent.upperBound, file: open, inode: inode,
            offset: reference.fileOffset + (position - reference.offsetInExtent),
            isLive: file.image.isLive)
    }
}
