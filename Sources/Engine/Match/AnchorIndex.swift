// SPDX-License-Identifier: GPL-2.0-or-later

/// Where content stands that is kept, by hash: the first place that was entered for each. Pure.
///
/// Open addressing in two flat arrays, so that a million anchors take 24 MiB and not five times
/// that.
struct AnchorIndex {
    private var hashes: [UInt64]
    private var places: [Int32]
    private var count = 0

    /// With room for so many, more or less; it grows.
    init(expected: Int) {
        let capacity = max(16, (expected * 2).nextPowerOfTwo)
        hashes = [UInt64](repeating: 0, count: capacity)
        places = [Int32](repeating: -1, count: capacity)
    }

    /// The place entered for a hash.
    func place(of hash: UInt64) -> Int? {
        let slot = slot(of: hash)
        return places[slot] < 0 ? nil : Int(places[slot])
    }

    /// Enters a place, unless the hash has one.
    mutating func enter(_ hash: UInt64, place: Int) {
        if count * 2 >= hashes.count { grow() }
        let slot = slot(of: hash)
        guard places[slot] < 0 else { return }
        hashes[slot] = hash
        places[slot] = Int32(place)
        count += 1
    }

    private func slot(of hash: UInt64) -> Int {
        let mask = hashes.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while places[slot] >= 0 && hashes[slot] != hash { slot = (slot + 1) & mask }
        return slot
    }

    private mutating func grow() {
        var larger = AnchorIndex(expected: hashes.count)
        for (hash, place) in zip(hashes, places) where place >= 0 {
            larger.enter(hash, place: Int(place))
        }
        self = larger
    }
}

extension Int {
    fileprivate var nextPowerOfTwo: Int {
        self <= 1 ? 1 : 1 << (Int.bitWidth - (self - 1).leadingZeroBitCount)
    }
}
