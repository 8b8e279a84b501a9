// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import SystemPackage
import Testing

@testable import Engine

/// What goes wrong elsewhere than in a request: space, reads, roles, collisions, races.
@Suite struct ExecutorFaultTests {
    static let kibi: UInt64 = 1024

    static func job(
        _ state: ModelState, _ change: (inout ModelStore.Faults) -> Void = { _ in }
    ) -> (ModelJob, Laws) {
        let job = ModelJob(store: ModelStore(state))
        var faults = ModelStore.Faults()
        change(&faults)
        job.store.set(faults)
        return (job, Laws(before: job))
    }

    /// Four extents of 256 KiB that shrink, each with a clone, for several frames and batches.
    static func several() -> ModelState {
        var state = ModelState()
        for index in UInt64(0)..<4 {
            state.make(2 * index + 1)
            state.make(2 * index + 2)
            let content = Content.sectors(repeatElement(1000 + Int(index), count: 64))
            state.write(content, to: 2 * index + 1, at: 0)
            state.clone(2 * index + 1, 0..<(256 * kibi), to: 2 * index + 2, at: 0)
        }
        return state
    }

    @Test(arguments: 1...8) func `No space at any write leaves that extent, and others go on`(
        failing: Int
    ) throws {
        var (job, laws) = Self.job(Self.several()) {
            $0.onWrite = { number, _ in number == failing ? .noSpace : nil }
        }
        job.limits.batchContent = .kibibytes(512)
        let outcome = try job.compress()
        laws.check()
        #expect(outcome.leftAlone.tallies[.outOfSpace]?.extents == 1)
        #expect(outcome.extentsReplaced > 0)
        #expect(outcome.failures.map(\.reason) == [.noSpace])
    }

    @Test func `No space in a later round takes back what an earlier one moved`() throws {
        // The first write is what is unique; the second is what turned out to differ.
        let (job, laws) = Self.job(Self.partCollision()) {
            $0.onWrite = { number, _ in number == 2 ? .noSpace : nil }
        }
        let plan = try job.dedupePlan(forged: Self.forged(job, at: [25]))
        let outcome = try job.execute(plan)
        #expect(outcome.leftAlone.tallies[.outOfSpace]?.extents == 1)
        #expect(job.store.log.writes == 2)
        laws.check(itemsMore: 2)
    }

    @Test func `An image that cannot be read is left alone and named, others go on`() throws {
        let broken = ModelState.inode(3)
        let (job, laws) = Self.job(Self.several()) {
            $0.onRead = { _, inode in inode == broken ? .ioError : nil }
        }
        let outcome = try job.compress()
        laws.check()
        #expect(outcome.extentsReplaced == 3)
        #expect(outcome.leftAlone.tallies[.unreadable]?.extents == 1)
        #expect(outcome.failures.map(\.reason) == [.ioError])
    }

    @Test func `An extent with too many references is left alone`() throws {
        let (job, laws) = Self.job(ExecutorLawTests.compressible()) { $0.usesLimit = 3 }
        let outcome = try job.compress()
        laws.check()
        #expect(outcome.leftAlone.tallies.keys.map { $0 } == [.tooManyReferences])
        #expect(job.store.log.requests.isEmpty && job.store.log.writes == 0)
    }

    @Test func `An extent that an immutable or a left out file uses is left alone`() throws {
        var state = ExecutorLawTests.compressible()
        state.files[ModelState.inode(4)]?.isImmutable = true
        let (immutable, laws) = Self.job(state)
        #expect(try immutable.compress().leftAlone.tallies.map(\.key) == [.immutable])
        laws.check()
        var (leftOut, _) = Self.job(ExecutorLawTests.compressible())
        leftOut.roles.leftOut = [ModelState.inode(3)]
        #expect(try leftOut.compress().leftAlone.tallies.map(\.key) == [.skipped])
        #expect(leftOut.store.log.requests.isEmpty)
    }

