// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import SystemCalls
import Testing

@testable import Engine

/// What a job has found out spares the next one the reads.
@Suite("Verdicts on extents that do not shrink")
struct VerdictTests {
    static let sector = ModelState.sector
    /// What an extent of noise takes.
    static let noiseBytes = 16 * sector

    /// Four extents of noise in a file, none like another, and in another file what shrinks.
    static func album() -> ModelState {
        var state = ModelState()
        state.make(1)
        state.make(2)
        for index in UInt64(0)..<4 {
            let kinds = (Int(index) * 16)..<(Int(index) * 16 + 16)
            state.write(Content.sectors(kinds), to: 1, at: index * noiseBytes)
        }
        state.write(Content.sectors(repeatElement(1001, count: 16)), to: 2, at: 0)
        return state
    }

    /// Compresses, and takes what was found out.
    @discardableResult
    static func compress(_ job: inout ModelJob, level: Int = 3) throws -> ExecutionOutcome {
        let outcome = try job.execute(job.compressionPlan(level: level))
        job.verdicts.add(outcome.verdicts)
        return outcome
    }

    static func noise(_ plan: Plan, _ job: ModelJob) -> Int {
        plan.replacements.count {
            (job.store.state.extents[$0.address.rawValue]?.content).map {
                $0.starts(with: Content.sector(1001)) == false
            } ?? false
        }
    }

    @Test("One block has changed, and nothing of what did not shrink is read again")
    func changedBlock() throws {
        var job = ModelJob(store: ModelStore(Self.album()))
        let laws = Laws(before: job)
        let first = try Self.compress(&job)
        #expect(first.verdicts.count { $0.finding == .doesNotShrink } == 4)
        #expect(job.store.log.readBytes >= 4 * Int(Self.noiseBytes))
        job.store.change {
            $0.write(Content.sectors(repeatElement(1001, count: 2)), to: 2, at: 4 * Self.sector)
        }
        let before = job.store.log.readBytes
        let plan = job.compressionPlan()
        #expect(plan.leftAlone.tallies[.doesNotShrink]?.extents == 4)
        let second = try job.execute(plan)
        #expect(second.extentsReplaced == 1)
        #expect(second.verdicts.allSatisfy { $0.finding == .packed })
        #expect(job.store.log.readBytes - before <= 2 * Int(Self.sector))
        laws.check()
    }

    @Test("Both in one pass rest on them as well")
    func optimize() throws {
        var job = ModelJob(store: ModelStore(Self.album()))
        let first = try job.execute(try job.optimizePlan())
        #expect(first.verdicts.count { $0.finding == .doesNotShrink } == 4)
        job.verdicts.add(first.verdicts)
        let second = try job.optimizePlan()
        #expect(Self.noise(second, job) == 0)
        #expect(second.leftAlone.tallies[.doesNotShrink]?.extents == 4)
    }

    @Test("A higher level asks again, a lower one does not", arguments: [1, 3, 4, 19])
    func levels(level: Int) throws {
        var job = ModelJob(store: ModelStore(Self.album()))
        try Self.compress(&job, level: 3)
        #expect(Self.noise(job.compressionPlan(level: level), job) == (level > 3 ? 4 : 0))
        try Self.compress(&job, level: 9)
        #expect(Self.noise(job.compressionPlan(level: level), job) == (level > 9 ? 4 : 0))
    }

    @Test("Another extent at the address asks again", arguments: [-1, 0, 1])
    func generations(difference: Int) throws {
        var job = ModelJob(store: ModelStore(Self.album()))
        let verdicts = try job.compress().verdicts.compactMap { verdict in
            Verdict(
                address: verdict.address,
                generation: Generation(
                    UInt64(Int(verdict.generation.rawValue) + difference)), level: 3)
        }
        job.verdicts.add(verdicts)
        #expect(Self.noise(job.compressionPlan(), job) == (difference == 0 ? 0 : 4))
    }

    @Test("What nobody uses any more comes back, so that it is asked again")
    func lessUsed() throws {
        var state = ModelState()
        state.make(1)
        state.write(Content.sectors((0..<120).map { $0 % 64 }), to: 1, at: 0)
        var job = ModelJob(store: ModelStore(state))
        try Self.compress(&job)
        // Less than a 64th of it: not worth a look.
        job.store.change { $0.write(Content.sector(7), to: 1, at: 0) }
        #expect(job.compressionPlan().leftAlone.tallies[.doesNotShrink]?.extents == 1)
        job.store.change { $0.write(Content.sectors(0..<64), to: 1, at: 0) }
        let laws = Laws(before: job)
        #expect(try Self.compress(&job).extentsReplaced == 1)
        laws.check()
    }

    @Test("A file that no survey shows uses more: what is true for it need not be later")
    func usedElsewhere() throws {
        var job = ModelJob(store: ModelStore(Self.album()))
        // The survey's file uses half of the first extent, another one all of it.
        let plan = job.compressionPlan()
        job.store.change { state in
            state.make(9)
            state.clone(1, 0..<Self.noiseBytes, to: 9, at: 0)
            state.write(Content.sectors(0..<8), to: 1, at: 0)
        }
        job.verdicts.add(try job.execute(plan).verdicts)
        job.store.change { $0.files[ModelState.inode(9)] = nil }
        let again = job.compressionPlan().replacements.map(\.address.rawValue)
        #expect(again.contains(job.store.state.extents.keys.min() ?? 0))
    }

