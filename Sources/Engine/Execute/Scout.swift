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
                for reference in survey.references(to: extent) {
                    let inode = survey.files[reference.file].image.inode
                    prefetch(inode, reference.fileOffset, reference.lengthBytes, &left)
                }
            }
            for piece in replacement.pieces {
                let length = piece.range.upperBound - piece.range.lowerBound
                prefetch(piece.keeper.inode, piece.keeper.offset, length, &left)
            }
            if left == .zero { return }
        }
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

    private func file(_ inode: InodeIdentifier) -> (any OpenFile)? {
        generations[inode].flatMap { try? context.files.open(inode, generation: $0) }
    }

    private func prefetch(
        _ inode: InodeIdentifier, _ offset: FileOffset, _ length: ByteCount,
        _ left: inout ByteCount
    ) {
        let part = min(length, left)
        guard part > .zero, let file = file(inode) else { return }
        let start = ByteCount(offset.rawValue)
        context.fresh.expect(.init(inode: inode, file: file, range: start..<(start + part)))
        context.store.prefetch(file, at: offset, lengthBytes: part)
        left = left - part
    }
}