    @Test func `What does not shrink costs no write`() throws {
        var state = ModelState()
        state.make(1)
        state.write(Content.sectors(0..<32), to: 1, at: 0)
        let (job, laws) = Self.job(state)
        let outcome = try job.compress()
        laws.check()
        #expect(outcome.leftAlone.tallies[.doesNotShrink]?.extents == 1)
        #expect(job.store.log.writes == 0)
    }

    @Test(arguments: [1, 2, 3]) func `Clones in every round bring back what every round moved`(
        rounds: Int
    ) throws {
        var (job, laws) = Self.job(ExecutorLawTests.compressible()) {
            $0.onShare = { number, request, state in
                // Whoever is about to move away was cloned before, again and again.
                let old = state.extents.keys.min()
                let items = state.files[request.destination]?.items
                guard items?.allSatisfy({ $0.address == old }) == true else { return nil }
                state.make(100 + UInt64(number))
                let from = request.destination.number
                let size = state.files[request.destination]?.sizeBytes ?? 0
                state.clone(from, 0..<size, to: 100 + UInt64(number), at: 0)
                return nil
            }
        }
        job.limits.rounds = rounds
        let outcome = try job.compress()
        laws.check()
        #expect(outcome.extentsReplaced == 0)
        #expect(outcome.leftAlone.tallies[.stillUsed]?.extents == 1)
        #expect(job.store.state.diskUse == 64 * Self.kibi)
    }

    @Test func `An obstacle in a later round brings back what an earlier one moved`() throws {
        let (job, laws) = Self.job(ExecutorLawTests.compressible()) {
            $0.onShare = { number, _, state in
                guard number == 2 else { return nil }
                state.make(9) { $0.isImmutable = true }
                state.clone(2, 0..<(64 * Self.kibi), to: 9, at: 0)
                return nil
            }
        }
        let outcome = try job.compress()
        laws.check()
        #expect(outcome.leftAlone.tallies[.immutable]?.extents == 1)
        #expect(job.store.state.diskUse == 64 * Self.kibi)
    }

    @Test func `A request that is done in part goes on, and goes back when the rest fails`() throws
    {
        let (whole, laws) = Self.job(ExecutorLawTests.compressible()) {
            $0.onShare = { _, _, _ in .shorten(4096) }
        }
        #expect(try whole.compress().extentsReplaced == 1)
        laws.check()
        let (half, halfLaws) = Self.job(ExecutorLawTests.compressible()) {
            $0.onShare = { number, _, _ in
                number == 1 ? .shorten(4096) : number == 2 ? .refuse(.noMemory) : nil
            }
        }
        #expect(try half.compress().extentsReplaced == 0)
        halfLaws.check(itemsMore: 1)
    }

    // MARK: Collisions

    /// Extents that are equal but for two sectors, whose checksums are forged to be equal as well.
    static func collision() -> ModelState {
        var state = ModelState()
        for number in UInt64(1)...3 { state.make(number) }
        state.write(Content.sectors(0..<32), to: 1, at: 0)
        let other = (0..<32).map { $0 == 9 || $0 == 20 ? $0 + 40 : $0 }
        state.write(Content.sectors(other), to: 2, at: 0)
        state.clone(2, 0..<(128 * kibi), to: 3, at: 0)
        return state
    }

    /// Two copies with two sectors of their own between them; one of the second copy is forged.
    static func partCollision() -> ModelState {
        var state = ModelState()
        for number in UInt64(1)...4 { state.make(number) }
        state.write(Content.sectors(0..<32), to: 1, at: 0)
        state.clone(1, 0..<(128 * kibi), to: 4, at: 0)
        state.clone(1, 0..<(64 * kibi), to: 4, at: 128 * kibi)
        let other = (0..<32).map { [16, 17, 25].contains($0) ? $0 + 30 : $0 }
        state.write(Content.sectors(other), to: 2, at: 0)
        state.clone(2, 0..<(128 * kibi), to: 3, at: 0)
        return state
    }