    @Test("What costs as much in metadata as it brings gets no verdict")
    func metadata() throws {
        var state = ModelState()
        state.make(1)
        state.write(
            Content.sectors(repeatElement(1007, count: 20) + (0..<12).map { $0 }), to: 1, at: 0)
        var job = ModelJob(store: ModelStore(state))
        job.limits.price = MetadataPrice(
            nodeBytes: .kibibytes(16), dataCopies: 1, metadataCopies: 1000)
        let outcome = try job.compress()
        #expect(outcome.leftAlone.tallies.map(\.key) == [.doesNotShrink])
        #expect(outcome.verdicts.isEmpty)
    }

    @Test("What many use and what does not shrink does not shrink, and is known not to")
    func manyUsers() throws {
        // One sector of 128 comes back, and a hundred references cost more.
        var state = ModelState()
        state.make(1)
        let content = repeatElement(1007, count: 2) + (0..<126).map { $0 % 64 }
        state.write(Content.sectors(content), to: 1, at: 0)
        for number in UInt64(2)...10 {
            state.make(number)
            state.clone(1, 0..<(128 * Self.sector), to: number, at: 0)
        }
        let outcome = try ModelJob(store: ModelStore(state)).compress()
        #expect(outcome.leftAlone.tallies.map(\.key) == [.doesNotShrink])
        #expect(outcome.verdicts.count == 1)
    }

    @Test("Only what was to be packed whole, for its space, is told of")
    func others() throws {
        // Neighbours that would be joined, and would take more than they do.
        var state = ModelState()
        state.make(1)
        for index in 0..<2 {
            state.write(
                Content.sectors((index * 4)..<(index * 4 + 4)), to: 1,
                at: UInt64(index) * 4 * Self.sector, packedTo: Self.sector)
        }
        let small = ModelJob(store: ModelStore(state))
        let order = DefragmentationPlanner.plan(small.survey(), scope: small.scope)
        #expect(order.replacements.count == 2)
        #expect(try small.execute(order).verdicts.isEmpty)
        // What was said to stand elsewhere does not.
        let job = ModelJob(store: ModelStore(ExecutorFaultTests.collision()))
        let survey = job.survey()
        let both = try DedupePlanner.plan(
            survey,
            try job.fingerprints(of: survey, forged: try ExecutorFaultTests.forged(job)),
            scope: job.scope, sectorBytes: job.store.sectorBytes,
            compression: .packed(requested: .packed(level: 3)))
        var parts = Plan()
        parts.replacements = both.replacements.filter { !$0.pieces.isEmpty }
        let outcome = try job.execute(parts)
        #expect(outcome.leftAlone.tallies[.doesNotShrink]?.extents == 1)
        #expect(outcome.verdicts.isEmpty)
    }

    @Test("Where a hole can be made, a verdict does not stand in its way")
    func holes() throws {
        var job = ModelJob(store: ModelStore(Self.album()))
        job.makesHoles = true
        try Self.compress(&job)
        let survey = job.survey()
        var plan = Plan()
        let extents = survey.extents.indices.filter { survey.extents[$0].compression == .none }
        plan.add(
            extents, of: survey, scope: job.scope, requested: .packed(level: 3),
            sectorBytes: job.store.sectorBytes, verdicts: job.verdicts
        ) { index in
            index == extents[0] ? [ByteCount.zero..<ByteCount(8 * Self.sector)] : []
        }
        #expect(plan.replacements.map(\.address) == [survey.extents[extents[0]].address])
    }

    /// Cancelled from outside.
    private final class Switch: JobControl {
        private let isOn = Monitor(false)

        func turnOn() { isOn.withLock { $0 = true } }
        var isCancelled: Bool { isOn.withLock { $0 } }
        func checkpoint() throws(BtrfsError) { if isCancelled { throw .cancellation } }
        func hasRoom(forMetadata bytes: ByteCount) -> Bool { true }
    }

    @Test("A job that is cancelled tells what it had found out by then")
    func cancelled() throws {
        var job = ModelJob(store: ModelStore(Self.album()))
        job.limits.batchContent = ByteCount(Self.noiseBytes)
        let control = Switch()
        job.control = control
        var faults = ModelStore.Faults()
        faults.onRead = { number, _ in
            if number == 3 { control.turnOn() }
            return nil
        }
        job.store.set(faults)
        #expect((1..<4).contains(try job.compress().verdicts.count))
    }

    @Test("An estimate takes no sample of it, and is sure of it")
    func estimate() throws {
        var state = Self.album()
        state.files[ModelState.inode(2)] = nil
        var job = ModelJob(store: ModelStore(state))
        try Self.compress(&job, level: 2)
        job.verdicts = job.verdicts.atEstimatedLevel
        #expect(EstimateTests.book(job, seed: 1).sampleCount > 0, "level 2 says little of 3")
        try Self.compress(&job, level: 3)
        job.verdicts = job.verdicts.atEstimatedLevel
        let book = EstimateTests.book(job, seed: 1)
        #expect(book.sampleCount == 0)
        let figures = book.figures(ofVolumes: [0])
        #expect(figures.diskBytes == 4 * Self.noiseBytes)
        #expect(figures.levels.allSatisfy { $0.compress == EstimatedSaving() })
    }
}
