// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Testing

@testable import Engine

/// One block, again and again: zeroes that a qube has written, a wiped disk, an adversary's file.
@Suite struct RepetitionTests {
    static let unit = Repetition.unitSectors
    static let sector = Int(ModelState.sector)

    static func block(_ count: Int, kind: Int = 1) -> [UInt8] {
        Content.sectors([Int](repeating: kind, count: count))
    }

    static func job(_ files: [[UInt8]], _ change: (inout ModelState) -> Void = { _ in }) -> ModelJob
    {
        var state = ModelState()
        for (index, content) in files.enumerated() {
            state.make(UInt64(index + 1))
            state.write(content, to: UInt64(index + 1), at: 0)
        }
        change(&state)
        return ModelJob(store: ModelStore(state))
    }

    /// The sectors that extents of images take after a plan was carried out.
    static func sectorsAfter(_ job: ModelJob) throws -> Int {
        let outcome = try job.dedupe()
        #expect(outcome.failures.isEmpty)
        let state = job.store.state
        #expect(state.brokenFiles.isEmpty)
        let used = Set(state.files.values.filter { !$0.isScratch }.flatMap(\.items).map(\.address))
        return used.reduce(0) { $0 + Int(state.extents[$1]?.diskBytes ?? 0) } / sector
    }

    // MARK: Depths and keepers

    static func anchors(_ items: [(hash: UInt64, place: Int)]) -> [WindowHashes.Anchor] {
        items.map { WindowHashes.Anchor(hash: $0.hash, place: $0.place) }
    }

    @Test func `An anchor is as deep as the stretch that it stands in is long`() {
        let row = (0..<9).map { (hash: UInt64(7), place: 4 * $0) }
        #expect(
            Repetition.depths(of: Self.anchors(row), window: 4) == [UInt8](repeating: 3, count: 9))
        let single = [(hash: UInt64(1), place: 0), (2, 4), (1, 8)]
        #expect(Repetition.depths(of: Self.anchors(single), window: 4) == [0, 0, 0])
        let parted = [(hash: UInt64(1), place: 0), (1, 4), (1, 9)]
        #expect(Repetition.depths(of: Self.anchors(parted), window: 4) == [1, 1, 0])
        let long = (0..<5000).map { (hash: UInt64(7), place: 4 * $0) }
        #expect(Repetition.depths(of: Self.anchors(long), window: 4).allSatisfy { $0 == 8 })
        #expect(Repetition.depths(of: [], window: 4) == [])
    }

    @Test func `A place is kept by the first that is as deep, or else by the deepest`() {
        func place(_ number: Int, depth: UInt8) -> PlaceKey {
            PlaceKey(rank: 5, place: number, depth: depth)
        }
        var keepers = Keepers()
        #expect(keepers.keeper(for: place(9, depth: 0)) == nil)
        keepers.add(place(1, depth: 2))
        keepers.add(place(2, depth: 1))
        keepers.add(place(3, depth: 5))
        keepers.add(place(4, depth: 5))
        #expect(keepers.keeper(for: place(9, depth: 0))?.place == 1)
        #expect(keepers.keeper(for: place(9, depth: 2))?.place == 1)
        #expect(keepers.keeper(for: place(9, depth: 3))?.place == 3)
        #expect(keepers.keeper(for: place(9, depth: 8))?.place == 3)
    }

    @Test func `A place's number holds its rank, place and depth, and sorts by them`() {
        let key = PlaceKey(rank: 127, place: 1 << 40, depth: 8)
        #expect(key.place == 1 << 40)
        #expect(key.depth == 8)
        #expect(!key.isAsking)
        #expect(key.asking.isAsking)
        #expect(key.asking.answered == key)
        #expect(key.asking.place == key.place)
        #expect(PlaceKey(rank: 1, place: 9).rawValue < PlaceKey(rank: 2, place: 1).rawValue)
        #expect(
            PlaceKey(rank: 1, place: 1, depth: 8).rawValue < PlaceKey(rank: 1, place: 2).rawValue)
    }

    // MARK: Plans

    @Test func `A long stretch is kept by one as long, and not cut to pieces by a short one`()
        throws
    {
        // The short stretch comes first: many files refer to it.
        let short = Content.sectors(2..<40) + Self.block(8) + Content.sectors(40..<60)
        let length = 4 * Self.unit
        let job = Self.job([short, Self.block(length), Self.block(length), Self.block(length)]) {
            for clone in UInt64(11)...18 {
                $0.make(clone)
                $0.clone(1, 0..<UInt64(short.count), to: clone, at: 0)
            }
        }
        let plan = try PlanTests.checkedPlan(job)
        // One is pointed to the one mebibyte that is left of it, the others to that one.
        #expect(plan.replacements.count == 3)
        #expect(plan.replacements.map(\.repeats.count).sorted() == [0, 0, 3])
        #expect(plan.replacements.flatMap(\.pieces).count < 8)
        #expect(try Self.sectorsAfter(job) <= 66 + Self.unit + 8)
    }

    @Test func `Of an extent that holds one block only, a mebibyte stays`() throws {
        let job = Self.job([Self.block(5 * Self.unit + 17)])
        #expect(try Self.sectorsAfter(job) <= Self.unit + 2 * WindowHashes.sectors)
    }

    @Test func `What repeats with another period than the mebibyte's is left`() throws {
        let period = Content.sectors(1..<4)
        let content = [[UInt8]](repeating: period, count: Self.unit).flatMap { $0 }
        let job = Self.job([content])
        #expect(try job.dedupePlan().replacements.flatMap(\.repeats).isEmpty)
        #expect(try Self.sectorsAfter(job) == 3 * Self.unit)
    }

    @Test func `Unused originals, and ends within a sector, are no loss of content`() throws {
        let length = UInt64(6 * Self.unit * Self.sector)
        // Only its end is in use: the mebibyte that all would be pointed to is not.
        let trimmed = Self.job([[]]) {
            $0.make(2)
            $0.write(Self.block(6 * Self.unit), to: 2, at: 0)
            $0.clone(2, (length / 2)..<length, to: 1, at: 0)
            $0.files[ModelState.inode(2)] = nil
        }
        _ = try Self.sectorsAfter(trimmed)
        let tail = Self.job([Self.block(6 * Self.unit) + [1, 2, 3]])
        _ = try Self.sectorsAfter(tail)
    }

    @Test(arguments: 1...4) func `It is carried out right with several references and lanes`(
        lanes: Int
    ) throws {
        let length = 4 * Self.unit
        let size = UInt64(length * Self.sector)
        var job = Self.job([
            Self.block(length) + Content.sectors(3..<9), Self.block(length), Self.block(3 * length),
        ]) {
            $0.make(11)
            $0.clone(1, (size / 4)..<size, to: 11, at: 0)
            $0.make(12)
            $0.clone(2, 0..<(size / 2), to: 12, at: 0)
            $0.clone(3, (size / 2)..<size, to: 12, at: size / 2)
        }
        job.lanes = lanes
        #expect(try Self.sectorsAfter(job) < 2 * length)
    }
}