    /// Checksums that collide, where the sectors of the two extents differ.
    static func forged(
        _ job: ModelJob, at places: Set<Int> = Set(0..<32)
    ) throws -> [UInt32: UInt32] {
        let checksums = ModelChecksums(store: job.store)
        let addresses = job.store.state.extents.keys.sorted()
        let first = try checksums.checksums(from: LogicalAddress(addresses[0]), sectors: 32)
        let second = try checksums.checksums(from: LogicalAddress(addresses[1]), sectors: 32)
        var forged: [UInt32: UInt32] = [:]
        for place in places {
            guard let one = first[place], let two = second[place], one != two else { continue }
            forged[two] = one
        }
        return forged
    }

    @Test func `Equal checksums of different bytes end in the right content`() throws {
        let (job, laws) = Self.job(Self.collision())
        let forged = try Self.forged(job)
        #expect(forged.count == 2)
        let plan = try job.dedupePlan(forged: forged)
        #expect(plan.replacements.flatMap(\.pieces).count == 1)
        let outcome = try job.execute(plan)
        laws.check()
        // What differs is written anew: as much as comes back, so that nothing is gained.
        #expect(outcome.extentsReplaced == 0)
        #expect(outcome.leftAlone.tallies[.doesNotShrink]?.extents == 1)
    }

    @Test func `A part that differs is written anew where that still gains`() throws {
        let (job, laws) = Self.job(Self.partCollision())
        let plan = try job.dedupePlan(forged: Self.forged(job, at: [25]))
        #expect(plan.replacements.map(\.pieces.count) == [2])
        let outcome = try job.execute(plan)
        laws.check()
        #expect(outcome.extentsReplaced == 1)
        #expect(outcome.rewritten == .kibibytes(16 * 4))
    }

    // MARK: Several at a time

    @Test func `Three lanes do what one does`() throws {
        var (job, laws) = Self.job(Self.several())
        job.lanes = 3
        job.limits.batchContent = .kibibytes(256)
        var outcome = try job.compress()
        laws.check()
        let (single, _) = Self.job(Self.several())
        var expected = try single.compress()
        // Each lane has its turn when it comes, and its extents with it.
        #expect(outcome.verdicts.count == expected.verdicts.count)
        outcome.verdicts = []
        expected.verdicts = []
        #expect(outcome == expected)
        #expect(job.store.state.diskUse == single.store.state.diskUse)
    }

    @Test func `A commit follows when enough was written, and one comes at the end`() throws {
        var (job, _) = Self.job(Self.several())
        job.limits.batchContent = .kibibytes(256)
        job.limits.commitEvery = .kibibytes(16)
        #expect(try job.compress().rewritten == .kibibytes(32))
        #expect(job.store.log.synchronizations == 3)
        let (once, _) = Self.job(Self.several())
        try once.compress()
        #expect(once.store.log.synchronizations == 1)
    }

    @Test func `Requests of live images are short, and all of them follow`() throws {
        var (job, _) = Self.job(Self.several())
        job.roles.live = [ModelState.inode(2), ModelState.inode(3)]
        job.limits.liveRequest = .kibibytes(32)
        job.limits.request = .kibibytes(128)
        let laws = Laws(before: job)
        #expect(try job.compress().extentsReplaced == 4)
        laws.check()
        #expect(job.store.log.requests.count == 2 * 8 + 6 * 2)
    }

    @Test func `Many files that end within a sector follow, whatever their batch`() throws {
        var state = ModelState()
        for number in UInt64(1)...8 {
            state.make(number)
            let bytes = Content.sectors(repeatElement(1000 + Int(number), count: 8))
            state.write(Array(bytes.dropLast(100 + Int(number))), to: number, at: 0)
        }
        let (job, laws) = Self.job(state)
        let outcome = try job.compress()
        laws.check()
        #expect(outcome.extentsReplaced == 8)
    }
}
