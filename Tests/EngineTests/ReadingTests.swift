// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import SystemCalls
import SystemPackage
import Testing

@testable import Engine

/// What a job reads, and that it is let go of.
@Suite struct ReadingTests {
    static let extentBytes = UInt64(1) << 20
    static let sectors = Int(extentBytes / ModelState.sector)

    /// Extents of 1 MiB, each shown by three files.
    static func state(extents: Int, shrinking: Set<Int> = []) -> ModelState {
        var state = ModelState()
        for number in UInt64(1)...3 { state.make(number) }
        for index in 0..<extents {
            let kinds =
                shrinking.contains(index)
                ? [Int](repeating: 1001 + index, count: sectors)
                : (0..<sectors).map { $0 % Content.noiseKinds }
            let start = UInt64(index) * extentBytes
            state.write(Content.sectors(kinds), to: 1, at: start)
            for copy in UInt64(2)...3 {
                state.clone(1, start..<(start + extentBytes), to: copy, at: start)
            }
        }
        return state
    }

    /// A frame, and seven samples of two sectors behind it.
    static let lookBytes: UInt64 = (128 + 7 * 8) * 1024

    @Test(arguments: [1, 3], [16, 512])
    func `What does not shrink costs the first frame and samples, of one file`(
        lanes: Int, batchKibibytes: Int
    ) throws {
        var (job, laws) = ExecutorFaultTests.job(Self.state(extents: 6))
        job.lanes = lanes
        // Smaller than an extent: each goes through in frames; or several of them.
        job.limits.batchContent = .kibibytes(UInt64(batchKibibytes) * 8)
        let outcome = try job.compress()
        laws.check()
        #expect(outcome.leftAlone.tallies[.doesNotShrink]?.extents == 6)
        #expect(job.store.log.prefetchedBytes == [ModelState.inode(1): 6 * Self.lookBytes])
        #expect(job.store.log.readBytes == 6 * 192 * 1024)
        #expect(job.store.state.cachedSectors.isEmpty)
    }

    @Test(arguments: [ByteCount.mebibytes(16), .kibibytes(256)])
    func `What does not shrink is written anew where enough of its extent is in no use`(
        batch: ByteCount
    ) throws {
        var state = Self.state(extents: 2)
        for number in UInt64(1)...3 {
            // Every file has overwritten a sixteenth of the first extent.
            for sector in stride(from: UInt64(0), to: UInt64(Self.sectors), by: 16) {
                state.write(
                    Content.sector(Int(sector / 16)), to: number, at: sector * ModelState.sector)
            }
        }
        var (job, laws) = ExecutorFaultTests.job(state)
        job.limits.batchContent = batch
        let address = try #require(state.extents.keys.min())
        let whole = job.compressionPlan()
        var plan = Plan()
        plan.replacements = whole.replacements.filter {
            $0.diskBytes.rawValue == Self.extentBytes
        }
        let outcome = try job.execute(plan)
        laws.check()
        #expect(outcome.extentsReplaced == 1)
        #expect(outcome.leftAlone.tallies[.doesNotShrink]?.extents == 1)
        #expect(job.store.state.extents[address] == nil)
        #expect(outcome.saved.rawValue == Self.extentBytes / 16)
    }

    @Test func `What shrinks is read whole, once in each file`() throws {
        let (job, laws) = ExecutorFaultTests.job(Self.state(extents: 2, shrinking: [0, 1]))
        let outcome = try job.compress()
        laws.check()
        #expect(outcome.extentsReplaced == 2)
        let all = UInt64(2) * Self.extentBytes
        let inodes = (UInt64(1)...3).map(ModelState.inode)
        #expect(inodes.map { job.store.log.prefetchedBytes[$0] } == [all, all, all])
        #expect(job.store.state.cachedSectors.isEmpty)
    }

    @Test func `A page that was there before stays, and so does all of a live file`() throws {
        var state = Self.state(extents: 2)
        let inode = ModelState.inode(1)
        // Within the first frame of the first extent, and a sample of the second.
        for offset in [UInt64(0), Self.extentBytes + 512 * 1024] {
            _ = state.page(of: inode, at: offset)
        }
        let (job, laws) = ExecutorFaultTests.job(state)
        try job.compress()
        laws.check()
        let kept = job.store.state.cachedSectors
        #expect(kept.contains(.init(inode: inode, offset: 0)))
        #expect(kept.contains(.init(inode: inode, offset: Self.extentBytes + 512 * 1024)))
        // To within a grain of 64 KiB.
        #expect(kept.count <= 2 * 16)

        var live = ModelJob(store: ModelStore(Self.state(extents: 2)))
        live.roles.live = [inode]
        live.includesLiveOnly = true
        let liveLaws = Laws(before: live)
        try live.compress()
        liveLaws.check()
        #expect(!live.store.log.forgotten.contains(inode))
    }

    // MARK: Every way out

    enum Ending: CaseIterable {
        case done, refused, unreadable, noSpace, cancelled, refusedWrite, readOnly, cloned
    }

    /// Says that the job was cancelled once it has been asked so often.
    private final class CancelledLater: JobControl {
        private let asked = Monitor(0)
        private let limit: Int

