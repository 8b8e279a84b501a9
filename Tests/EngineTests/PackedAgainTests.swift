// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Testing

@testable import Engine

/// What others have packed, or a job at a lower level.
@Suite("What is packed worse than is wanted is packed again")
struct PackedAgainTests {
    static let sector = ModelState.sector

    /// An extent of 16 sectors that the model packs to one, and others have packed to eight.
    static func job(
        _ compression: Compression = .zstd, volume: Scope.Volume = ModelJob.volume(),
        levelOfOthers: Int? = 3
    ) -> ModelJob {
        var state = ModelState()
        state.make(1)
        state.write(
            Content.sectors(repeatElement(1001, count: 16)), to: 1, at: 0,
            packedTo: 8 * sector, by: compression)
        var job = ModelJob(store: ModelStore(state), volumes: [volume])
        job.levelOfOthers = levelOfOthers
        return job
    }

    static func level(_ job: ModelJob, requested: Int?) -> Int? {
        let plan = job.compressionPlan(level: requested)
        #expect(
            plan.replacements.count + (plan.leftAlone.tallies[.alreadyCompressed]?.extents ?? 0)
                == 1)
        return plan.replacements.first?.rewriting.level
    }

    // MARK: Which

    @Test("zlib and LZO extents are, at whatever level", arguments: [Compression.zlib, .lzo])
    func otherKinds(compression: Compression) {
        #expect(Self.level(Self.job(compression), requested: nil) == 3)
        #expect(Self.level(Self.job(compression), requested: 1) == 1)
        #expect(
            Self.level(
                Self.job(compression, volume: ModelJob.volume(level: 9)), requested: nil) == 9)
        #expect(
            Self.level(
                Self.job(compression, volume: ModelJob.volume(level: 0)), requested: nil) == nil)
        #expect(Self.level(Self.job(compression, levelOfOthers: nil), requested: 9) == nil)
    }

    @Test(
        "zstd extents are where a level was asked for that is higher than others pack at",
        arguments: [
            // What was requested, the qube's own, that of others, what comes of it.
            (4, nil, 3, 4), (3, nil, 3, nil), (1, nil, 3, nil), (2, nil, 1, 2), (15, nil, 15, nil),
            (1, nil, -3, 1), (nil, nil, 1, nil), (nil, 9, 3, 9), (nil, 3, 3, nil),
            (nil, 9, nil, nil), (9, nil, nil, nil), (9, 0, 3, nil), (9, 5, 7, 9), (5, 9, 7, nil),
        ] as [(Int?, Int?, Int?, Int?)])
    func zstd(requested: Int?, own: Int?, others: Int?, expected: Int?) {
        let job = Self.job(volume: ModelJob.volume(level: own), levelOfOthers: others)
        #expect(Self.level(job, requested: requested) == expected)
    }

    @Test("The level that is left to the default does not count as asked for, whoever else asks")
    func defaultLevel() {
        var job = Self.job(levelOfOthers: 1)
        job.volumes = [ModelJob.volume(), ModelJob.volume(level: 2)]
        job.owners = [ModelState.inode(1): [0, 1]]
        #expect(Self.level(job, requested: nil) == nil, "3 by default, and 2 was asked for")
        job.volumes[1] = ModelJob.volume(level: 9)
        #expect(Self.level(job, requested: nil) == 9)
    }

    @Test("What takes one sector, and could not share a frame, is not read", arguments: [2, 32])
    func smallest(sectors: Int) {
        var state = ModelState()
        state.make(1)
        // Of the neighbours only the short ones could be in one frame.
        for index in 0..<2 {
            state.write(
                Content.sectors(repeatElement(1001, count: sectors)), to: 1,
                at: UInt64(index * sectors) * Self.sector, packedTo: Self.sector)
        }
        var job = ModelJob(store: ModelStore(state))
        job.levelOfOthers = 1
        #expect(job.compressionPlan().replacements.count == (sectors < 32 ? 2 : 0))
    }

    // MARK: What comes of it

    @Test("It takes less afterwards, and a second run at the same level reads nothing")
    func secondRun() throws {
        var job = Self.job()
        let laws = Laws(before: job)
        let outcome = try VerdictTests.compress(&job, level: 9)
        laws.check()
        #expect(outcome.extentsReplaced == 1)
        #expect(job.store.state.diskUse == Self.sector)
        #expect(outcome.verdicts.map(\.finding) == [.packed])
        #expect(outcome.verdicts.map(\.level) == [9])
        #expect(outcome.verdicts.map(\.address.rawValue) == Array(job.store.state.extents.keys))
        #expect(Self.level(job, requested: 9) == nil)
        #expect(Self.level(job, requested: 3) == nil)
    }

    /// An extent that the model packs to 13 sectors, and others have packed as well.
    static func wellPacked() -> ModelJob {
        var state = ModelState()
        state.make(1)
        state.write(
            Content.sectors(repeatElement(1001, count: 20) + (0..<12).map { $0 }), to: 1, at: 0,
            packedTo: UInt64(25) * sector)
        var job = ModelJob(store: ModelStore(state))
        job.levelOfOthers = 3
        return job
    }

    @Test("What does not pay stays, is known to, and costs a second run no read")
    func noGain() throws {
        var job = Self.wellPacked()
        let laws = Laws(before: job)
        let outcome = try VerdictTests.compress(&job, level: 9)
        laws.check()
        #expect(outcome.extentsReplaced == 0)
        #expect(job.store.log.writes == 0)
        #expect(outcome.leftAlone.tallies.map(\.key) == [.alreadyCompressed])
        #expect(outcome.verdicts.map(\.finding) == [.doesNotShrink])
        let reads = job.store.log.readBytes
        #expect(Self.level(job, requested: 9) == nil)
        #expect(Self.level(job, requested: 10) == 10)
        #expect(job.store.log.readBytes == reads)
    }

    @Test("What was packed at a level is packed again at a higher one only")
    func known() throws {
        var job = Self.wellPacked()
        let extent = job.survey().extents[0]
        job.verdicts.add(
            [
                try #require(
                    Verdict(
                        address: extent.address, generation: extent.generation, finding: .packed,
                        level: 9))
            ])
        #expect(Self.level(job, requested: 9) == nil)
        #expect(Self.level(job, requested: 10) == 10)
        // That a part of it is used no more does not make it worse packed.
        job.store.change { $0.write(Content.sector(60), to: 1, at: 0) }
        #expect(job.compressionPlan(level: 9).replacements.isEmpty)
        let newer = try #require(
            Verdict(
                address: extent.address, generation: Generation(extent.generation.rawValue + 1),
                finding: .packed, level: 9))
        job.verdicts.add([newer])
        #expect(
            job.compressionPlan(level: 9).replacements.map(\.address).contains(extent.address))
    }

    @Test("Neighbours are packed together, and one that is packed well already bears less")
    func neighbours() throws {
        var state = ModelState()
        state.make(1)
        // 4 of 8 sectors, 1 of 8, 2 of 8: the model makes one sector of all.
        for (index, disk) in [4, 1, 2].enumerated() {
            state.write(
                Content.sectors(repeatElement(1001, count: 8)), to: 1,
                at: UInt64(index) * 8 * Self.sector, packedTo: UInt64(disk) * Self.sector)
        }
        var job = ModelJob(store: ModelStore(state))
        job.levelOfOthers = 3
        let laws = Laws(before: job)
        let outcome = try VerdictTests.compress(&job, level: 9)
        laws.check()
        #expect(outcome.extentsReplaced == 3)
        #expect(job.store.state.diskUse == Self.sector)
    }

    @Test("Both in one pass pack again as well")
    func optimize() throws {
        let job = Self.job(.lzo)
        #expect(try job.optimizePlan().replacements.map(\.rewriting) == [.packed(level: 3)])
        var left = job
        left.levelOfOthers = nil
        #expect(try left.optimizePlan().replacements.isEmpty)
    }

    @Test("What stays plain within what was packed is known not to shrink")
    func plainFrames() throws {
        var state = ModelState()
        state.make(1)
        state.write(
            Content.sectors(repeatElement(1001, count: 32) + (0..<32).map { $0 }), to: 1, at: 0)
        var job = ModelJob(store: ModelStore(state))
        let outcome = try VerdictTests.compress(&job)
        #expect(outcome.extentsReplaced == 1)
        #expect(Set(outcome.verdicts.map(\.finding)) == [.packed, .doesNotShrink])
        let plan = job.compressionPlan()
        #expect(plan.replacements.isEmpty)
        #expect(plan.leftAlone.tallies[.doesNotShrink]?.extents == 1)
    }

    @Test("What is unique in a packed extent is packed no worse than the extent was")
    func uniqueParts() throws {
        var state = ModelState()
        for number in UInt64(1)...2 { state.make(number) }
        state.write(Content.sectors(0..<16), to: 1, at: 0)
        state.write(
            Content.sectors(0..<16) + Content.sectors(40..<44), to: 2, at: 0,
            packedTo: 19 * Self.sector)
        var job = ModelJob(store: ModelStore(state))
        #expect(try job.dedupePlan().replacements.map(\.rewriting) == [.packed(level: 3)])
        let extent = try #require(job.survey().extents.first { $0.compression == .zstd })
        job.verdicts.add(
            [
                try #require(
                    Verdict(
                        address: extent.address, generation: extent.generation, finding: .packed,
                        level: 12))
            ])
        let both = try job.optimizePlan().replacements.filter { !$0.pieces.isEmpty }
        #expect(both.map(\.rewriting) == [.packed(level: 12)])
    }

    @Test("An entry that says what is taken anyway is not kept")
    func worthKeeping() throws {
        func isKept(_ finding: Verdict.Finding, level: Int, others: Int) throws -> Bool {
            try #require(
                Verdict(
                    address: LogicalAddress(4096), generation: Generation(1), finding: finding,
                    level: level)
            ).isWorthKeeping(others)
        }
        #expect(try !isKept(.packed, level: 3, others: 3))
        #expect(try isKept(.doesNotShrink, level: 3, others: 3))
        #expect(try isKept(.packed, level: 9, others: 3))
        #expect(try isKept(.packed, level: 3, others: 1))
        // The option may be gone by then, and to try it all again would take long.
        #expect(try isKept(.packed, level: 15, others: 15))
    }
}
