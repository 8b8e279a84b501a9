// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Testing

@testable import Engine

/// `compress --plain`.
@Suite("What is packed becomes plain where that is asked for")
struct UnpackTests {
    private static let sector = ModelState.sector

    private static func left(_ plan: Plan) -> [LeftAloneReason] {
        Array(plan.leftAlone.tallies.keys)
    }

    @Test("It holds the same, in one piece for all files, and a second run does nothing")
    func unpacks() throws {
        var state = ModelState()
        state.make(1)
        for index in UInt64(0)..<4 {
            state.write(
                Content.sectors(repeatElement(1001 + Int(index), count: 32)), to: 1,
                at: index * 32 * Self.sector, packedTo: Self.sector)
        }
        state.make(2)
        state.clone(1, 0..<(4 * 32 * Self.sector), to: 2, at: 0)
        let job = ModelJob(store: ModelStore(state))
        let laws = Laws(before: job)
        let plan = job.compressionPlan(level: 0)
        let growth = (4 * 32 - 4) * Self.sector
        #expect(plan.growth.rawValue == growth)
        let outcome = try job.execute(plan)
        laws.check(growth: growth)
        #expect(outcome.extentsReplaced == 4)
        #expect(outcome.saved == .zero)
        let extents = job.survey().extents
        #expect(extents.allSatisfy { $0.compression == .none })
        #expect(extents.allSatisfy { $0.references.count == 2 }, "still shared")
        #expect(job.store.state.diskUse == 4 * 32 * Self.sector)
        let again = job.compressionPlan(level: 0)
        #expect(again.replacements.isEmpty)
        #expect(Self.left(again) == [.alreadyPlain])
    }

    @Test(
        "What others use stays packed, but for those who want nothing packed",
        arguments: [(nil, false), (3, false), (0, true)] as [(Int?, Bool)])
    func others(level: Int?, isUnpacked: Bool) {
        var job = PackedAgainTests.job()
        job.volumes = [
            ModelJob.volume(level: 9), ModelJob.volume(selected: false, level: level),
        ]
        job.owners = [ModelState.inode(1): [0, 1]]
        let plan = job.compressionPlan(level: 0)
        #expect(plan.replacements.map(\.rewriting) == (isUnpacked ? [.plain] : []))
        #expect(Self.left(plan) == (isUnpacked ? [] : [.packedForOthers]))
    }

    @Test("All kinds are, one sector on the disk or many", arguments: [Compression.zlib, .lzo])
    func kinds(compression: Compression) {
        let plan = PackedAgainTests.job(compression).compressionPlan(level: 0)
        #expect(plan.replacements.map(\.rewriting) == [.plain])
        #expect(plan.growth.rawValue == 8 * Self.sector)
    }

    @Test("What is plain does not grow, and nothing else does", arguments: [nil, 3] as [Int?])
    func noGrowth(level: Int?) {
        #expect(PackedAgainTests.job(.lzo).compressionPlan(level: level).growth == .zero)
    }

    @Test(arguments: 0..<60) func `Unpacking keeps every other law`(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(2000 + seed))
        var job = ModelJob(
            store: ModelStore(RandomisedLawTests.fileSystem(&generator, isPacked: true)))
        job.lanes = seed.isMultiple(of: 4) ? 3 : 1
        job.limits.batchContent = .kibibytes(64)
        let laws = Laws(before: job)
        let plan = job.compressionPlan(level: 0)
        // What a file shows of an extent in part is written for that part.
        _ = try job.execute(plan)
        laws.check("\(seed)", growth: plan.growth.rawValue + job.store.state.metadataUse)
        #expect(job.survey().extents.allSatisfy { $0.compression == .none }, "\(seed)")
    }
}
