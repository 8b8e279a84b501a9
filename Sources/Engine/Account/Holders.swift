// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// Subvolumes that none of the files is in, and that hold space for themselves, or that others have
/// as well: snapshots, above all.
public struct Holders: Sendable {
    /// The most that are looked at each for itself; those beyond count as one.
    public static let most = 256

    private let places: [TreeIdentifier: Int]
    /// How many users they are.
    public let count: Int

    /// - Parameter trees: each once.
    public init(_ trees: [TreeIdentifier]) {
        let numbered = trees.enumerated().map { ($1, min($0, Self.most)) }
        places = Dictionary(numbered, uniquingKeysWith: { first, _ in first })
        count = min(trees.count, Self.most + 1)
    }

    /// Which of the users a subvolume is; nil for none.
    func place(of tree: TreeIdentifier) -> Int? { places[tree] }
}

/// What holders have, in bytes on disk: extents, without what is in the trees.
public struct HeldSpace: Equatable, Sendable {
    /// By holder: each extent once.
    public private(set) var disk: [ByteCount]
    /// By holder: what comes back if it alone is deleted.
    public private(set) var exclusive: [ByteCount]
    /// What comes back if all of them are deleted.
    public private(set) var together = ByteCount.zero
    /// By level and set: what would come back if the set went, but for holders.
    public internal(set) var sets: [[ByteCount]]

    init(holders: Int, levels: [[Int]]) {
        disk = [ByteCount](repeating: .zero, count: holders)
        exclusive = disk
        sets = levels.map { [ByteCount](repeating: .zero, count: ($0.max() ?? -1) + 1) }
    }

    /// - Parameter areAlone: nobody else has it.
    mutating func add(_ bytes: ByteCount, holders: [Int], areAlone: Bool) {
        for holder in holders { disk[holder] += bytes }
        guard areAlone, !holders.isEmpty else { return }
        together += bytes
        if holders.count == 1 { exclusive[holders[0]] += bytes }
    }
}
