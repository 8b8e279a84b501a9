// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import SystemCalls
import SystemPackage
import Testing

@testable import Engine

/// A clock that a test moves on.
final class ModelClock: Sendable {
    private let time = Monitor(ContinuousClock.now)

    var now: ContinuousClock.Instant { time.withLock { $0 } }
    func advance(by duration: Duration) { time.withLock { $0 += duration } }
}

/// What the kernel refuses is learnt: nothing more is written for it.
@Suite struct RefusalTests {
    static let extentBytes: UInt64 = 64 * 1024
    static let inSnapshot = ModelState.snapshotNumbers.lowerBound
    private let clock = ModelClock()

    /// Extents of a file each, which shrink to a sector but for those named; the first of them are
    /// in a snapshot as well, which is being sent.
    private static func state(
        extents: UInt64, inSnapshot count: UInt64, noise: Set<UInt64> = []
    ) -> ModelState {
        var state = ModelState()
        for number in 1...extents {
            state.make(number)
            let kinds =
                noise.contains(number)
                ? Array(0..<16) : [Int](repeating: 1000 + Int(number), count: 16)
            state.write(Content.sectors(kinds), to: number, at: 0)
            if number <= count {
                state.make(inSnapshot + number)
                state.clone(number, 0..<extentBytes, to: inSnapshot + number, at: 0)
            }
        }
        state.sent = [ModelState.snapshot]
        return state
    }

    /// Every extent is a batch.
    private func job(
        _ state: ModelState, _ change: (inout ModelStore.Faults) -> Void = { _ in }
    ) -> (ModelJob, Laws) {
        var (job, laws) = ExecutorFaultTests.job(state, change)
        job.limits.batchContent = ByteCount(Self.extentBytes)
        job.now = { [clock] in clock.now }
        return (job, laws)
    }

    private func requestsToSnapshot(_ job: ModelJob) -> Int {
        job.store.log.requests.count { $0.destination.subvolume == ModelState.snapshot }
    }

    @Test func `After the first refusal of a send nothing is written for what it shows`() throws {
        let (job, laws) = job(Self.state(extents: 8, inSnapshot: 4))
        let outcome = try job.compress()
        laws.check()
        #expect(outcome.extentsReplaced == 4)
        #expect(outcome.leftAlone.tallies.map(\.key) == [.beingSent])
        #expect(outcome.leftAlone.tallies[.beingSent]?.extents == 4)
        #expect(job.store.log.writes == 1 + 4)
        #expect(requestsToSnapshot(job) == 1)
        #expect(outcome.rewritten == .kibibytes(4 * 4))
        #expect(outcome.written == .kibibytes(4 * 5))
    }

    @Test func `What is in the batch of the refused one is neither asked for nor moved`() throws {
        var (job, laws) = job(Self.state(extents: 8, inSnapshot: 4))
        job.limits.batchContent = .mebibytes(16)
        job.limits.compareTogether = ByteCount(Self.extentBytes)
        let outcome = try job.compress()
        laws.check()
        #expect(outcome.extentsReplaced == 4)
        #expect(outcome.leftAlone.tallies[.beingSent]?.extents == 4)
        #expect(requestsToSnapshot(job) == 1)
        #expect(outcome.referencesMovedBack <= 1)
    }

    @Test(arguments: [false, true]) func `Once time has passed one extent tries again`(
        isOver: Bool
    ) throws {
        let (job, laws) = job(Self.state(extents: 12, inSnapshot: 12)) { [clock] in
            $0.onUses = { number, state in
                // The first extent takes three looks, and each that is left alone one.
                guard number == 6 else { return }
                clock.advance(by: ExecutionLimits().refusalHold)
                if isOver { state.sent = [] }
            }
        }
        let outcome = try job.compress()
        laws.check()
        #expect(outcome.extentsReplaced == (isOver ? 9 : 0))
        #expect(outcome.leftAlone.tallies[.beingSent]?.extents == (isOver ? 3 : 12))
        #expect(job.store.log.writes == (isOver ? 1 + 9 : 1 + 1))
    }

    @Test func `Where the one that tries does not shrink the next one does`() throws {
        let (job, laws) = job(Self.state(extents: 6, inSnapshot: 6, noise: [3])) { [clock] in
            $0.onUses = { number, state in
                guard number == 5 else { return }
                clock.advance(by: ExecutionLimits().refusalHold)
                state.sent = []
            }
        }
        let outcome = try job.compress()
        laws.check()
        #expect(outcome.leftAlone.tallies[.doesNotShrink]?.extents == 1)
        #expect(outcome.leftAlone.tallies[.beingSent]?.extents == 2)
        #expect(outcome.extentsReplaced == 3)
    }

