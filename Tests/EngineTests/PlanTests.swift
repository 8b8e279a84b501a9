// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Testing

@testable import Engine

@Suite struct PlanTests {
    static let sector = ModelState.sector

    /// A file of one extent, with the role and the rules that are asked about.
    static func job(
        _ content: [UInt8] = Content.sectors(0..<8), packedTo: UInt64? = nil,
        volumes: [Scope.Volume] = [ModelJob.volume()], owners: [Int] = [0],
        _ change: (inout ModelState) -> Void = { _ in }
    ) -> ModelJob {
        var state = ModelState()
        state.make(1)
        state.write(content, to: 1, at: 0, packedTo: packedTo)
        change(&state)
        return ModelJob(
            store: ModelStore(state), owners: [ModelState.inode(1): owners], volumes: volumes)
    }

    static func judge(
        _ images: [ImageFile], volumes: [Scope.Volume] = [ModelJob.volume()],
        includesLiveOnly: Bool = false, hasNoChecksums: Bool = false
    ) -> Scope.Judgement? {
        var state = ModelState()
        state.make(1) { $0.hasNoChecksums = hasNoChecksums }
        state.make(2)
        state.write(Content.sectors(0..<8), to: 1, at: 0)
        state.clone(1, 0..<(8 * sector), to: 2, at: 0)
        let survey = Surveyor.held(images, in: ModelStore(state))
        let scope = Scope(volumes: volumes, includesLiveOnly: includesLiveOnly)
        return survey.extents.first.map { scope.judge($0, in: survey) }
    }

    // MARK: Scope

