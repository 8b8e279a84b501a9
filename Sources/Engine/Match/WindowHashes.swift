// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// Hashes of every run of a few sectors, and which of them stand for the rest. Pure.
///
/// A run is found by any of the places that are picked in it. The pick depends on the content alone
/// (the smallest hash in each window of hashes, after Schleimer, Wilkerson and Aiken 2003), so that
/// two copies at any alignment pick the same places.
struct WindowHashes {
    /// The sectors in a hash. Shorter runs are left alone: on real images 16 KiB runs hold 94 % of
    /// what is double, at a fifth of the references that single sectors would cost.
    static let sectors = 4
    /// Up to this many sectors (256 GiB of content) the narrow window serves.
    static let narrowLimit = 64 << 20
    /// Of so many hashes in a row one is picked: a run of 7 sectors, 28 KiB, is found for certain.
    static let narrowWindow = 4
    /// The same up to 2 TiB: 64 KiB runs are found for certain, with two fifths of the anchors.
    static let wideWindow = 13
    /// Beyond: 256 KiB runs are found for certain.
    static let widestWindow = 61

    /// The window that keeps the number of anchors in proportion to what a sort can take.
    static func window(sectorCount: Int) -> Int {
        if sectorCount <= narrowLimit { return narrowWindow }
        return sectorCount <= 8 * narrowLimit ? wideWindow : widestWindow
    }

    /// A place that stands for those around it.
    struct Anchor: Equatable {
        let hash: UInt64
        let place: Int
    }

    /// Of so many hashes in a row one is picked.
    let window: Int
    /// The hashes that may still become the smallest of a window, in rising order.
    private var candidates: [Anchor] = []

    init(window: Int) { self.window = window }

    /// The anchors of a range of sectors, in order: the smallest hash of each window; of equals the
    /// one picked before, or else the last. A window that a sector of no use cuts short picks among
    /// what it has.
    mutating func anchors(
        of range: Range<Int>, in reader: inout SumReader
    ) throws(BtrfsError) -> [Anchor] {
        var picked: [Anchor] = []
        var cursor = SumCursor()
        var first = 0
        candidates.removeAll(keepingCapacity: true)
        var recent = Recent()
        for place in range {
            // The hash that ends with this sector starts a few before it.
            let start = place - Self.sectors + 1
            if let hash = recent.push(try cursor.sum(at: place, &reader)) {
                while candidates.count > first, candidates[candidates.count - 1].hash >= hash {
                    candidates.removeLast()
                }
                candidates.append(Anchor(hash: hash, place: start))
            }
            while first < candidates.count, candidates[first].place <= start - window { first += 1 }
            guard first < candidates.count else {
                candidates.removeAll(keepingCapacity: true)
                first = 0
                continue
            }
            let isFull = start - range.lowerBound >= window - 1 || place == range.upperBound - 1
            if isFull, !Self.stands(picked.last, for: candidates[first], after: start - window) {
                picked.append(candidates[first])
            }
            if first > 4096 {
                candidates.removeFirst(first)
                first = 0
            }
        }
        return picked
    }

    /// Whether the place picked before still does: it is in the window, and nothing smaller is. So
    /// one block over and over (zeroes) has one anchor in each window and not one at each place.
    private static func stands(
        _ picked: Anchor?, for candidate: Anchor, after start: Int
    ) -> Bool {
        guard let picked else { return false }
        return picked.place > start && picked.hash <= candidate.hash
    }

    /// The last few checksums.
    private struct Recent {
        private var low: UInt64 = 0
        private var high: UInt64 = 0
        private var inRow = 0

        /// The hash of the last `sectors` checksums, when all of them are known.
        mutating func push(_ sum: UInt32?) -> UInt64? {
            guard let sum else {
                inRow = 0
                return nil
            }
            low = low << 32 | high >> 32
            high = high << 32 | UInt64(sum)
            inRow += 1
            guard inRow >= WindowHashes.sectors else { return nil }
            return WindowHashes.mix(
                WindowHashes.mix(low) &+ high &* 0x9e37_79b9_7f4a_7c15)
        }
    }

    /// Spreads the bits (the finalizer of MurmurHash3, which is in the public domain).
    static func mix(_ value: UInt64) -> UInt64 {
        var bits = value
        bits ^= bits >> 33
        bits = bits &* 0xff51_afd7_ed55_8ccd
        bits ^= bits >> 33
        bits = bits &* 0xc4ce_b9fe_1a85_ec53
        bits ^= bits >> 33
        return bits
    }
}
