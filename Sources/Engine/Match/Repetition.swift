// SPDX-License-Identifier: GPL-2.0-or-later

/// How long the stretch of one block, again and again, is that an anchor stands in. Pure.
enum Repetition {
    /// Beyond 256 anchors in a row (4 MiB, or more with wider windows) one is as good as another.
    static let deepest: UInt8 = 8

    /// Of what stands in one extent again and again so many sectors stay: 1 MiB.
    static let unitSectors = 256

    /// For each anchor, log2 of how many in a row have its hash, each within a window of the one
    /// before; 0 for one that stands for itself.
    static func depths(of anchors: [WindowHashes.Anchor], window: Int) -> [UInt8] {
        var depths = [UInt8](repeating: 0, count: anchors.count)
        var start = 0
        while start < anchors.count {
            var end = start + 1
            while end < anchors.count, anchors[end].hash == anchors[start].hash,
                anchors[end].place - anchors[end - 1].place <= window
            {
                end += 1
            }
            let count = end - start
            let depth = UInt8(Int.bitWidth - 1 - count.leadingZeroBitCount)
            for index in start..<end { depths[index] = min(depth, deepest) }
            start = end
        }
        return depths
    }
}

/// The places that keep the content of one hash: the first of all, and each that is deeper than all
/// before it. So there are a handful, however many places there are.
struct Keepers {
    private var first: PlaceKey?
    private var deeper: [PlaceKey] = []

    /// The first of the places seen so far that is as deep as this one; else the deepest.
    func keeper(for place: PlaceKey) -> PlaceKey? {
        guard let first else { return nil }
        if first.depth >= place.depth { return first }
        return deeper.first { $0.depth >= place.depth } ?? deeper.last ?? first
    }

    /// From now on it may be one of them.
    mutating func add(_ place: PlaceKey) {
        guard let first else {
            first = place
            return
        }
        if place.depth > (deeper.last ?? first).depth { deeper.append(place) }
    }
}

/// A place with its rank, as one number that sorts by rank, then place, with its depth behind. An
/// asking one looks for a keeper and is none itself.
struct PlaceKey: Equatable {
    let rawValue: UInt64

    init(rawValue: UInt64) { self.rawValue = rawValue }

    init(rank: UInt8, place: Int, depth: UInt8 = 0) {
        rawValue = UInt64(rank & 0x7f) << 57 | UInt64(place) << 5 | UInt64(depth & 0xf) << 1
    }

    var place: Int { Int((rawValue << 7) >> 12) }
    var depth: UInt8 { UInt8(truncatingIfNeeded: rawValue >> 1) & 0xf }
    var isAsking: Bool { rawValue & 1 != 0 }
    var asking: PlaceKey { PlaceKey(rawValue: rawValue | 1) }
    var answered: PlaceKey { PlaceKey(rawValue: rawValue & ~1) }
}
