// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

@testable import Engine

@Suite struct WindowHashesTests {
    static func random(_ count: Int, _ generator: inout SeededGenerator) -> [UInt32] {
        (0..<count).map { _ in UInt32.random(in: 0...UInt32.max, using: &generator) }
    }

    static func hashes(_ sums: [UInt32], usable: [Bool]? = nil) -> [UInt64?] {
        let usable = usable ?? [Bool](repeating: true, count: sums.count)
        return WindowHashes.hashes(sums[...], usable: usable[...])
    }

    static func fingerprints(_ extents: [[UInt32]], unusable: Set<Int> = []) -> Fingerprints {
        var result = Fingerprints()
        var place = 0
        for (index, sums) in extents.enumerated() {
            result.append(
                extent: index, sectors: sums,
                isUsable: sums.indices.map { !unusable.contains(place + $0) })
            place += sums.count
        }
        return result
    }

    /// The runs of the second extent in the first.
    static func runs(_ fingerprints: Fingerprints) -> [Run] {
        var matcher = Matcher(fingerprints)
        matcher.enter(matcher.anchors(of: 0), of: 0, salt: 0) { _ in true }
        return matcher.runs(matcher.anchors(of: 1), of: 1, salts: [0])
    }

    @Test(arguments: 0..<64) func `Two copies at any shift pick the same places of the copy`(
        shift: Int
    ) {
        var generator = SeededGenerator(seed: UInt64(shift))
        let copy = Self.random(40, &generator)
        func anchors(behind count: Int) -> Set<Int> {
            let sums =
                Self.random(count, &generator) + copy
                + Self.random(Int.random(in: 0...9, using: &generator), &generator)
            // Windows that lie within the copy altogether.
            let inner = 3..<(copy.count - 6)
            return Set(
                WindowHashes.anchors(Self.hashes(sums)).map { $0 - count }.filter(inner.contains))
        }
        let picked = anchors(behind: 0)
        #expect(!picked.isEmpty)
        #expect(anchors(behind: shift) == picked)
    }

    @Test func `Every run of seven sectors or more is found, at any shift and whole`() {
        var generator = SeededGenerator(seed: 7)
        let certain = WindowHashes.sectors + WindowHashes.window - 1
        #expect(certain == 7)
        for _ in 0..<2000 {
            let run = Self.random(Int.random(in: certain...30, using: &generator), &generator)
            let here = Int.random(in: 0...20, using: &generator)
            let there = Int.random(in: 0...20, using: &generator)
            let first = Self.random(there, &generator) + run + Self.random(3, &generator)
            let second = Self.random(here, &generator) + run + Self.random(4, &generator)
            let start = first.count + here
            #expect(
                Self.runs(Self.fingerprints([first, second])) == [
                    Run(sectors: start..<(start + run.count), keeper: there)
                ])
        }
    }

    @Test func `A run never holds a sector that is of no use, on either side`() {
        var generator = SeededGenerator(seed: 8)
        var found = 0
        for _ in 0..<1000 {
            let sums = Self.random(40, &generator)
            let unusable = Set((0..<4).map { _ in Int.random(in: 0..<80, using: &generator) })
            let fingerprints = Self.fingerprints([sums, sums], unusable: unusable)
            for run in Self.runs(fingerprints) {
                found += 1
                #expect(run.sectors.count >= WindowHashes.sectors)
                for offset in 0..<run.sectors.count {
                    #expect(fingerprints.isUsable[run.sectors.lowerBound + offset])
                    #expect(fingerprints.isUsable[run.keeper + offset])
                }
            }
        }
        #expect(found > 1000)
    }

    @Test func `Runs are in order, apart, equal, and cannot be longer`() {
        var generator = SeededGenerator(seed: 9)
        for _ in 0..<500 {
            let few = (0..<2).map { _ in
                (0..<60).map { _ in UInt32.random(in: 0...2, using: &generator) }
            }
            let fingerprints = Self.fingerprints(few)
            let sums = fingerprints.sectors
            let runs = Self.runs(fingerprints)
            var covered = 60
            for run in runs {
                #expect(run.sectors.lowerBound >= covered && run.sectors.upperBound <= 120)
                #expect(run.keeper >= 0 && run.keeper + run.sectors.count <= 60)
                for offset in 0..<run.sectors.count {
                    #expect(sums[run.sectors.lowerBound + offset] == sums[run.keeper + offset])
                }
                let end = (run.sectors.upperBound, run.keeper + run.sectors.count)
                #expect(end.0 == 120 || end.1 == 60 || sums[end.0] != sums[end.1])
                let start = (run.sectors.lowerBound, run.keeper)
                #expect(
                    start.0 == covered || start.1 == 0 || sums[start.0 - 1] != sums[start.1 - 1])
                covered = run.sectors.upperBound
            }
        }
    }

    @Test func `Fewer sectors than a hash takes have none`() {
        #expect(Self.hashes([1, 2, 3]).isEmpty)
        #expect(WindowHashes.anchors([]).isEmpty)
        #expect(Self.hashes([1, 2, 3, 4]).count == 1)
        let gap = [true, true, true, false, true, true, true, true]
        #expect(
            Self.hashes([1, 2, 3, 4, 5, 6, 7, 8], usable: gap).map { $0 != nil } == [
                false, false, false, false, true,
            ])
    }

    @Test func `An index that grows keeps the first place of every hash`() {
        var generator = SeededGenerator(seed: 10)
        var index = AnchorIndex(expected: 1)
        var entered: [UInt64: Int] = [:]
        for place in 0..<20_000 {
            // Many share their low bits, and many come again.
            let hash = UInt64.random(in: 0..<8000, using: &generator) << 32
            index.enter(hash, place: place)
            if entered[hash] == nil { entered[hash] = place }
        }
        #expect(entered.allSatisfy { index.place(of: $0.key) == $0.value })
        #expect(index.place(of: 1) == nil)
    }

    @Test func `A group may take from itself and from those that hold all of its groups`() {
        var groups = GroupSets()
        let one = groups.number(of: [1])
        let two = groups.number(of: [2])
        let both = groups.number(of: [1, 2])
        #expect(groups.number(of: [2, 1]) == both)
        #expect(groups.supersets(of: one) == [one, both])
        #expect(groups.supersets(of: two) == [two, both])
        #expect(groups.supersets(of: both) == [both])
        for other in 3..<20 { _ = groups.number(of: [1, other]) }
        #expect(groups.supersets(of: one).count == 8)
        #expect(Set((0..<1000).map(GroupSets.salt)).count == 1000)
    }
}
