// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

@testable import Engine

@Suite struct WindowHashesTests {
    static func random(_ count: Int, _ generator: inout SeededGenerator) -> [UInt32] {
        (0..<count).map { _ in UInt32.random(in: 0...UInt32.max, using: &generator) }
    }

    /// The anchors of sectors that stand alone.
    static func anchors(_ sums: [UInt32], unusable: Set<Int> = []) throws -> [Int] {
        var picker = WindowHashes(window: WindowHashes.narrowWindow)
        var reader = try fingerprints([sums], unusable: unusable).reader()
        return try picker.anchors(of: 0..<sums.count, in: &reader).map(\.place)
    }

    static func fingerprints(
        _ extents: [[UInt32]], unusable: Set<Int> = [],
        into empty: FingerprintWriter = FingerprintWriter()
    ) throws -> Fingerprints {
        var result = empty
        var place = 0
        for (index, sums) in extents.enumerated() {
            try result.append(
                extent: index,
                closed: sums.indices.map {
                    Fingerprints.closed(unusable.contains(place + $0) ? nil : sums[$0])
                })
            place += sums.count
        }
        return try result.finish()
    }

    /// The runs of the second extent in the first.
    static func runs(
        _ fingerprints: Fingerprints, resources: MatchResources = MatchResources()
    ) throws -> [Run] {
        let members = (0..<fingerprints.count).map {
            MatchMember(sectors: fingerprints.range($0), rank: 0, salt: 0, salts: [0])
        }
        var matcher = try Matcher(members, in: fingerprints, resources: resources)
        return try members.map { (member) throws in try matcher.runs(of: member) }[1]
    }

    @Test(arguments: 0..<64) func `Two copies at any shift pick the same places of the copy`(
        shift: Int
    ) throws {
        var generator = SeededGenerator(seed: UInt64(shift))
        let copy = Self.random(40, &generator)
        func anchors(behind count: Int) throws -> Set<Int> {
            let sums =
                Self.random(count, &generator) + copy
                + Self.random(Int.random(in: 0...9, using: &generator), &generator)
            // Windows that lie within the copy altogether.
            let inner = 3..<(copy.count - 6)
            return Set(
                try Self.anchors(sums).map { $0 - count }.filter(inner.contains))
        }
        let picked = try anchors(behind: 0)
        #expect(!picked.isEmpty)
        #expect(try anchors(behind: shift) == picked)
    }

    @Test func `Every run of seven sectors or more is found, at any shift and whole`() throws {
        var generator = SeededGenerator(seed: 7)
        let certain = WindowHashes.sectors + WindowHashes.narrowWindow - 1
        #expect(certain == 7)
        for _ in 0..<2000 {
            let run = Self.random(Int.random(in: certain...30, using: &generator), &generator)
            let here = Int.random(in: 0...20, using: &generator)
            let there = Int.random(in: 0...20, using: &generator)
            let first = Self.random(there, &generator) + run + Self.random(3, &generator)
            let second = Self.random(here, &generator) + run + Self.random(4, &generator)
            let start = first.count + here
            #expect(
                try Self.runs(try Self.fingerprints([first, second])) == [
                    Run(sectors: start..<(start + run.count), keeper: there)
                ])
        }
    }

    @Test func `A run never holds a sector that is of no use, on either side`() throws {
        var generator = SeededGenerator(seed: 8)
        var found = 0
        for _ in 0..<1000 {
            let sums = Self.random(40, &generator)
            let unusable = Set((0..<4).map { _ in Int.random(in: 0..<80, using: &generator) })
            let fingerprints = try Self.fingerprints([sums, sums], unusable: unusable)
            let known = try fingerprints.allSums()
            for run in try Self.runs(fingerprints) {
                found += 1
                #expect(run.sectors.count >= WindowHashes.sectors)
                for offset in 0..<run.sectors.count {
                    #expect(known[run.sectors.lowerBound + offset] != nil)
                    #expect(known[run.keeper + offset] != nil)
                }
            }
        }
        #expect(found > 1000)
    }

    @Test func `Runs are in order, apart, equal, and cannot be longer`() throws {
        var generator = SeededGenerator(seed: 9)
        for _ in 0..<500 {
            let few = (0..<2).map { _ in
                (0..<60).map { _ in UInt32.random(in: 0...2, using: &generator) }
            }
            let fingerprints = try Self.fingerprints(few)
            let sums = try fingerprints.allSums()
            let runs = try Self.runs(fingerprints)
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

    @Test func `Fewer sectors than a hash takes have none`() throws {
        #expect(try Self.anchors([1, 2, 3]).isEmpty)
        #expect(try Self.anchors([]).isEmpty)
        #expect(try Self.anchors([1, 2, 3, 4]) == [0])
        #expect(try Self.anchors([1, 2, 3, 4, 5, 6, 7, 8], unusable: [3]) == [4])
    }

    @Test(arguments: [16, 17, 100, 1000, 5000])
    func `A sort that spills gives the same as one that does not`(capacity: Int) throws {
        var generator = SeededGenerator(seed: 10)
        var sorter = ExternalSorter<SortRecord>(capacity: capacity, spills: TestSpills())
        var records: [SortRecord] = []
        for _ in 0..<5000 {
            let record = SortRecord(
                key: UInt64.random(in: 0..<700, using: &generator),
                value: UInt64.random(in: 0..<9, using: &generator))
            records.append(record)
            try sorter.append(record)
        }
        var sorted = try sorter.finish()
        var result: [SortRecord] = []
        while let record = try sorted.next() { result.append(record) }
        #expect(result == records.sorted())
    }

    @Test func `Matching in little memory finds the same as in plenty`() throws {
        var generator = SeededGenerator(seed: 11)
        let common = Self.random(3000, &generator)
        let fingerprints = try Self.fingerprints([
            common, Self.random(50, &generator) + common[500..<2500] + common[..<100],
        ])
        var little = MatchResources()
        little.sortRecords = 64
        little.spills = TestSpills()
        let runs = try Self.runs(fingerprints)
        #expect(runs.map(\.sectors.count).reduce(0, +) == 2100)
        #expect(try Self.runs(fingerprints, resources: little) == runs)
    }

    @Test func `A hash that stands in very many places makes one pair for each`() throws {
        let zeroes = [UInt32](repeating: 7, count: 64)
        let fingerprints = try Self.fingerprints([[UInt32]](repeating: zeroes, count: 400))
        let members = (0..<fingerprints.count).map {
            MatchMember(sectors: fingerprints.range($0), rank: 0, salt: 0, salts: [0])
        }
        var matcher = try Matcher(members, in: fingerprints)
        #expect(matcher.anchorCount <= fingerprints.sectorCount / WindowHashes.narrowWindow)
        let runs = try members.map { (member) throws in try matcher.runs(of: member) }
        #expect(runs[0].isEmpty)
        #expect(runs.dropFirst().allSatisfy { $0.count == 1 && $0[0].keeper == 0 })
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
