// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// Starts the reads of a batch that another lane will come to soon, so that the kernel's compare
/// finds both sides in memory: it reads page by page, and waits for each, where they are not.
///
/// What it learns is not kept: the lane asks again when it gets there.
struct Scout: Sendable {
    let store: any ExtentStore
    let files: FileCache
    let resolver: ReferenceResolver
    /// The most to read ahead for one batch.
    let limit: ByteCount

    func look(at batch: [Replacement]) {
        var left = limit
        for replacement in batch.sorted(by: { $0.address < $1.address }) {
            guard let target = try? resolver.resolve(replacement) else { continue }
            for reference in target.references {
                prefetch(reference.file, reference.fileOffset, reference.lengthBytes, &left)
            }
            for piece in replacement.pieces {
                guard let item = try? store.inode(piece.keeper.inode),
                    let file = try? files.open(piece.keeper.inode, generation: item.generation)
                else { continue }
                let length = piece.range.upperBound - piece.range.lowerBound
                prefetch(file, piece.keeper.offset, length, &left)
            }
            if left == .zero { return }
        }
    }

    private func prefetch(
        _ file: any OpenFile, _ offset: FileOffset, _ length: ByteCount, _ left: inout ByteCount
    ) {
        let part = min(length, left)
        guard part > .zero else { return }
        store.prefetch(file, at: offset, lengthBytes: part)
        left = left - part
    }
}
