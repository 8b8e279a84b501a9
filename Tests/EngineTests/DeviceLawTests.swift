// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import SystemPackage
import Testing

@testable import Engine

/// The laws where the page cache and the device do not agree: writes that fail late, sectors that
/// have gone bad under a good page, pages that do not go.
@Suite struct DeviceLawTests {
    static let kibi: UInt64 = 1024
    static let mebibyte: UInt64 = 1 << 20

    /// Files that hold the same, each in an extent of its own.
    static func copies(_ count: UInt64, sectors: Int = 64) -> ModelState {
        var state = ModelState()
        for number in 1...count {
            state.make(number)
            state.write(Content.sectors((0..<sectors).map { $0 % 64 }), to: number, at: 0)
        }
        return state
    }

    /// Reads a whole file, so that its pages are in the cache.
    static func warm(_ number: UInt64, _ state: inout ModelState) {
        let inode = ModelState.inode(number)
        let size = state.files[inode]?.sizeBytes ?? 0
        for offset in stride(from: UInt64(0), to: size, by: Int(ModelState.sector)) {
            _ = state.page(of: inode, at: offset)
        }
    }

    // MARK: Writes that fail late

    @Test(arguments: 1...8, [Errno.ioError, .noSpace])
    func `A write that the device refuses late ends the job, and nothing points at it`(
        failing: Int, reason: Errno
    ) throws {
        var (job, laws) = ExecutorFaultTests.job(ExecutorFaultTests.several()) {
            $0.onLateWrite = { number in number == failing ? reason : nil }
        }
        job.limits.batchContent = .kibibytes(512)
        let error = #expect(throws: BtrfsError.self) { try job.compress() }
        #expect(error?.isRefusedWrite == true && error?.reason == reason)
        laws.check()
        // Nothing more is tried: the batch that failed is the last that was written.
        #expect(job.store.log.writes <= (failing + 3) / 4 * 4)
    }

    @Test(arguments: 1...3)
    func `What is in the tree a little later is no refused write; what never comes is one`(
        late: Int
    ) throws {
        let (job, laws) = ExecutorFaultTests.job(ExecutorFaultTests.several()) {
            $0.lateLooks = late
        }
        if late < 3 {
            try job.compress()
        } else {
            let error = #expect(throws: BtrfsError.self) { try job.compress() }
            #expect(error?.isRefusedWrite == true && error?.isDamagedMetadata == false)
        }
        laws.check()
        #expect(job.store.log.settlements > late - 1)
    }

    @Test func `A plain frame that the device refuses late ends the job as well`() throws {
        let (job, laws) = ExecutorFaultTests.job(ExecutorFaultTests.partCollision()) {
            $0.onLateWrite = { _ in .ioError }
        }
        #expect(throws: BtrfsError.self) { try job.dedupe() }
        laws.check()
    }

    @Test func `A lane that meets a refusing disk stops the others`() throws {
        var (job, laws) = ExecutorFaultTests.job(ExecutorFaultTests.several()) {
            $0.onLateWrite = { _ in .ioError }
        }
        job.lanes = 3
        job.limits.batchContent = .kibibytes(256)
        #expect(throws: BtrfsError.self) { try job.compress() }
        #expect(job.store.log.requests.isEmpty)
        laws.check()
    }

    @Test func `What a failed write of a qube has left in the cache frees nobody's copy`() throws {
        // Planned when both held the same; then the keeper changed, and its way back was refused.
        for isLive in [false, true] {
            var job = ModelJob(store: ModelStore(Self.copies(2)))
            job.includesLiveOnly = isLive
            if isLive { job.roles.live = [ModelState.inode(1)] }
            let plan = try job.dedupePlan()
            #expect(plan.replacements.count == 1)
            job.store.change { state in
                state.write(
                    Content.sectors(repeatElement(1009, count: 4)), to: 1, at: 32 * Self.kibi)
                for index in 0..<4 {
                    let offset = 32 * Self.kibi + UInt64(index) * ModelState.sector
                    state.writeInVain(Content.sector(8 + index), to: 1, at: offset)
                }
            }
            let laws = Laws(before: job)
            _ = try job.execute(plan)
            laws.check()
        }
    }

