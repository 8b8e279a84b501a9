// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Engine
import SystemCalls
import SystemPackage
import Testing

@testable import Engine

/// Law 2 with the trees in the sum: a job never makes disk use grow by its metadata.
@Suite struct MetadataTests {
    static let sector = ModelState.sector

    /// An extent of four frames in so many files. Of the 32 sectors of a frame so many are of one
    /// byte: of 17 one sector comes back, of 18 three, of 24 fifteen.
    static func shared(by files: UInt64, plain: Int = 17) -> ModelState {
        var state = ModelState()
        let frame = Array(repeatElement(1007, count: plain)) + (0..<(32 - plain)).map { $0 }
        let content = Content.sectors((0..<4).flatMap { _ in frame })
        state.make(1)
        state.write(content, to: 1, at: 0)
        for number in UInt64(2)...max(files, 2) where number <= files {
            state.make(number)
            state.clone(1, 0..<UInt64(content.count), to: number, at: 0)
        }
        return state
    }

    @Test(arguments: [1, 4, 10, 20, 40, 100], [17, 18, 24])
    func `Packing what many files share never costs more than it brings`(
        files: Int, plain: Int
    ) throws {
        let job = ModelJob(
            store: ModelStore(Self.shared(by: UInt64(files), plain: plain)))
        let laws = Laws(before: job)
        try job.compress()
        laws.check()
    }

    @Test func `What is in too many snapshots is left alone, with their number`() throws {
        let job = ModelJob(store: ModelStore(Self.shared(by: 100)))
        let outcome = try job.compress()
        #expect(outcome.extentsReplaced == 0)
        #expect(outcome.leftAlone.tallies.map(\.key) == [.tooManySnapshots])
        #expect(outcome.leftAlone.tallies[.tooManySnapshots]?.mostReferences == 100)
        #expect(job.store.log.writes == 0)
    }

    @Test func `What a few share is packed as before`() throws {
        let job = ModelJob(store: ModelStore(Self.shared(by: 4, plain: 24)))
        let outcome = try job.compress()
        #expect(outcome.extentsReplaced == 1)
        #expect(outcome.metadata > .zero)
    }

    @Test func `References that no survey shows count as well`() throws {
        let job = ModelJob(store: ModelStore(Self.shared(by: 2)))
        let plan = job.compressionPlan()
        job.store.change { state in
            for number in UInt64(10)..<110 {
                state.make(number)
                state.clone(1, 0..<(128 * Self.sector), to: number, at: 0)
            }
        }
        let laws = Laws(before: job)
        let outcome = try job.execute(plan)
        laws.check()
        #expect(outcome.leftAlone.tallies[.tooManySnapshots]?.mostReferences == 102)
    }

    @Test func `A part that stands elsewhere in many pieces is dear in many files`() throws {
        var state = ModelState()
        state.make(1)
        // Sixteen runs of four sectors, each an extent of its own.
        for run in 0..<16 {
            state.write(
                Content.sectors((run * 4)..<(run * 4 + 4)), to: 1,
                at: UInt64(run) * 5 * Self.sector)
        }
        state.make(2)
        state.write(
            Content.sectors((0..<64).map { ($0 / 4 * 28 + $0) % 64 }), to: 2, at: 0)
        for number in UInt64(3)...200 {
            state.make(number)
            state.clone(2, 0..<(64 * Self.sector), to: number, at: 0)
        }
        let job = ModelJob(store: ModelStore(state))
        let laws = Laws(before: job)
        try job.dedupe()
        laws.check()
    }

    // MARK: Bounds

    /// Cancels at a request.
    final class Canceller: JobControl {
        private let requests = Monitor(0)
        let at: Int
        let room: ByteCount

        init(at: Int = .max, room: ByteCount = ByteCount(UInt64.max)) {
            self.at = at
            self.room = room
        }

        func count() { requests.withLock { $0 += 1 } }
        var isCancelled: Bool { requests.withLock { $0 } >= at }
        func checkpoint() throws(BtrfsError) { if isCancelled { throw .cancellation } }
        func hasRoom(forMetadata bytes: ByteCount) -> Bool { bytes <= room }
    }

    /// Ten extents of 16 KiB that shrink to a sector, in as many files as is said.
    static func many(files: UInt64) -> ModelState {
        var state = ModelState()
        state.make(1)
        for extent in UInt64(0)..<10 {
            state.write(
                Content.sectors(repeatElement(1000 + Int(extent), count: 8)), to: 1,
                at: extent * 9 * Self.sector)
        }
        for number in 2...files {
            state.make(number)
            for extent in UInt64(0)..<10 {
                let start = extent * 9 * Self.sector
                state.clone(
                    1, start..<(start + 8 * Self.sector), to: number, at: start)
            }
        }
        return state
    }

    @Test(arguments: [1, 3, 7, 20, 21, 35, 60])
    func `A job that is cancelled finishes or takes back no more than half a wave`(
        moment: Int
    ) throws {
        var job = ModelJob(store: ModelStore(Self.many(files: 20)))
        job.limits.compareTogether = .kibibytes(32 * 20)
        let control = Canceller(at: moment)
        job.control = control
        var faults = ModelStore.Faults()
        faults.onShare = { _, _, _ in
            control.count()
            return nil
        }
        job.store.set(faults)
        let laws = Laws(before: job)
        try job.compress()
        laws.check()
        // A wave is one extent in twenty files.
        #expect(job.store.log.requests.count <= moment + 10)
        let replaced = job.store.state.extents.values.count { $0.compression == .zstd }
        let left = job.store.state.extents.values.count { $0.compression == .none }
        #expect(replaced + left == 10)
    }

