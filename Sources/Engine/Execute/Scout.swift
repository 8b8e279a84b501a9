// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// Starts the reads of a batch that another lane will come to soon, so that the kernel's compare
/// finds both sides in memory: it reads page by page, and waits for each, where they are not.
///
/// It goes by what the survey has seen, and asks nobody: what has changed since is read when the
/// lane gets there.
struct Scout: Sendable {
    let context: LaneContext
    let survey: Survey
    /// The most to read ahead for one batch.
    let limit: ByteCount
    private let generations: [InodeIdentifier: Generation]

    init(context: LaneContext, survey: Survey) {
        self.context = context
        self.survey = survey
        limit = context.limits.scoutAhead
        generations = Dictionary(
            survey.files.map { ($0.image.inode, $0.inode.generation) }, uniquingKeysWith: { $1 })
    }

    func look(at batch: [Replacement]) {
        letGoOfKeepers(of: batch)
        var left = limit
        for replacement in batch.sorted(by: { $0.address < $1.address }) {
            if let extent = survey.extent(at: replacement.address) {
                // It will be left alone.
                if isRefused(extent) { continue }
                prefetch(extent, for: replacement, &left)
            }
            for piece in replacement.pieces {
                let length = piece.range.upperBound - piece.range.lowerBound
                prefetch(piece.keeper.inode, piece.keeper.offset, length, &left)
            }
            if left == .zero { return }
        }
    }

    /// All references, which will be compared; or what the first look reads, where that decides
    /// whether anything else is read at all.
    private func prefetch(
        _ extent: Survey.Extent, for replacement: Replacement, _ left: inout ByteCount
    ) {
        let references = survey.references(to: extent)
        let used = Ranges.union(references.map(\.rangeInExtent))
        guard look.isDue(for: replacement, using: used, writing: used) else {
            for reference in references {
                let inode = survey.files[reference.file].image.inode
                prefetch(inode, reference.fileOffset, reference.lengthBytes, &left)
            }
            return
        }
        let content = ScoutedContent(survey: survey, scout: self, extent: extent)
        for range in look.ranges(used, of: replacement, using: used) {
            _ = try? content.forEachPart(of: range) { part in
                prefetch(part.inode, part.offset, part.lengthBytes, &left)
            }
        }
    }

    private var look: FirstLook {
        FirstLook(limits: context.limits, sectorBytes: context.store.sectorBytes)
    }

    private func isRefused(_ extent: Survey.Extent) -> Bool {
        survey.references(to: extent).contains { reference in
            let inode = survey.files[reference.file].image.inode
            return context.refusals.refusal(of: inode, forExtentAt: extent.address) != nil
        }
    }

    /// Before anything is read ahead: what is in the cache already must not be taken for what the
    /// device holds. Whoever comes to the batch looks again, and finds it done.
    private func letGoOfKeepers(of batch: [Replacement]) {
        let parts = batch.flatMap(\.pieces).compactMap { piece -> FreshSources.Part? in
            file(piece.keeper.inode).map {
                FreshSources.Part(inode: piece.keeper.inode, file: $0, range: piece.keeperRange)
            }
        }
        if !parts.isEmpty { _ = context.fresh.refresh(parts) }
    }

    /// A batch will be read ahead and worked on: nobody else lets go of what it reads.
    func begin(_ batch: [Replacement]) { context.pageUses.begin(ranges(of: batch)) }

    /// A batch is done: what was read ahead for it, or of keepers for the last time, goes.
    func letGo(of batch: [Replacement]) {
        let own = ranges(of: batch)
        let free = context.pageUses.finish(batch, own)
        context.pages.letGo(of: own.merging(free, uniquingKeysWith: +)) { file($0) }
    }

    /// Where files show the extents of a batch.
    private func ranges(of batch: [Replacement]) -> [InodeIdentifier: [Range<ByteCount>]] {
        var ranges: [InodeIdentifier: [Range<ByteCount>]] = [:]
        for replacement in batch {
            guard let extent = survey.extent(at: replacement.address) else { continue }
            for reference in survey.references(to: extent) {
                let start = ByteCount(reference.fileOffset.rawValue)
                ranges[survey.files[reference.file].image.inode, default: []]
                    .append(start..<(start + reference.lengthBytes))
            }
        }
        return ranges
    }

    /// The job is done, whatever came of it: what is left was read for a batch that nobody came to,
    /// or of keepers in the place of others.
    func letGoOfAll() {
        context.pageUses.clear()
        context.pages.letGo(of: context.fresh.all) { inode in
            // A file that the survey has not seen was read to take something back.
            file(inode) ?? context.resolver.keeper(inode)
        }
    }

    fileprivate func file(_ inode: InodeIdentifier) -> (any OpenFile)? {
        generations[inode].flatMap { try? context.files.open(inode, generation: $0) }
    }

    private func prefetch(
        _ inode: InodeIdentifier, _ offset: FileOffset, _ length: ByteCount,
        _ left: inout ByteCount
    ) {
        let part = min(length, left)
        guard part > .zero, let file = file(inode) else { return }
        let start = ByteCount(offset.rawValue)
        context.fresh.readAhead(.init(inode: inode, file: file, range: start..<(start + part)))
        left = left - part
    }
}

/// The content of an extent, by the references through which it will be read: the resolver has the
/// narrowest first, and of equals the first by place.
private struct ScoutedContent: ShownContent {
    let survey: Survey
    let scout: Scout
    let extent: Survey.Extent

    func part(from position: ByteCount) -> ContentPart? {
        let reference = survey.references(to: extent)
            .filter { !$0.isPreallocated && $0.rangeInExtent.contains(position) }
            .min { order($0) < order($1) }
        guard let reference else { return nil }
        let image = survey.files[reference.file].image
        guard let file = scout.file(image.inode) else { return nil }
        return ContentPart(
            range: position..<reference.rangeInExtent.upperBound, file: file, inode: image.inode,
            offset: reference.fileOffset + (position - reference.offsetInExtent),
            isLive: image.isLive)
    }

    private func order(
        _ reference: Survey.Reference
    ) -> (ByteCount, InodeIdentifier, FileOffset) {
        let inode = survey.files[reference.file].image.inode
        return (reference.lengthBytes, inode, reference.fileOffset)
    }
}
