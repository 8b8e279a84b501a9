// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// Which batches of a plan come first.
public enum BatchOrder: Sendable {
    /// As the plan has them: what is packed before what is pointed to it, so that each reference
    /// moves once.
    case asPlanned
    /// What brings most for its content, as the job may end before all is done.
    case largestSavingFirst
}

/// Groups replacements into batches. Pure.
///
/// A batch is a part of the plan, which may have a million of them: none is copied.
enum Batches {
    /// In order; a batch holds at most `contentLimit` of content, or a single extent.
    static func make(
        _ replacements: [Replacement], contentLimit: ByteCount
    ) -> [ArraySlice<Replacement>] {
        var batches: [ArraySlice<Replacement>] = []
        var content = ByteCount.zero
        var start = 0
        for (index, replacement) in replacements.enumerated() {
            content += replacement.contentBytes
            if index > start, content > contentLimit {
                batches.append(replacements[start..<index])
                content = replacement.contentBytes
                start = index
            }
        }
        if start < replacements.count { batches.append(replacements[start...]) }
        return batches
    }

    /// How finely savings are told apart, in parts of the content. Batches that bring about as much
    /// stay as they follow each other on the device: reads that jump about would take longer than
    /// the order brings.
    private static let grades = 16.0

    /// What brings most for its content first, and right before it what it needs: what is pointed
    /// to packed content moves once, and is compared with less. Within a batch the plan's order
    /// stays, as neighbours are read together.
    ///
    /// What the plan predicts counts, so that packing, of which nothing is known before it is done,
    /// comes last, but for what others need.
    /// - Parameter needs: of each batch, by their places, those that go before it.
    static func largestSavingFirst(
        _ batches: [ArraySlice<Replacement>], needs: [[Int]] = []
    ) -> [ArraySlice<Replacement>] {
        let sums = batches.map { Remainder($0) }
        func needed(by index: Int) -> [Int] { needs.isEmpty ? [] : needs[index] }
        let grades = sums.indices.map { index in
            let content = needed(by: index).reduce(sums[index].content) { $0 + sums[$1].content }
            guard content > .zero else { return 0 }
            let saved = Double(sums[index].predictedSaving.rawValue)
            return Int(min(saved / Double(content.rawValue), 1) * Self.grades)
        }
        var isTaken = batches.map { _ in false }
        var sorted: [ArraySlice<Replacement>] = []
        func take(_ index: Int) {
            if isTaken[index] { return }
            isTaken[index] = true
            sorted.append(batches[index])
        }
        for index in batches.indices.sorted(by: { (grades[$1], $0) < (grades[$0], $1) }) {
            needed(by: index).forEach(take)
            take(index)
        }
        return sorted
    }
}

/// In which batches keepers are packed: a keeper is a place in a file, and what the place refers to
/// is known by the survey.
struct PackedKeepers {
    /// The most places that are kept, some 20 MiB: with more of them to pack, batches go by what
    /// they bring alone.
    static let placeLimit = 1 << 19

    private struct Shown {
        let start: Replacement.Place
        let length: ByteCount
        let batch: Int
    }

    /// In order; no two of one file overlap.
    private var shown: [Shown] = []

    /// nil where there are too many to be kept.
    init?(
        _ batches: [ArraySlice<Replacement>], _ survey: Survey, placeLimit: Int = placeLimit
    ) {
        for (index, batch) in batches.enumerated() {
            for replacement in batch where replacement.isWrittenWhole {
                guard let extent = survey.extent(at: replacement.address) else { continue }
                for reference in survey.references(to: extent) {
                    if shown.count >= placeLimit { return nil }
                    let inode = survey.files[reference.file].image.inode
                    shown.append(
                        Shown(
                            start: .init(inode: inode, offset: reference.fileOffset),
                            length: reference.lengthBytes, batch: index))
                }
            }
        }
        shown.sort { $0.start < $1.start }
    }

    /// Of each batch those in which its keepers are packed, in their order.
    func needs(of batches: [ArraySlice<Replacement>]) -> [[Int]] {
        batches.enumerated().map { index, batch in
            let needed = Set(batch.lazy.flatMap(\.pieces).flatMap { self.batches(of: $0) })
            return needed.subtracting([index]).sorted()
        }
    }

    private func batches(of piece: Replacement.Piece) -> [Int] {
        let next = shown.partitioningIndex { $0.start > piece.keeper }
        // A piece lies within one reference of its keeper.
        guard next > 0 else { return [] }
        let found = shown[next - 1]
        let end = found.start.offset + found.length
        guard found.start.inode == piece.keeper.inode, piece.keeper.offset < end else { return [] }
        return [found.batch]
    }
}
