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
enum Batches {
    /// A batch holds at most `contentLimit` of content, or a single extent. Within one the plan's
    /// order stays whatever the order of batches: neighbours are read together.
    static func make(
        _ replacements: [Replacement], contentLimit: ByteCount, order: BatchOrder = .asPlanned
    ) -> [[Replacement]] {
        var batches: [[Replacement]] = []
        var content = ByteCount.zero
        for replacement in replacements {
            content += replacement.contentBytes
            if batches.isEmpty || content > contentLimit {
                batches.append([])
                content = replacement.contentBytes
            }
            batches[batches.count - 1].append(replacement)
        }
        switch order {
        case .asPlanned: return batches
        case .largestSavingFirst: return sorted(batches)
        }
    }

    /// How finely savings are told apart, in parts of the content. Batches that bring about as much
    /// stay as they follow each other on the device: reads that jump about would take longer than
    /// the order brings.
    private static let grades = 16.0

    private static func sorted(_ batches: [[Replacement]]) -> [[Replacement]] {
        let grades = batches.map(grade)
        return batches.indices
            .sorted { (grades[$1], $0) < (grades[$0], $1) }
            .map { batches[$0] }
    }

    /// What the plan predicts that a batch brings, in sixteenths of the content that it goes
    /// through. Packing, of which nothing is known before it is done, has 0 and comes last.
    private static func grade(_ batch: [Replacement]) -> Int {
        let all = Remainder(batch)
        guard all.content > .zero else { return 0 }
        let share = Double(all.predictedSaving.rawValue) / Double(all.content.rawValue)
        return Int(min(share, 1) * grades)
    }
}