    // MARK: Bad sectors under good pages

    @Test(arguments: [true, false])
    func `A keeper that is bad on the device and good in the cache frees no good copy`(
        isWarm: Bool
    ) throws {
        var state = Self.copies(2)
        if isWarm { Self.warm(1, &state) }
        state.spoil(1, at: 100 * Self.kibi)
        let (job, laws) = ExecutorFaultTests.job(state)
        let outcome = try job.dedupe()
        laws.check()
        // All around it is shared; the sector is written anew, for the second file alone.
        #expect(outcome.extentsReplaced == 1)
        #expect(outcome.rewritten == .kibibytes(4))
        let place = try #require(outcome.unreadablePlaces.first)
        #expect(outcome.unreadablePlaces.count == 1)
        #expect(place.inode == ModelState.inode(1))
        #expect(place.range == FileOffset(100 * Self.kibi)..<FileOffset(104 * Self.kibi))
        #expect(place.copy?.inode == ModelState.inode(2))
    }

    @Test func `A good page mends what is bad behind it, where that goes`() throws {
        var state = Self.copies(2)
        Self.warm(2, &state)
        state.spoil(2, at: 100 * Self.kibi)
        let (job, laws) = ExecutorFaultTests.job(state)
        #expect(try job.dedupe().extentsReplaced == 1)
        laws.check()
        #expect(job.store.state.unreadableSectors.isEmpty)
    }

    @Test func `What is bad stays where it is, and all around it follows`() throws {
        var state = Self.copies(2)
        state.spoil(2, at: 100 * Self.kibi)
        let (job, laws) = ExecutorFaultTests.job(state)
        let outcome = try job.dedupe()
        laws.check()
        #expect(outcome.leftAlone.tallies[.unreadable]?.extents == 1)
        #expect(outcome.unreadablePlaces.map(\.inode) == [ModelState.inode(2)])
        #expect(outcome.unreadablePlaces.first?.copy?.inode == ModelState.inode(1))
        let items = job.store.state.files[ModelState.inode(2)]?.items ?? []
        let bad = job.store.state.extents.keys.max()
        #expect(items.filter { $0.address == bad }.map(\.length) == [4096])
    }

    @Test func `Both bad in different places: each keeps what it has`() throws {
        var state = Self.copies(2)
        Self.warm(1, &state)
        state.spoil(1, at: 40 * Self.kibi)
        state.spoil(2, at: 100 * Self.kibi)
        let (job, laws) = ExecutorFaultTests.job(state)
        let outcome = try job.dedupe()
        laws.check()
        #expect(Set(outcome.unreadablePlaces.map(\.inode)).count == 2)
    }

    @Test(arguments: [1, 3])
    func `Where all of a keeper is bad the good copies are shared with each other`(
        lanes: Int
    ) throws {
        var state = Self.copies(4)
        Self.warm(1, &state)
        for sector in 0..<64 { state.spoil(1, at: UInt64(sector) * ModelState.sector) }
        var (job, laws) = ExecutorFaultTests.job(state)
        job.lanes = lanes
        job.limits.batchContent = .kibibytes(256)
        let outcome = try job.dedupe()
        laws.check()
        #expect(outcome.extentsReplaced == 2)
        #expect(outcome.leftAlone.tallies[.copyUnreadable]?.extents == 1)
        #expect(job.store.state.extents.count == 2)
    }

    @Test func `An extent that is bad in one sector leaves its neighbours to be compressed`() throws
    {
        var state = ExecutorFaultTests.several()
        state.spoil(3, at: 20 * Self.kibi)
        let (job, laws) = ExecutorFaultTests.job(state)
        let outcome = try job.compress()
        laws.check()
        #expect(outcome.extentsReplaced == 3)
        #expect(outcome.leftAlone.tallies[.unreadable]?.extents == 1)
        let range = FileOffset(20 * Self.kibi)..<FileOffset(24 * Self.kibi)
        #expect(outcome.unreadablePlaces.map(\.range) == [range])
    }

