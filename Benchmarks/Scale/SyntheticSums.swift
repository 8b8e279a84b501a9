// SPDX-License-Identifier: GPL-2.0-or-later

/// Checksums of content that was never there: computed from the place, so that they need no memory,
/// with planted duplicates whose number and place are known.
///
/// The sectors are cut into cells. The first part of a cell holds what is unique; in every fourth
/// cell a run from an earlier cell's first part is planted behind it. Some extents hold zeroes
/// alone, and a block that is the same everywhere stands in every cell.
struct SyntheticSums {
    /// The sectors of a cell: 10 MiB.
    static let cellSectors = 2560
    /// Of these, the first part, which is never planted in.
    static let uniqueSectors = 1024
    /// The longest planted run: 2 MiB. The shortest is 16 sectors, 64 KiB.
    static let longestRun = 512
    /// The sectors of an extent: a whole number of cells, just below 128 MiB.
    static let extentSectors = cellSectors * 12
    /// One extent in so many holds zeroes.
    static let zeroesEvery = 101
    /// Where in each cell the common block of 16 sectors stands.
    static let commonStart = 2500

    let sectorCount: Int

    /// A run that was planted.
    struct Plant: Equatable {
        /// Where.
        let sectors: Range<Int>
        /// Where it was taken from.
        let source: Int
    }

    init(tebibytes: Int) {
        let sectors = tebibytes << 28
        sectorCount = sectors / Self.extentSectors * Self.extentSectors
    }

    var extentCount: Int { sectorCount / Self.extentSectors }

    /// The sectors of an extent.
    func range(_ extent: Int) -> Range<Int> {
        (extent * Self.extentSectors)..<((extent + 1) * Self.extentSectors)
    }

    func sum(at place: Int) -> UInt32 {
        let (cell, offset) = place.quotientAndRemainder(dividingBy: Self.cellSectors)
        if isZeroes(cell: cell) { return 0x98f9_4189 }
        if offset < Self.uniqueSectors { return Self.unique(place) }
        if offset >= Self.commonStart, offset < Self.commonStart + 16 {
            return Self.unique(-1 - offset)
        }
        if let plant = plant(in: cell), plant.sectors.contains(place) {
            return Self.unique(plant.source + place - plant.sectors.lowerBound)
        }
        return Self.unique(place)
    }

    /// The run planted in a cell.
    func plant(in cell: Int) -> Plant? {
        guard cell >= 16, cell % 4 == 3, !isZeroes(cell: cell) else { return nil }
        let random = Self.mix(UInt64(cell) &* 0x9e37_79b9_7f4a_7c15)
        let length = 16 + Int(random % UInt64(Self.longestRun - 16))
        let start = cell * Self.cellSectors + Self.uniqueSectors + Int(random >> 20 & 0x1ff)
        // From another extent: one is never replaced by itself.
        var source = Int(Self.mix(random) % UInt64(cell / 12 * 12))
        if isZeroes(cell: source) { source = 0 }
        let offset = Int(random >> 40) % (Self.uniqueSectors - length)
        return Plant(
            sectors: start..<(start + length), source: source * Self.cellSectors + offset)
    }

    private func isZeroes(cell: Int) -> Bool {
        let extent = cell / 12
        return extent % Self.zeroesEvery == Self.zeroesEvery - 1
    }

    static func unique(_ place: Int) -> UInt32 {
        UInt32(truncatingIfNeeded: mix(UInt64(bitPattern: Int64(place))))
    }

    /// Spreads the bits (the finalizer of MurmurHash3, which is in the public domain).
    static func mix(_ value: UInt64) -> UInt64 {
        var bits = value ^ (value >> 33)
        bits = bits &* 0xff51_afd7_ed55_8ccd
        bits ^= bits >> 33
        bits = bits &* 0xc4ce_b9fe_1a85_ec53
        return bits ^ (bits >> 33)
    }
}
