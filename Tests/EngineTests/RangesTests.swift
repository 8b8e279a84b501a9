// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Testing

@testable import Engine

/// Range arithmetic, held against a bitmap.
@Suite struct RangesTests {
    static let size = 64

    static func range(_ start: Int, _ end: Int) -> Range<ByteCount> {
        ByteCount(start)..<ByteCount(end)
    }

    static func random(_ generator: inout SeededGenerator) -> [Range<ByteCount>] {
        (0..<Int.random(in: 0...6, using: &generator)).map { _ in
            let start = Int.random(in: 0...size, using: &generator)
            return range(start, Int.random(in: start...size, using: &generator))
        }
    }

    static func bits(_ ranges: [Range<ByteCount>]) -> [Bool] {
        (0..<size).map { position in ranges.contains { $0.contains(ByteCount(position)) } }
    }

    static func areApart(_ ranges: [Range<ByteCount>]) -> Bool {
        zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound <= $1.lowerBound }
    }

    @Test func `A union covers what any range covers, in order, with gaps between`() {
        var generator = SeededGenerator(seed: 1)
        for _ in 0..<3000 {
            let ranges = Self.random(&generator)
            let union = Ranges.union(ranges)
            #expect(Self.bits(union) == Self.bits(ranges))
            #expect(zip(union, union.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound })
            #expect(union.allSatisfy { !$0.isEmpty })
        }
    }

    @Test func `A difference covers what only the first covers`() {
        var generator = SeededGenerator(seed: 2)
        for _ in 0..<3000 {
            let ranges = Ranges.union(Self.random(&generator))
            let others = Self.random(&generator)
            let left = Ranges.subtract(others, from: ranges)
            let expected = zip(Self.bits(ranges), Self.bits(others)).map { $0 && !$1 }
            #expect(Self.bits(left) == expected)
            #expect(Self.areApart(left) && left.allSatisfy { !$0.isEmpty })
        }
    }

    @Test func `Cut ranges cover the same, and none goes over a whole multiple`() {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<3000 {
            let ranges = Ranges.union(Self.random(&generator))
            let unit = Int.random(in: 1...20, using: &generator)
            let cut = Ranges.cut(ranges, atMultiplesOf: ByteCount(unit))
            #expect(Self.bits(cut) == Self.bits(ranges))
            for range in cut {
                let first = range.lowerBound.count / unit
                #expect((range.upperBound.count - 1) / unit == first)
            }
            #expect(Ranges.totalBytes(cut) == Ranges.totalBytes(ranges))
            #expect(Ranges.totalBytes(ranges).count == Self.bits(ranges).count(where: \.self))
        }
    }

    @Test func `A source gives only what no earlier one and no exclusion has`() {
        var generator = SeededGenerator(seed: 4)
        for _ in 0..<1000 {
            let files = (0..<2).map { _ in ModelStore.File(ModelState.inode(1)) }
            let sources = Self.random(&generator).enumerated().map { index, range in
                Source(
                    range: range, file: files[min(index, 1)], origin: .image(ModelState.inode(1)),
                    offset: FileOffset(1000) + range.lowerBound, isLive: index == 0)
            }
            let excluded = Self.random(&generator)
            let result = Source.disjoint(sources, excluding: excluded)
            let wanted = Ranges.subtract(excluded, from: Ranges.union(sources.map(\.range)))
            #expect(Self.bits(result.map(\.range)) == Self.bits(wanted))
            #expect(
                Self.areApart(result.map(\.range).sorted { $0.lowerBound < $1.lowerBound }))
            for source in result {
                #expect(source.offset == FileOffset(1000) + source.range.lowerBound)
                #expect(source.isLive == (source.file === files[0]))
            }
        }
    }
}

@Suite struct BatchesTests {
    static func replacement(_ mebibytes: UInt64, at address: UInt64 = 0) -> Replacement {
        Replacement(
            address: LogicalAddress(address), generation: Generation(1),
            diskBytes: .mebibytes(mebibytes), contentBytes: .mebibytes(mebibytes), pieces: [],
            rewriting: .plain, predictedSaving: .zero)
    }

