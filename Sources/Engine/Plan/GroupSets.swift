// SPDX-License-Identifier: GPL-2.0-or-later

/// Dedupe groups of extents: who may come to share with whom. Pure.
///
/// An extent that qubes of several groups share already (a clone) belongs to all of them. An extent
/// may be replaced by one that its groups all use already: nobody comes to share who did not.
struct GroupSets {
    private var numbers: [Set<Int>: Int] = [:]
    private var sets: [Set<Int>] = []

    /// The number of a set of groups.
    mutating func number(of set: Set<Int>) -> Int {
        if let number = numbers[set] { return number }
        numbers[set] = sets.count
        sets.append(set)
        return sets.count - 1
    }

    /// The numbers of the sets that hold all of one set's groups, itself first; at most `limit`.
    func supersets(of number: Int, limit: Int = 8) -> [Int] {
        let others = sets.indices.filter { $0 != number && sets[$0].isSuperset(of: sets[number]) }
        return [number] + others.prefix(limit - 1)
    }

    /// Something to tell the hashes of different sets apart by.
    static func salt(_ number: Int) -> UInt64 { WindowHashes.mix(UInt64(number) &+ 1) }
}
