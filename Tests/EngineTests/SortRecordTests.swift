// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

@testable import Engine

/// Sorting by digits gives what comparing gives.
@Suite struct SortRecordTests {
    /// What keys are made of.
    enum Keys: CaseIterable {
        /// Hashes: any bit is as likely as another.
        case any
        /// A handful, so that most are equal and the values decide.
        case few
        /// One alone.
        case one
        /// Ranks in the highest bits, places in the lowest, and nothing between.
        case places
        /// Below and above half of what there is: no sign is taken for one.
        case extremes

        func key(_ generator: inout SeededGenerator) -> UInt64 {
            switch self {
            case .any: .random(in: 0 ... .max, using: &generator)
            case .few: .random(in: 0..<5, using: &generator) << 37
            case .one: 0x0102_0304_0506_0708
            case .places:
                .random(in: 0..<9, using: &generator) << 57
                    | .random(in: 0..<1_000_000, using: &generator) << 5
            case .extremes: Bool.random(using: &generator) ? .max : .random(in: 0..<2)
            }
        }
    }

    @Test(arguments: Keys.allCases, [0, 1, 4096, 4097, 60_000])
    func `Digits sort as comparisons do`(keys: Keys, count: Int) {
        var generator = SeededGenerator(seed: UInt64(count))
        let records = (0..<count).map { _ in
            SortRecord(
                key: keys.key(&generator), value: .random(in: 0 ... .max, using: &generator))
        }
        var byDigits = records
        SortRecord.sort(&byDigits)
        #expect(byDigits == records.sorted())
    }
}