    static func sizes(_ mebibytes: [UInt64]) -> [[UInt64]] {
        Batches.make(mebibytes.map { replacement($0) }, contentLimit: .mebibytes(16)).map { batch in
            batch.map { $0.contentBytes.rawValue >> 20 }
        }
    }

    @Test func `Batches keep the order and hold up to the limit`() {
        #expect(Self.sizes([]) == [])
        #expect(Self.sizes([4, 8, 4, 1, 16, 1]) == [[4, 8, 4], [1], [16], [1]])
        #expect(Self.sizes([16, 1]) == [[16], [1]])
        #expect(Self.sizes([15, 2]) == [[15], [2]])
    }

    static func saving(_ mebibytes: UInt64, at address: UInt64) -> Replacement {
        Replacement(
            address: LogicalAddress(address), generation: Generation(1),
            diskBytes: .mebibytes(16), contentBytes: .mebibytes(16), pieces: [],
            rewriting: .plain, predictedSaving: .mebibytes(mebibytes))
    }

    static func order(_ replacements: [Replacement], _ limit: ByteCount) -> [[UInt64]] {
        Batches.largestSavingFirst(Batches.make(replacements, contentLimit: limit))
            .map { $0.map(\.address.rawValue) }
    }

    @Test func `What brings most comes first, and what brings about as much in its order`() {
        let some = [(0, 1), (8, 2), (16, 3), (8, 4), (0, 5), (15, 6), (16, 7)]
            .map { Self.saving($0.0, at: $0.1) }
        #expect(Self.order(some, .mebibytes(16)) == [[3], [7], [6], [2], [4], [1], [5]])
        // A sixteenth is a grade: less than that apart they stay as they are on the device.
        let near = (1...6).map { address in
            Replacement(
                address: LogicalAddress(address), generation: Generation(1),
                diskBytes: .mebibytes(1), contentBytes: .mebibytes(1), pieces: [],
                rewriting: .plain, predictedSaving: .kibibytes(512 + 10 * address))
        }
        #expect(Self.order(near, .mebibytes(1)) == [[1], [2], [3], [4], [5], [6]])
    }

    @Test func `Within a batch the plan's order stays, and what counts is the whole batch`() {
        let some = [(0, 1), (16, 2), (12, 3), (8, 4)].map { Self.saving($0.0, at: $0.1) }
        #expect(Self.order(some, .mebibytes(32)) == [[3, 4], [1, 2]])
        // Better by its content, although the other one brings more in all.
        let small = Replacement(
            address: LogicalAddress(9), generation: Generation(1), diskBytes: .mebibytes(1),
            contentBytes: .mebibytes(1), pieces: [], rewriting: .plain,
            predictedSaving: .mebibytes(1))
        #expect(Self.order([Self.saving(12, at: 1), small], .mebibytes(16)) == [[9], [1]])
    }

    @Test func `What is packed for others comes right before them, and counts as their work`() {
        // 1 to 3 are packed; 4 and 6 are pointed to 2 and 3, 5 to nothing that is packed.
        let some = [(0, 1), (0, 2), (0, 3), (16, 4), (12, 5), (15, 6)]
            .map { [Self.saving($0.0, at: $0.1)][...] }
        let sorted = Batches.largestSavingFirst(some, needs: [[], [], [], [1, 2], [], [1]])
        #expect(sorted.map { $0[0].address.rawValue } == [5, 2, 6, 3, 4, 1])
    }

    @Test func `Without an order the plan's stays`() {
        let some = [(0, 1), (16, 2)].map { Self.saving($0.0, at: $0.1) }
        let batches = Batches.make(some, contentLimit: .mebibytes(16))
        #expect(batches.map { $0.map(\.address.rawValue) } == [[1], [2]])
    }

    @Test func `An extent above the limit is a batch of its own`() {
        #expect(Self.sizes([1, 128, 1, 17, 2]) == [[1], [128], [1], [17], [2]])
    }
}
