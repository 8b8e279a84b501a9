// SPDX-License-Identifier: GPL-2.0-or-later

/// Hashes of every run of a few sectors, and which of them stand for the rest. Pure.
///
/// A run is found by any of the places that `anchors` picks in it. The pick depends on the content
/// alone (the smallest hash in each window of hashes, after Schleimer, Wilkerson and Aiken 2003),
/// so that two copies at any alignment pick the same places.
enum WindowHashes {
    /// The sectors in a hash. Shorter runs are left alone: on real images 16 KiB runs hold 94 % of
    /// what is double, at a fifth of the references that single sectors would cost.
    static let sectors = 4
    /// Of so many hashes in a row one is picked: a run of `sectors + window - 1` sectors, 28 KiB,
    /// is found for certain, a shorter one mostly.
    static let window = 4

    /// A hash for each place where `sectors` usable sectors stand in a row; nil elsewhere.
    static func hashes(_ sums: ArraySlice<UInt32>, usable: ArraySlice<Bool>) -> [UInt64?] {
        guard sums.count >= sectors else { return [] }
        var result: [UInt64?] = []
        result.reserveCapacity(sums.count - sectors + 1)
        var usableInRow = usable.prefix(sectors - 1).reduce(0) { $1 ? $0 + 1 : 0 }
        for start in sums.startIndex...(sums.endIndex - sectors) {
            usableInRow = usable[start + sectors - 1] ? usableInRow + 1 : 0
            guard usableInRow >= sectors else {
                result.append(nil)
                continue
            }
            let low = UInt64(sums[start]) << 32 | UInt64(sums[start + 1])
            let high = UInt64(sums[start + 2]) << 32 | UInt64(sums[start + 3])
            result.append(mix(mix(low) &+ high &* 0x9e37_79b9_7f4a_7c15))
        }
        return result
    }

    /// The places to look at, in order: the smallest hash of each `window` in a row, the last one
    /// of equals.
    static func anchors(_ hashes: [UInt64?]) -> [Int] {
        var picked: [Int] = []
        for start in hashes.indices {
            var best: (hash: UInt64, place: Int)?
            for place in start..<min(start + window, hashes.count) {
                guard let hash = hashes[place] else { continue }
                if best.map({ hash <= $0.hash }) ?? true { best = (hash, place) }
            }
            if let place = best?.place, picked.last.map({ $0 < place }) ?? true {
                picked.append(place)
            }
        }
        return picked
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