    @Test func `Who goes back goes back to what was read from the device`() throws {
        // Two of four have moved when the third is refused; the old extent is bad on the device.
        var state = ExecutorLawTests.compressible()
        for number in UInt64(1)...4 { Self.warm(number, &state) }
        state.spoil(1, at: 8 * Self.kibi)
        let (job, laws) = ExecutorFaultTests.job(state) {
            $0.onShare = { number, _, _ in number == 3 ? .refuse(.noMemory) : nil }
        }
        let outcome = try job.compress()
        laws.check(nil, outcome)
        #expect(outcome.standsTwice == .kibibytes(4) && outcome.saved == .zero)
    }

    @Test func `Pages that do not go leave the copy where it is, with its reason`() throws {
        var state = Self.copies(2)
        Self.warm(1, &state)
        for sector in UInt64(0)..<64 {
            state.device.pinned.insert(
                .init(inode: ModelState.inode(1), offset: sector * ModelState.sector))
        }
        let (job, laws) = ExecutorFaultTests.job(state)
        let outcome = try job.dedupe()
        laws.check()
        #expect(outcome.leftAlone.tallies[.copyInUse]?.extents == 1)
        #expect(job.store.log.requests.isEmpty)
    }

    @Test func `Keepers are let go of once for each batch, not for each request`() throws {
        var (job, _) = ExecutorFaultTests.job(Self.copies(2))
        job.limits.request = .kibibytes(16)
        #expect(try job.dedupe().extentsReplaced == 1)
        let keeper = ModelState.inode(1)
        #expect(job.store.log.requests.count == 16)
        // Before it is read, and at the end.
        #expect(job.store.log.forgotten.count { $0 == keeper } == 2)
    }

    // MARK: By chance

    /// A file system as `RandomisedLawTests` makes them, on a device that is bad here and there,
    /// under a cache that is warm here and there.
    static func deviceWorld(_ generator: inout SeededGenerator) -> ModelState {
        var state = RandomisedLawTests.fileSystem(&generator)
        let numbers = state.files.keys.map(\.number).sorted()
        for number in numbers where Bool.random(using: &generator) { warm(number, &state) }
        for _ in 0..<Int.random(in: 0...6, using: &generator) {
            guard let address = state.extents.keys.sorted().randomElement(using: &generator),
                let extent = state.extents[address]
            else { break }
            let sectors = extent.content.count / Int(ModelState.sector)
            state.spoil(address, sector: Int.random(in: 0..<sectors, using: &generator))
        }
        for number in numbers where Int.random(in: 0...4, using: &generator) == 0 {
            let inode = ModelState.inode(number)
            let size = state.files[inode]?.sizeBytes ?? 0
            let sector = UInt64.random(in: 0...(size / ModelState.sector), using: &generator)
            state.device.pinned.insert(.init(inode: inode, offset: sector * ModelState.sector))
        }
        return state
    }

    @Test(arguments: 0..<200)
    func `A bad device under a lying cache breaks no law`(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed) + 7000)
        // What has to go back after a refused write finds its way on a device that can be read.
        let refusesWrites = seed.isMultiple(of: 5)
        var state = Self.deviceWorld(&generator)
        if refusesWrites {
            state.device.badSectors = [:]
            state.device.pinned = []
        }
        var job = ModelJob(store: ModelStore(state))
        job.lanes = seed.isMultiple(of: 4) ? 3 : 1
        job.limits.batchContent = .kibibytes(64)
        job.limits.request = .kibibytes(32)
        let late = refusesWrites ? Int.random(in: 1...6, using: &generator) : 0
        var faults = ModelStore.Faults()
        faults.onLateWrite = { number in number == late ? .ioError : nil }
        job.store.set(faults)
        for work in [{ try job.dedupe() }, { try job.compress() }] {
            let laws = Laws(before: job)
            var outcome: ExecutionOutcome?
            do {
                outcome = try work()
            } catch let error as BtrfsError {
                #expect(error.isRefusedWrite)
            }
            // What another lane reads at that moment does not go, and then nothing goes back there:
            // how much, only the outcome says, which a job that ends so does not have.
            if job.lanes > 1 && outcome == nil {
                laws.checkContent()
            } else {
                laws.check(nil, outcome)
            }
        }
    }
}
