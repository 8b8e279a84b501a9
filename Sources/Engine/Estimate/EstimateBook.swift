// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// What was measured, and what follows from it for any set of volumes. Pure.
public struct EstimateBook: Sendable {
    /// One sample's outcome.
    struct Measured: Sendable {
        let stratum: Int
        let zone: Int
        /// What it stands for, in bytes of content.
        let weightBytes: Double
        /// What comes back, for each byte of content, at the base level.
        let base: Double
        /// The same at the levels that it was packed at besides.
        let others: [Int: Double]
    }

    /// How many samples are packed at a level: each level costs a multiple of the base's time.
    static func share(ofLevel level: Int, samples: Int) -> Double {
        let (part, fewest) =
            switch level {
            case ...2: (5, 100)
            case ...5: (4, 100)
            case ...9: (10, 48)
            case ...15: (64, 16)
            default: (96, 12)
            }
        return Double(max(samples / part, fewest)) / Double(max(samples, 1))
    }

    /// How a level's savings go with those of the base level.
    private struct Proportion {
        var ratio = 1.0
        /// By how much a byte's saving differs from what the ratio says: the standard deviation.
        var deviation = 0.0
    }

    /// A stratum's figures at the base level.
    private struct Sum {
        var saving = EstimatedSaving()
        /// The content that shrinks.
        var shrinkingBytes = 0.0
        /// How many samples were packed at each other level.
        var packed: [Int: Int] = [:]
    }

    private let population: EstimatePopulation
    private let base: Int
    private let levels: [Int]
    private var sums: [Sum] = []
    private var proportions: [Int: Proportion] = [:]
    /// How many frames were packed.
    public let sampleCount: Int

    /// - Parameter isComplete: every sample that shrinks was packed at every level.
    init(
        population: EstimatePopulation, base: Int, measured: [Measured], levels: [Int],
        isComplete: Bool
    ) {
        self.population = population
        self.base = base
        self.levels = levels
        sampleCount = measured.count
        let byStratum = Dictionary(grouping: measured, by: \.stratum)
        sums = population.strata.indices.map { Self.sum(byStratum[$0] ?? []) }
        for level in Set(levels + population.strata.map(\.level)) where level != base {
            proportions[level] = Self.proportion(measured, level, isComplete: isComplete)
        }
    }

    /// Each zone by the mean of its samples; two that differ tell how sure that is.
    private static func sum(_ measured: [Measured]) -> Sum {
        var sum = Sum()
        for (_, zone) in Dictionary(grouping: measured, by: \.zone) {
            for sample in zone {
                sum.saving.bytes += sample.weightBytes * sample.base
                if sample.base > 0 { sum.shrinkingBytes += sample.weightBytes }
                for level in sample.others.keys { sum.packed[level, default: 0] += 1 }
            }
            guard zone.count == 2 else { continue }
            let difference = (zone[0].base - zone[1].base) * zone[0].weightBytes
            sum.saving.variance += difference * difference
        }
        return sum
    }

    private static func proportion(
        _ measured: [Measured], _ level: Int, isComplete: Bool
    ) -> Proportion {
        var both = (base: 0.0, other: 0.0)
        var pairs: [(base: Double, other: Double)] = []
        for sample in measured {
            guard let other = sample.others[level] else { continue }
            both.base += sample.weightBytes * sample.base
            both.other += sample.weightBytes * other
            pairs.append((sample.base, other))
        }
        guard both.base > 0 else { return Proportion() }
        let ratio = both.other / both.base
        let squares = pairs.reduce(0) { sum, pair in
            let difference = pair.other - ratio * pair.base
            return sum + difference * difference
        }
        let deviation =
            isComplete ? 0 : (squares / Double(max(pairs.count - 1, 1))).squareRoot()
        return Proportion(ratio: ratio, deviation: deviation)
    }

    /// The figures of the extents that any of these volumes uses: what two of them share counts
    /// once.
    public func figures(ofVolumes volumes: Set<Int>) -> EstimateFigures {
        let isMember = population.owners.map { !$0.isDisjoint(with: volumes) }
        var disk: UInt64 = 0
        var dedupe = EstimatedSaving()
        for (index, isMember) in isMember.enumerated() where isMember {
            disk += population.diskBytes[index]
            dedupe = dedupe + population.dedupe[index]
        }
        func packed(_ kinds: Set<EstimatePopulation.Kind>, _ level: Int?) -> EstimatedSaving {
            saving(level) { isMember[$0.domain] && kinds.contains($0.kind) }
        }
        let all: [Int?] = [nil] + levels
        return EstimateFigures(
            diskBytes: disk, dedupe: dedupe,
            levels: all.map { level in
                EstimateFigures.Level(
                    level: level, compress: packed([.kept, .given], level),
                    optimize: dedupe + packed([.kept, .left], level))
            })
    }

    /// - Parameter level: nil for each stratum's own.
    private func saving(
        _ level: Int?, _ isWanted: (EstimatePopulation.Stratum) -> Bool
    ) -> EstimatedSaving {
        var total = EstimatedSaving()
        var shrinking: [Int: (bytes: Double, samples: Int)] = [:]
        for (stratum, sum) in zip(population.strata, sums) where isWanted(stratum) {
            let own = level ?? stratum.level
            let ratio = proportions[own]?.ratio ?? 1
            total.bytes += ratio * sum.saving.bytes
            total.variance += ratio * ratio * sum.saving.variance
            guard own != base else { continue }
            shrinking[own, default: (0, 0)].bytes += sum.shrinkingBytes
            shrinking[own, default: (0, 0)].samples += sum.packed[own] ?? 0
        }
        for (own, part) in shrinking {
            let deviation = (proportions[own]?.deviation ?? 0) * part.bytes
            total.variance += deviation * deviation / Double(max(part.samples, 1))
        }
        return total
    }
}