        init(after limit: Int) { self.limit = limit }

        var isCancelled: Bool {
            asked.withLock { asked in
                asked += 1
                return asked > limit
            }
        }
        func checkpoint() throws(BtrfsError) {}
    }

    private static func faults(_ ending: Ending, _ faults: inout ModelStore.Faults) {
        switch ending {
        case .done, .cancelled: break
        case .refused:
            faults.onShare = { number, _, _ in number % 3 == 0 ? .answer(.failed(.noMemory)) : nil }
        case .unreadable:
            faults.onRead = { number, _ in number % 5 == 0 ? .ioError : nil }
        case .noSpace: faults.onWrite = { number, _ in number % 2 == 0 ? .noSpace : nil }
        case .refusedWrite: faults.onLateWrite = { number in number == 20 ? .ioError : nil }
        case .readOnly:
            faults.onShare = { number, _, _ in number > 7 ? .refuse(.readOnlyFileSystem) : nil }
        case .cloned:
            faults.onShare = { number, request, state in
                guard number % 4 == 0 else { return nil }
                state.make(100 + UInt64(number))
                let end = state.files[request.destination]?.sizeBytes ?? 0
                state.clone(request.destination.number, 0..<end, to: 100 + UInt64(number), at: 0)
                return nil
            }
        }
    }

    @Test(arguments: Ending.allCases, [1, 3])
    func `Whatever becomes of a job, no page that it has read is left`(
        ending: Ending, lanes: Int
    ) throws {
        for isDedupe in [false, true] {
            let state =
                isDedupe
                ? DeviceLawTests.copies(6) : Self.state(extents: 6, shrinking: [0, 2, 3, 5])
            var (job, _) = ExecutorFaultTests.job(state) { Self.faults(ending, &$0) }
            job.lanes = lanes
            job.limits.batchContent = .mebibytes(1)
            let plan = isDedupe ? try job.dedupePlan() : job.compressionPlan()
            #expect(!plan.replacements.isEmpty)
            if ending == .cancelled { job.control = CancelledLater(after: 12) }
            _ = try? job.execute(plan)
            #expect(job.store.state.cachedSectors.isEmpty)
            #expect(job.store.state.brokenFiles.isEmpty)
        }
    }

    // MARK: Keepers

    @Test func `A keeper is read once for all batches, and goes with the last of them`() throws {
        var state = DeviceLawTests.copies(5)
        // Nobody takes anything from this one.
        state.make(50)
        state.write(Content.sectors(0..<4), to: 50, at: 0)
        var (job, laws) = ExecutorFaultTests.job(state)
        job.limits.batchContent = .kibibytes(4)
        let plan = try job.dedupePlan()
        let keepers = Set(plan.replacements.flatMap(\.pieces).map(\.keeper.inode))
        let keeper = try #require(keepers.count == 1 ? keepers.first : nil)
        #expect(plan.replacements.count > 2)
        let outcome = try job.execute(plan)
        laws.check()
        #expect(outcome.extentsReplaced == plan.replacements.count)
        let size = try #require(job.store.state.files[keeper]?.sizeBytes)
        #expect(job.store.log.prefetchedBytes[keeper] == size)
    }

    @Test func `Keepers are counted by part, and by file`() {
        let uses = PageUses()
        let inode = ModelState.inode(1)
        func batch(_ mebibytes: Range<UInt64>) -> [Replacement] {
            let length = ByteCount.mebibytes(mebibytes.upperBound - mebibytes.lowerBound)
            let start = FileOffset(mebibytes.lowerBound << 20)
            return [
                Replacement(
                    address: LogicalAddress(1), generation: Generation(1), diskBytes: length,
                    contentBytes: length,
                    pieces: [
                        .init(range: .zero..<length, keeper: .init(inode: inode, offset: start))
                    ], rewriting: .plain, predictedSaving: .zero)
            ]
        }
        let (first, second) = (batch(8..<24), batch(16..<32))
        uses.expect([first[...], second[...]])
        let all = [ByteCount.zero..<ByteCount.mebibytes(64)]
        #expect(
            uses.unneeded(of: all, in: inode) == [.mebibytes(32)..<ByteCount.mebibytes(64)])
        #expect(uses.finish(first, [:]) == [inode: [.zero..<ByteCount.mebibytes(16)]])
        #expect(uses.unneeded(of: all, in: ModelState.inode(2)) == all)
        #expect(uses.finish(second, [:]) == [inode: [.mebibytes(16)..<ByteCount.mebibytes(32)]])
        #expect(uses.unneeded(of: all, in: inode) == all)
    }

    @Test func `What a batch in work reads nobody else lets go of`() {
        let uses = PageUses()
        let inode = ModelState.inode(1)
        let own = [inode: [ByteCount.mebibytes(20)..<ByteCount.mebibytes(24)]]
        let part = [ByteCount.mebibytes(16)..<ByteCount.mebibytes(32)]
        uses.begin(own)
        uses.begin(own)
        #expect(uses.unneeded(of: part, in: inode) == [])
        #expect(uses.finish([], own) == [:], "another one is in work")
        #expect(uses.finish([], own) == [inode: part])
        #expect(uses.unneeded(of: part, in: inode) == part)
    }
}