    /// Two extents of one file, and two of others.
    private static func twoInOneFile() -> ModelState {
        var state = state(extents: 3, inSnapshot: 0)
        let kinds = [Int](repeating: 1099, count: 16)
        state.write(Content.sectors(kinds), to: 1, at: 2 * extentBytes)
        return state
    }

    @Test(arguments: [
        (Errno.textFileBusy, LeftAloneReason.swapFile), (.notPermitted, .immutable),
    ])
    func `A file that is refused is left for the rest of the job`(
        reason: Errno, left: LeftAloneReason
    ) throws {
        let victim = ModelState.inode(1)
        let (job, laws) = job(Self.twoInOneFile()) { [clock] in
            $0.onShare = { _, request, _ in
                clock.advance(by: .seconds(3600))
                return request.destination == victim ? .answer(.failed(reason)) : nil
            }
        }
        let outcome = try job.compress()
        laws.check()
        #expect(outcome.leftAlone.tallies[left]?.extents == 2)
        #expect(job.store.log.writes == 1 + 2)
        #expect(outcome.extentsReplaced == 2)
    }

    @Test func `A quota that is full is said as such`() throws {
        let (job, laws) = job(Self.state(extents: 2, inSnapshot: 0)) {
            $0.onWrite = { _, _ in .diskQuotaExceeded }
        }
        #expect(try job.compress().leftAlone.tallies.map(\.key) == [.quotaFull])
        laws.check()
    }

    @Test func `What was written in vain counts towards a commit`() throws {
        var (job, laws) = job(Self.state(extents: 6, inSnapshot: 0)) {
            $0.onShare = { _, _, _ in .answer(.failed(.noMemory)) }
        }
        job.limits.commitEvery = .kibibytes(8)
        let outcome = try job.compress()
        laws.check()
        #expect(outcome.rewritten == .zero)
        #expect(outcome.written == .kibibytes(6 * 4))
        // Every two, and one at the end.
        #expect(job.store.log.synchronizations == 3 + 1)
    }

    // MARK: The refusals themselves

    private func refusals() -> LearntRefusals {
        LearntRefusals(hold: .seconds(60)) { [clock] in clock.now }
    }

    @Test func `Of many threads one is let through when the time has passed`() throws {
        let refusals = refusals()
        let inode = ModelState.inode(Self.inSnapshot)
        refusals.note(.resourceTemporarilyUnavailable, of: inode)
        clock.advance(by: .seconds(59))
        #expect(refusals.admit(LogicalAddress(1), usedBy: [inode]) != nil)
        clock.advance(by: .seconds(1))
        let admitted = Monitor<[LogicalAddress]>([])
        try concurrently(count: 200, threads: 4) { (index) throws(BtrfsError) in
            let address = LogicalAddress(UInt64(index))
            if refusals.admit(address, usedBy: [inode, inode]) == nil {
                admitted.withLock { $0.append(address) }
            }
        }
        let one = try #require(admitted.withLock { $0.count == 1 ? $0[0] : nil })
        #expect(refusals.refusal(of: inode, forExtentAt: one) == nil)
        let other = LogicalAddress(1000)
        refusals.noteSuccess(of: inode, forExtentAt: other)
        #expect(refusals.refusal(of: inode, forExtentAt: other) != nil)
        refusals.noteSuccess(of: inode, forExtentAt: one)
        #expect(refusals.refusal(of: inode, forExtentAt: other) == nil)
    }

    @Test func `No more places than the limit are remembered`() {
        let refusals = refusals()
        let address = LogicalAddress(1)
        for number in 0..<UInt64(LearntRefusals.placeLimit + 1) {
            refusals.note(.textFileBusy, of: ModelState.inode(number))
        }
        let last = UInt64(LearntRefusals.placeLimit)
        #expect(refusals.refusal(of: ModelState.inode(last - 1), forExtentAt: address) != nil)
        #expect(refusals.refusal(of: ModelState.inode(last), forExtentAt: address) == nil)
    }

    @Test(arguments: [Errno.ioError, .noMemory, .noSpace, .invalidArgument])
    func `Other answers say nothing of the next request`(reason: Errno) {
        let refusals = refusals()
        refusals.note(reason, of: ModelState.inode(1))
        #expect(
            refusals.refusal(of: ModelState.inode(1), forExtentAt: LogicalAddress(1)) == nil)
    }
}