    @Test func `A batch ends where its references become too many, and the rest follows`() throws {
        var job = ModelJob(store: ModelStore(Self.many(files: 20)))
        job.limits.batchReferences = 40
        let outcome = try job.compress()
        #expect(outcome.extentsReplaced == 10)
        // Of ten extents in twenty files two at a time, each looked at before and after, and those
        // that wait not at all.
        #expect(job.store.log.uses == 20)
    }

    @Test func `An extent whose references show too much is left alone`() throws {
        var job = ModelJob(store: ModelStore(Self.many(files: 20)))
        job.limits.compareOfExtent = .kibibytes(32 * 20 - 1)
        let outcome = try job.compress()
        #expect(outcome.leftAlone.tallies[.tooManySnapshots]?.extents == 10)
        #expect(outcome.leftAlone.tallies[.tooManySnapshots]?.mostReferences == 20)
    }

    @Test func `A file system that is made read-only ends the job at once`() throws {
        for isThrown in [true, false] {
            let job = ModelJob(store: ModelStore(Self.many(files: 20)))
            var faults = ModelStore.Faults()
            faults.onShare = { number, _, _ in
                if number < 30 { return nil }
                return isThrown
                    ? .refuse(.readOnlyFileSystem) : .answer(.failed(.readOnlyFileSystem))
            }
            job.store.set(faults)
            let error = #expect(throws: BtrfsError.self) { try job.compress() }
            #expect(error?.reason == .readOnlyFileSystem)
            #expect(job.store.log.requests.count < 30 + 20)
        }
    }

    @Test func `What trees have no room for is not begun, and named`() throws {
        var job = ModelJob(store: ModelStore(Self.many(files: 20)))
        job.control = Canceller(room: .mebibytes(1))
        let outcome = try job.compress()
        #expect(outcome.leftAlone.tallies[.noMetadataRoom]?.extents == 10)
        #expect(job.store.log.requests.isEmpty && job.store.log.writes == 0)
    }
}

@Suite struct ReplacementCostTests {
    static let price = MetadataPrice(
        nodeBytes: .kibibytes(16), dataCopies: 1, metadataCopies: 2)

    static func range(_ start: UInt64, _ end: UInt64) -> Range<ByteCount> {
        ByteCount.kibibytes(start)..<ByteCount.kibibytes(end)
    }

    @Test func `A byte of metadata weighs as much as its copies against those of data`() {
        let mirrored = MetadataPrice(nodeBytes: .zero, dataCopies: 2, metadataCopies: 3)
        #expect(Self.price.dataBytes(ofMetadata: 100) == ByteCount(UInt64(200)))
        #expect(mirrored.dataBytes(ofMetadata: 100) == ByteCount(UInt64(150)))
        #expect(mirrored.dataBytes(ofMetadata: 1) == ByteCount(UInt64(2)))
        #expect(Self.price.dataBytes(ofMetadata: .max) > .mebibytes(1 << 40))
    }

    @Test func `What goes is less than what comes in its place, and no gain by itself`() {
        var cost = ReplacementCost(references: 10)
        #expect(cost.grownBytes == 0)
        cost.add(references: 10)
        cost.add(extents: 1)
        #expect(cost.grownBytes == 10 * (144 - 78) + 64 - 49)
    }

    @Test func `References alike are counted together, each by the frames that it shows`() {
        var census = ReferenceCensus()
        for _ in 0..<5 { census.add(Self.range(0, 512)) }
        census.add(Self.range(100, 200))
        let frame = ByteCount.kibibytes(128)
        #expect(census.count == 6)
        #expect(census.showing(Self.range(200, 300)) == 5)
        #expect(census.items(over: Self.range(0, 512), unit: frame, liveUnit: frame) == 22)
        #expect(census.items(over: Self.range(200, 512), unit: frame, liveUnit: frame) == 15)
    }

    @Test func `Of a keeper's items each reference is counted with those that it shows`() {
        var census = ReferenceCensus()
        census.add(Self.range(0, 512))
        census.add(Self.range(100, 200))
        census.add(Self.range(100, 200))
        let joints = [128, 256, 384].map { Self.range(0, $0).upperBound }
        let whole = Self.range(0, 512)
        #expect(census.items(over: whole, joints: joints) == 4 + 2 * 2)
        #expect(census.items(over: whole, joints: []) == 3)
        // A joint at the end of what is shown divides nothing.
        #expect(census.items(over: Self.range(128, 256), joints: joints) == 1 + 2)
        #expect(census.items(over: Self.range(300, 512), joints: joints) == 2)
    }

    @Test func `What a running qube uses is moved in short requests`() {
        var census = ReferenceCensus()
        census.add(Self.range(0, 4096), isLive: true)
        census.add(Self.range(0, 4096))
        #expect(
            census.items(
                over: Self.range(0, 4096), unit: .mebibytes(16), liveUnit: .mebibytes(1)) == 5)
    }

    @Test func `A leaf that snapshots share costs a node, and the first of a tree two`() {
        let node: UInt64 = 16 << 10
        func bytes(_ items: Int, _ isRootShared: Bool) -> UInt64 {
            ReplacementCost.unsharingBytes(
                items: items, isRootShared: isRootShared, at: Self.price)
        }
        #expect(bytes(0, true) == 0)
        #expect(bytes(1, false) == node + 156)
        #expect(bytes(1, true) == 2 * node + 156)
        #expect(bytes(1000, false) > 9 * node)
    }
}
