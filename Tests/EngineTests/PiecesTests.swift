// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import SystemCalls
import Testing

@testable import Engine

/// Jobs whose time is over before their work is done.
@Suite struct PiecesTests {
    /// The time is over when so many batches were asked for.
    private final class Time: JobControl {
        private let left: Monitor<Int>

        init(batches: Int) { left = Monitor(batches) }

        var isCancelled: Bool { false }
        func checkpoint() throws(BtrfsError) {}
        var isTimeOver: Bool {
            left.withLock { left in
                left -= 1
                return left < 0
            }
        }
    }

    /// It is cancelled when that was asked for so often.
    private final class Cancelled: JobControl {
        private let left: Monitor<Int>

        init(after looks: Int) { left = Monitor(looks) }

        var isCancelled: Bool {
            left.withLock { left in
                left -= 1
                return left < 0
            }
        }
        func checkpoint() throws(BtrfsError) { if isCancelled { throw .cancellation } }
    }

    /// Runs until a job finds nothing to replace.
    private static func finish(_ job: ModelJob) throws {
        var job = job
        job.control = Unhindered()
        for _ in 0..<8 where try job.execute(try job.optimizePlan()).extentsReplaced == 0 { return }
    }

    private static func job(_ seed: Int) -> ModelJob {
        var generator = SeededGenerator(seed: UInt64(seed))
        var job = ModelJob(
            store: ModelStore(
                RandomisedLawTests.fileSystem(&generator, isPacked: seed.isMultiple(of: 2))))
        job.limits.batchContent = .kibibytes(32)
        job.makesHoles = seed.isMultiple(of: 3)
        job.lanes = seed.isMultiple(of: 4) ? 3 : 1
        return job
    }

    @Test("In pieces every law holds after each, and the end takes as much as in one sitting")
    func pieces() throws {
        var (whole, pieces, cut) = (UInt64(0), UInt64(0), 0)
        for seed in 0..<80 {
            let sitting = Self.job(seed)
            try Self.finish(sitting)
            whole += sitting.store.state.diskUse
            var job = Self.job(seed)
            job.order = .largestSavingFirst
            var (count, batches) = (0, 1 + seed % 3)
            while true {
                job.control = Time(batches: batches)
                let laws = Laws(before: job)
                let outcome = try job.execute(try job.optimizePlan())
                laws.check("\(seed), piece \(count)")
                // What does not shrink must not be tried first each time; of what holds zeroes as
                // well nothing is kept, and it takes more time to get past it.
                job.verdicts.add(outcome.verdicts)
                if outcome.extentsReplaced == 0 { batches += 1 }
                count += 1
                if outcome.left.extents == 0 { break }
                try #require(count < 100, "\(seed) does not come to its end")
            }
            cut += count - 1
            try Self.finish(job)
            pieces += job.store.state.diskUse
        }
        #expect(cut > 200, "there must be something to cut")
        #expect(Double(pieces) <= Double(whole) * 1.02, "\(pieces) for \(whole)")
    }

    /// Eight files of 64 KiB that are equal by twos, and shrink.
    private static func state() -> ModelState {
        var state = ModelState()
        for number in UInt64(1)...8 {
            state.make(number)
            let kinds = (0..<16).map { Int((number - 1) / 2) * 16 + $0 }
            state.write(Content.sectors(kinds), to: number, at: 0)
        }
        return state
    }

    private static func job(_ state: ModelState, batches: Int) -> ModelJob {
        var job = ModelJob(store: ModelStore(state))
        job.limits.batchContent = .kibibytes(64)
        job.order = .largestSavingFirst
        job.control = Time(batches: batches)
        return job
    }

    @Test("When the time is over no batch is begun, and all is left", arguments: [1, 3])
    func atOnce(lanes: Int) throws {
        var job = Self.job(Self.state(), batches: 0)
        job.lanes = lanes
        let plan = try job.dedupePlan()
        let outcome = try job.execute(plan)
        #expect(job.store.log.requests.isEmpty && job.store.log.writes == 0)
        #expect(outcome.left == Remainder(plan.replacements))
        #expect(outcome.left.extents > 2)
        #expect(outcome.left.predictedSaving == plan.predictedSaving)
    }

    @Test("What is done and what is left are the whole plan, and a batch that is begun is finished")
    func sum() throws {
        for batches in 1...3 {
            let job = Self.job(Self.state(), batches: batches)
            let laws = Laws(before: job)
            let plan = try job.dedupePlan()
            try #require(plan.replacements.count > 3)
            let last = Monitor(ByteCount.zero)
            let outcome = try job.execute(plan) { done, _ in last.withLock { $0 = done } }
            laws.check("\(batches)")
            #expect(outcome.extentsReplaced == batches)
            #expect(outcome.left.extents == plan.replacements.count - batches)
            #expect(outcome.left.disk + last.withLock { $0 } == Remainder(plan.replacements).disk)
        }
    }

    @Test("What a batch had no place for is not begun any more, and counts as left")
    func deferred() throws {
        var job = Self.job(Self.state(), batches: 1)
        job.limits.batchContent = .mebibytes(16)
        job.limits.batchReferences = 1
        let plan = try job.dedupePlan()
        let outcome = try job.execute(plan)
        #expect(outcome.extentsReplaced == 1)
        #expect(outcome.left.extents == plan.replacements.count - 1)
    }

    @Test("Whenever it is cancelled nothing is left twice", arguments: 0..<60)
    func cancelled(looks: Int) throws {
        var job = Self.job(Self.state(), batches: 0)
        job.limits.batchContent = .mebibytes(16)
        job.limits.batchReferences = 1
        job.control = Cancelled(after: looks)
        let laws = Laws(before: job)
        let plan = try job.dedupePlan()
        let last = Monitor(ByteCount.zero)
        let outcome = try job.execute(plan) { done, _ in last.withLock { $0 = done } }
        laws.check("\(looks)", itemsMore: 8)
        let whole = Remainder(plan.replacements).disk
        #expect(outcome.left.disk + last.withLock { $0 } == whole)
    }

    @Test("Keepers are found where they are packed, by the places that show them")
    func keepers() throws {
        // Two equal files that shrink, one that is like neither, and a clone of the first.
        var state = ModelState()
        for number in UInt64(1)...3 {
            state.make(number)
            let kinds = (0..<32).map { 1000 + (number == 3 ? 100 : 0) + $0 }
            state.write(Content.sectors(kinds), to: number, at: 0)
        }
        state.make(4)
        state.clone(1, 0..<(128 << 10), to: 4, at: 0)
        var job = ModelJob(store: ModelStore(state))
        job.limits.batchContent = .kibibytes(128)
        let survey = job.survey()
        let batches = Batches.make(
            try job.optimizePlan().replacements, contentLimit: job.limits.batchContent)
        try #require(batches.count == 3)
        let pointed = try #require(batches.firstIndex { $0.first?.pieces.isEmpty == false })
        let keeper = try #require(batches[pointed].first?.pieces.first?.keeper)
        let needs = try #require(PackedKeepers(batches, survey)).needs(of: batches)
        #expect(needs.indices.filter { !needs[$0].isEmpty } == [pointed])
        let needed = try #require(needs[pointed].first)
        let first = try #require(batches[needed].first)
        let extent = try #require(survey.extent(at: first.address))
        #expect(
            survey.references(to: extent).contains {
                survey.files[$0.file].image.inode == keeper.inode
            })
        // One place is of what is like no other, two are of what two files share.
        #expect((PackedKeepers(batches, survey, placeLimit: 2) == nil) == true)
        #expect((PackedKeepers(batches, survey, placeLimit: 3) == nil) == false)
    }
}
