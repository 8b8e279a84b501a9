// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Foundation
import Synchronization
import SystemPackage
import Testing

@testable import Engine

extension Fingerprints {
    /// The checksums of all sectors, nil for those of no use.
    func allSums() throws -> [UInt32?] {
        var reader = reader()
        var cursor = SumCursor()
        return try (0..<sectorCount).map { (place) throws in try cursor.sum(at: place, &reader) }
    }
}

@Suite struct SumStoreTests {
    static let block = SumStore.blockSums

    /// A store of so many blocks of random checksums, added by pieces of random length.
    static func store(
        _ sums: [UInt32], heldBlocks: Int, _ spills: TestSpills?,
        _ generator: inout SeededGenerator
    ) throws -> SumStore {
        var store = SumStore(heldBytes: heldBlocks * SumStore.blockBytes, spills: spills)
        var start = 0
        while start < sums.count {
            let end = min(
                start + Int.random(in: 0...(block * 5 / 2), using: &generator), sums.count)
            try store.append(Array(sums[start..<end]))
            start = end
        }
        #expect(store.count == sums.count)
        return store
    }

    @Test(arguments: [0, 1, 4, 100], [1, 2, 1024])
    func `A store that spills gives what was added, wherever it is read`(
        heldBlocks: Int, keptBlocks: Int
    ) throws {
        var generator = SeededGenerator(seed: UInt64(heldBlocks * 10 + keptBlocks))
        for count in [0, 1, Self.block - 1, Self.block, 7 * Self.block + 77] {
            let sums = WindowHashesTests.random(count, &generator)
            let spills = TestSpills()
            let store = try Self.store(sums, heldBlocks: heldBlocks, spills, &generator)
            #expect(
                spills.byteCounts.first ?? 0
                    == max(0, count / Self.block - heldBlocks) * SumStore.blockBytes)
            var reader = SumReader(store, keptBlocks: keptBlocks)
            var cursors = [SumCursor(), SumCursor()]
            // Steps as a match makes them: from anywhere some way on or back.
            for turn in 0..<(count == 0 ? 0 : 100) {
                var place = Int.random(in: 0..<count, using: &generator)
                let step = Bool.random(using: &generator) ? 1 : -1
                var (read, added): ([UInt32?], [UInt32?]) = ([], [])
                for _ in 0..<Int.random(in: 1...200, using: &generator)
                where sums.indices.contains(place) {
                    read.append(try cursors[turn % 2].sum(at: place, &reader))
                    added.append(sums[place] == 0 ? nil : sums[place])
                    place += step
                }
                #expect(read == added)
            }
        }
    }

    @Test func `A checksum that looks like none is one all the same`() {
        #expect(Fingerprints.opened(Fingerprints.closed(nil)) == nil)
        #expect(Fingerprints.opened(Fingerprints.closed(Fingerprints.useless)) == 1)
        for sum in [1, 2, .max] as [UInt32] {
            #expect(Fingerprints.opened(Fingerprints.closed(sum)) == sum)
        }
    }

    @Test func `Matching with fingerprints that spill finds the same runs`() throws {
        var generator = SeededGenerator(seed: 21)
        let common = WindowHashesTests.random(30_000, &generator)
        var extents = [common]
        for _ in 0..<12 {
            let from = Int.random(in: 0..<20_000, using: &generator)
            let length = Int.random(in: 1...9_000, using: &generator)
            extents.append(
                WindowHashesTests.random(Int.random(in: 0...3_000, using: &generator), &generator)
                    + common[from..<(from + length)])
        }
        let unusable = Set((0..<200).map { _ in Int.random(in: 0..<60_000, using: &generator) })
        func runs(_ empty: FingerprintWriter) throws -> [[Run]] {
            let fingerprints = try WindowHashesTests.fingerprints(
                extents, unusable: unusable, into: empty)
            let members = (0..<fingerprints.count).map {
                MatchMember(sectors: fingerprints.range($0), rank: 0, salt: 0, salts: [0])
            }
            var matcher = try Matcher(members, in: fingerprints)
            return try members.map { (member) throws in try matcher.runs(of: member) }
        }
        let spills = TestSpills()
        let held = try runs(FingerprintWriter())
        #expect(try runs(FingerprintWriter(heldBytes: 0, spills: spills)) == held)
        #expect(held.dropFirst().allSatisfy { !$0.isEmpty })
        #expect(spills.byteCounts.contains { $0 > 6 * SumStore.blockBytes })
        #expect(spills.openCount == 0)
    }

    @Test(arguments: [1, 4], [true, false])
    func `Fingerprints are the same by one thread or four, spilled or held`(
        threads: Int, spills: Bool
    ) throws {
        var state = ModelState()
        var generator = SeededGenerator(seed: 5)
        for number in 1...40 as ClosedRange<UInt64> {
            state.make(number)
            for slot in 0..<24 as Range<UInt64> {
                let first = Int.random(in: 0..<56, using: &generator)
                state.write(
                    Content.sectors(first..<(first + Int.random(in: 1...8, using: &generator))),
                    to: number, at: slot * 8 * ModelState.sector,
                    packedTo: slot % 3 == 0 ? ModelState.sector : nil, by: .zstd)
            }
        }
        var job = ModelJob(store: ModelStore(state))
        let survey = job.survey()
        try #require(survey.extents.count > 512, "more than one piece of work")
        let plain = try job.fingerprints(of: survey)
        job.threads = threads
        let other = try job.fingerprints(
            of: survey,
            into: spills
                ? FingerprintWriter(heldBytes: 0, spills: TestSpills()) : FingerprintWriter())
        #expect(other.count == plain.count)
        for position in 0..<plain.count {
            #expect(other.extent(position) == plain.extent(position))
            #expect(other.range(position) == plain.range(position))
            #expect(other.holdsZeroes(position) == plain.holdsZeroes(position))
        }
        #expect(try other.allSums() == plain.allSums())
    }

    /// Starts a thread that puts a piece, and says when it has.
    private static func put(_ piece: Int, in row: FingerprintRow) -> DispatchSemaphore {
        let done = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            try? row.put([], at: piece) { _ in }
            done.signal()
        }
        return done
    }

    @Test func `Who is too far ahead waits for the one behind, and for nobody who gave up`() throws
    {
        let row = FingerprintRow(FingerprintWriter(), waitingLimit: 2)
        try row.put([], at: 1) { _ in }
        let ahead = Self.put(2, in: row)
        #expect(ahead.wait(timeout: .now() + 0.2) == .timedOut)
        try row.put([], at: 0) { _ in }
        #expect(ahead.wait(timeout: .now() + 60) == .success)
        let lost = Self.put(9, in: row)
        row.abandon()
        #expect(lost.wait(timeout: .now() + 60) == .success)
    }

    @Test(arguments: [1, 4])
    func `A disk that is full while fingerprints spill ends the job with the reason`(
        threads: Int
    ) throws {
        var state = ModelState()
        for number in 1...60 as ClosedRange<UInt64> {
            state.make(number)
            for slot in 0..<30 as Range<UInt64> {
                state.write(
                    Content.sectors(0..<8), to: number,
                    at: slot * 8 * ModelState.sector)
            }
        }
        var job = ModelJob(store: ModelStore(state))
        job.threads = threads
        let survey = job.survey()
        let spills = TestSpills(limitBytes: SumStore.blockBytes)
        #expect(throws: TestSpills.full) {
            try job.fingerprints(
                of: survey, into: FingerprintWriter(heldBytes: 0, spills: spills))
        }
        #expect(job.store.state.diskUse == state.diskUse)
    }
}
