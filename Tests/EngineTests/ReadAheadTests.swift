// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Foundation
import Synchronization
import Testing

@testable import Engine

/// How far a job reads ahead, and that heavy work waits for its turn.
@Suite struct ReadAheadTests {
    private static func context(_ job: ModelJob) -> LaneContext {
        LaneContext(
            store: job.store, roles: job.roles, limits: job.limits, control: job.control,
            zeroes: nil, newestGeneration: Generation(.max), now: job.now)
    }

    @Test("The read ahead of a batch ends at its limit", arguments: [0, 1, 2])
    func scout(mebibytes: UInt64) throws {
        // Large ones are looked at first: 1.4 MiB of all eight.
        var job = ModelJob(
            store: ModelStore(ReadingTests.state(extents: 8, shrinking: Set(0..<8))))
        job.limits.scoutAhead = .mebibytes(mebibytes)
        let plan = job.compressionPlan()
        #expect(plan.replacements.count == 8)
        let scout = Scout(context: Self.context(job), survey: job.survey())
        scout.begin(plan.replacements)
        scout.look(at: plan.replacements)
        let read = job.store.log.prefetchedBytes.values.reduce(0, +)
        #expect(read == min(mebibytes << 20, 8 * ReadingTests.lookBytes))
        scout.letGoOfAll()
    }

    @Test("Without a read ahead nothing is asked for but what is packed", arguments: [1, 3])
    func none(lanes: Int) throws {
        var (job, laws) = ExecutorFaultTests.job(
            ReadingTests.state(extents: 4, shrinking: Set(0..<4)))
        job.lanes = lanes
        job.limits.scoutAhead = .zero
        job.limits.prefetchAhead = .zero
        let outcome = try job.compress()
        laws.check()
        #expect(outcome.extentsReplaced == 4)
        #expect(
            job.store.log.prefetchedBytes == [ModelState.inode(1): 4 * ReadingTests.extentBytes])
    }

    @Test("One lane at a time does what takes long to finish")
    func heavy() {
        let waves = HeavyWaves()
        let hasEntered = DispatchSemaphore(value: 0)
        waves.enter()
        Thread.detachNewThread {
            waves.enter()
            hasEntered.signal()
            waves.leave()
        }
        #expect(hasEntered.wait(timeout: .now() + 0.3) == .timedOut)
        waves.leave()
        #expect(hasEntered.wait(timeout: .now() + 60) == .success)
        waves.enter()
        waves.leave()
    }
}
