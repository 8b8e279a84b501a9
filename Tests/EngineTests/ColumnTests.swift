// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Testing

@testable import Engine

@Suite struct ColumnTests {
    /// More than are written at a time, and a part.
    static let several = 3 * (256 << 10) / MemoryLayout<UInt64>.stride + 5

    static func column(
        _ numbers: [UInt64], _ spills: TestSpills?
    ) throws -> Column<UInt64> {
        var writer = ColumnWriter<UInt64>(spills: spills)
        for (index, number) in numbers.enumerated() {
            #expect(writer.count == index)
            try writer.append(number)
        }
        let column = try writer.finish()
        #expect(writer.count == 0)
        return column
    }

    @Test(arguments: [0, 1, 2, 1000, several], [true, false])
    func `A column has what was added, wherever it is held`(count: Int, isSpilled: Bool) throws {
        var generator = SeededGenerator(seed: UInt64(count))
        let numbers = (0..<count).map { _ in UInt64.random(in: 0...(.max), using: &generator) }
        let spills = isSpilled ? TestSpills() : nil
        do {
            let column = try Self.column(numbers, spills)
            #expect(Array(column) == numbers)
            for _ in 0..<min(count, 100) {
                let place = Int.random(in: 0..<count, using: &generator)
                #expect(column[place] == numbers[place])
                #expect(Array(column[place...].prefix(3)) == Array(numbers[place...].prefix(3)))
            }
            #expect(spills?.byteCounts ?? [] == (isSpilled && count > 1 ? [8 * count] : []))
            #expect(spills?.openCount ?? 0 == (isSpilled && count > 1 ? 1 : 0))
        }
        #expect(spills?.openCount ?? 0 == 0, "given back")
    }

    @Test func `Where there is no file left, a column stays in memory`() throws {
        let spills = TestSpills(fileLimit: 1)
        let first = try Self.column(Array(0..<1000), spills)
        let second = try Self.column(Array(0..<1000), spills)
        #expect(spills.byteCounts == [8000])
        #expect(Array(first) == Array(second))
    }

    @Test func `A disk that is full is said`() {
        #expect(throws: TestSpills.full) {
            try Self.column(Array(0..<(UInt64(Self.several))), TestSpills(limitBytes: 1 << 10))
        }
    }

    @Test func `The first of the second part is found`() throws {
        for count in 0..<40 {
            let column = Column((0..<count).map { 2 * UInt64($0) })
            for limit in 0...UInt64(2 * count + 1) {
                let expected = column.firstIndex { $0 >= limit } ?? count
                #expect(column.partitioningIndex { $0 >= limit } == expected)
            }
        }
    }

    @Test(arguments: 0..<60)
    func `A survey and a plan are the same, spilled or held`(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let state = RandomisedLawTests.fileSystem(&generator, isPacked: seed.isMultiple(of: 3))
        let held = ModelJob(store: ModelStore(state), makesHoles: seed.isMultiple(of: 2))
        var spilled = held
        let spills = TestSpills()
        spilled.spills = spills
        do {
            let (one, other) = (held.survey(), spilled.survey())
            #expect(Array(one.extents) == Array(other.extents))
            #expect(Array(one.references) == Array(other.references))
            #expect(try held.dedupePlan() == spilled.dedupePlan())
            #expect(try held.optimizePlan() == spilled.optimizePlan())
            #expect(try held.holePlan() == spilled.holePlan())
            #expect(held.compressionPlan() == spilled.compressionPlan())
            #expect(!spills.byteCounts.isEmpty)
        }
        #expect(spills.openCount == 0)
    }
}