    @Test func `An extent of a selected volume is a candidate, whoever else uses it`() {
        let volumes = [ModelJob.volume(), ModelJob.volume(selected: false)]
        #expect(
            Self.judge([SurveyTests.image(1, [0]), SurveyTests.image(2, [1])], volumes: volumes)
                == .candidate)
        #expect(
            Self.judge([SurveyTests.image(1, [1]), SurveyTests.image(2, [1])], volumes: volumes)
                == .outside)
    }

    @Test func `An extent that any skipped volume uses is left`() {
        let volumes = [ModelJob.volume(), ModelJob.volume(selected: false, skipped: true)]
        #expect(
            Self.judge([SurveyTests.image(1, [0]), SurveyTests.image(2, [1])], volumes: volumes)
                == .leave(.skipped))
    }

    @Test func `What live images alone use is left unless the request says so`() {
        let live = [SurveyTests.image(1, isLive: true), SurveyTests.image(2, isLive: true)]
        #expect(Self.judge(live) == .leave(.onlyLive))
        #expect(Self.judge(live, includesLiveOnly: true) == .candidate)
        #expect(Self.judge([live[0], SurveyTests.image(2)]) == .candidate)
    }

    @Test func `What is only being made, and what has no checksums, is left`() {
        #expect(Self.judge([SurveyTests.image(1, isTransient: true)]) == .leave(.beingMade))
        #expect(
            Self.judge([SurveyTests.image(1, isTransient: true), SurveyTests.image(2)])
                == .candidate)
        #expect(Self.judge([SurveyTests.image(1)], hasNoChecksums: true) == .leave(.noChecksums))
    }

    // MARK: Compression

    static func levels(
        _ volumes: [Scope.Volume], requested: Int? = nil
    ) -> (levels: [Int], left: [LeftAloneReason]) {
        let job = job(volumes: volumes, owners: Array(volumes.indices))
        let plan = CompressionPlanner.plan(
            job.survey(), scope: job.scope, requested: Replacement.Rewriting(number: requested),
            sectorBytes: .kibibytes(4))
        let levels = plan.replacements.compactMap { replacement -> Int? in
            if case .packed(let level) = replacement.rewriting { level } else { nil }
        }
        return (levels, Array(plan.leftAlone.tallies.keys))
    }

    @Test func `The request's level goes before the qube's own, which goes before the default`() {
        #expect(Self.levels([ModelJob.volume()]).levels == [3])
        #expect(Self.levels([ModelJob.volume(level: 9)]).levels == [9])
        #expect(Self.levels([ModelJob.volume(level: 9)], requested: 5).levels == [5])
        #expect(
            Self.levels([ModelJob.volume(level: 2), ModelJob.volume(level: 12)]).levels == [12])
    }

    @Test func `Off stays off, even if a level is asked for, unless another user wants it`() {
        #expect(Self.levels([ModelJob.volume(level: 0)]).left == [.switchedOff])
        #expect(Self.levels([ModelJob.volume(level: 0)], requested: 9).left == [.switchedOff])
        #expect(Self.levels([ModelJob.volume(level: 0), ModelJob.volume(level: 4)]).levels == [4])
        let unselected = ModelJob.volume(selected: false, level: 19)
        #expect(Self.levels([ModelJob.volume(level: 0), unselected]).left == [.switchedOff])
    }

    @Test func `What is compressed already, or too small to shrink, is left`() {
        let packed = Self.job(packedTo: 4096).compressionPlan()
        #expect(packed.replacements.isEmpty)
        #expect(packed.leftAlone.tallies.map(\.key) == [.alreadyCompressed])
        #expect(packed.leftAlone.tallies[.alreadyCompressed]?.disk == .kibibytes(4))
        let small = Self.job(Content.sector(1000)).compressionPlan()
        #expect(small.leftAlone.tallies.map(\.key) == [.tooSmall])
        #expect(Self.job(Content.sectors(0..<2)).compressionPlan().replacements.count == 1)
    }

    // MARK: Dedupe

    /// The content that each piece says to be equal is; returns the plan.
    static func checkedPlan(
        _ job: ModelJob, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Plan {
        let plan = try job.dedupePlan()
        let state = job.store.state
        for replacement in plan.replacements {
            #expect(replacement.predictedSaving > .zero, sourceLocation: sourceLocation)
            let content = state.extents[replacement.address.rawValue]?.content ?? []
            var end = ByteCount.zero
            for piece in replacement.pieces {
                #expect(piece.range.lowerBound >= end, sourceLocation: sourceLocation)
                end = piece.range.upperBound
                let start = piece.keeper.offset.rawValue
                let range =
                    start..<(start
                    + UInt64(piece.range.upperBound.count - piece.range.lowerBound.count))
                let here = Array(
                    content[piece.range.lowerBound.count..<piece.range.upperBound.count])
                #expect(
                    state.bytes(of: piece.keeper.inode, range) == here,
                    sourceLocation: sourceLocation)
                let own = (state.files[piece.keeper.inode]?.items ?? []).filter {
                    $0.clipped(to: range) != nil && $0.address == replacement.address.rawValue
                }
                #expect(own.isEmpty, "replaced by itself", sourceLocation: sourceLocation)
            }
        }
        return plan
    }

    static func two(
        _ second: [UInt8], volumes: [Scope.Volume] = [ModelJob.volume()], owner: Int = 0,
        packedTo: UInt64? = nil
    ) -> ModelJob {
        var job = job(Content.sectors(0..<32), volumes: volumes) {
            $0.make(2)
            $0.write(second, to: 2, at: 0, packedTo: packedTo)
        }
        job.owners[ModelState.inode(2)] = [owner]
        return job
    }

    @Test func `One of two equal extents is replaced by the other`() throws {
        let plan = try Self.checkedPlan(Self.two(Content.sectors(0..<32)))
        #expect(plan.replacements.map(\.pieces.count) == [1])
        #expect(plan.predictedSaving + plan.predictedMetadata == .kibibytes(128))
    }

    @Test func `A compressed copy and a plain one know each other`() throws {
        let plan = try Self.checkedPlan(Self.two(Content.sectors(0..<32), packedTo: 65536))
        #expect(plan.replacements.count == 1)
    }

    @Test(arguments: 1...12) func `A copy at another shift is found, and its rest written anew`(
        shift: Int
    ) throws {
        let own = (40..<(40 + shift)).map { $0 }
        let job = Self.two(Content.sectors(own + Array(0..<(31 - shift))))
        let plan = try Self.checkedPlan(job)
        #expect(plan.replacements.count == 1)
        let kibibytes = UInt64(31 - shift) * 4
        #expect(plan.predictedSaving + plan.predictedMetadata == .kibibytes(kibibytes))
        #expect(plan.replacements[0].pieces.map { $0.range.lowerBound.count } == [shift * 4096])
        _ = try job.execute(plan)
        #expect(job.store.state.brokenFiles.isEmpty)
        #expect(job.store.state.diskUse == UInt64(32 + shift) * Self.sector)
    }

    @Test func `Nothing double plans nothing`() throws {
        #expect(try Self.checkedPlan(Self.two(Content.sectors(32..<64))).replacements.isEmpty)
    }

    @Test func `An extent that shows the same twice is not replaced by itself`() throws {
        let job = Self.job(Content.sectors(Array(0..<16) + Array(0..<16)))
        #expect(try Self.checkedPlan(job).replacements.isEmpty)
    }

    @Test func `Volumes of two groups never come to share`() throws {
        let volumes = [ModelJob.volume(group: 0), ModelJob.volume(group: 1)]
        let apart = Self.two(Content.sectors(0..<32), volumes: volumes, owner: 1)
        #expect(try Self.checkedPlan(apart).replacements.isEmpty)
        let together = Self.two(
            Content.sectors(0..<32), volumes: [volumes[0], ModelJob.volume(group: 0)], owner: 1)
        #expect(try Self.checkedPlan(together).replacements.count == 1)
    }

    @Test func `What only live images use, and what a skipped qube uses, stays`() throws {
        var live = Self.two(Content.sectors(0..<32))
        live.roles.live = [ModelState.inode(1), ModelState.inode(2)]
        let plan = try Self.checkedPlan(live)
        #expect(plan.replacements.isEmpty)
        #expect(plan.leftAlone.tallies[.onlyLive]?.extents == 2)
        let volumes = [ModelJob.volume(), ModelJob.volume(skipped: true)]
        let skipped = Self.two(Content.sectors(0..<32), volumes: volumes, owner: 1)
        let left = try Self.checkedPlan(skipped)
        #expect(left.replacements.isEmpty)
        #expect(left.leftAlone.tallies[.skipped]?.extents == 1)
    }

    @Test func `A live image's extent keeps what a cold one gives up only where it is in scope`()
        throws
    {
        var job = Self.two(Content.sectors(0..<32))
        job.roles.live = [ModelState.inode(2)]
        #expect(try Self.checkedPlan(job).replacements.isEmpty)
        job.includesLiveOnly = true
        #expect(try Self.checkedPlan(job).replacements.count == 1)
    }

    @Test func `Two thousand extents of zeroes take one piece each, all from one keeper`() throws {
        var state = ModelState()
        state.make(1)
        let zeroes = Content.sectors(repeatElement(1000, count: 4))
        let item = (0..<2000).map { index in
            ModelState.Item(
                fileOffset: UInt64(index) * 4 * Self.sector, length: 4 * Self.sector,
                address: state.add(zeroes), offsetInExtent: 0)
        }
        state.files[ModelState.inode(1)]?.items = item
        state.files[ModelState.inode(1)]?.truth = [UInt8](repeating: 0, count: 2000 * 16384)
        let plan = try ModelJob(store: ModelStore(state)).dedupePlan()
        #expect(plan.replacements.count == 1999)
        #expect(plan.replacements.allSatisfy { $0.pieces.count == 1 })
        #expect(Set(plan.replacements.flatMap { $0.pieces.map(\.keeper) }).count == 1)
    }
}
