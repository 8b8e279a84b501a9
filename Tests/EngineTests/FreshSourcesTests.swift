// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import SystemCalls
import SystemPackage
import Testing

@testable import Engine

@Suite struct FreshSourcesTests {
    static let sector = ByteCount.kibibytes(4)
    static let inode = ModelState.inode(1)

    static func range(_ first: UInt64, _ end: UInt64) -> Range<ByteCount> {
        ByteCount(first * sector.rawValue)..<ByteCount(end * sector.rawValue)
    }

    /// A file of 64 sectors, all in the cache.
    static func warmStore(pinned: Set<UInt64> = []) -> ModelStore {
        var state = DeviceLawTests.copies(1)
        DeviceLawTests.warm(1, &state)
        for sector in pinned {
            state.device.pinned.insert(.init(inode: inode, offset: sector * ModelState.sector))
        }
        return ModelStore(state)
    }

    static func part(_ store: ModelStore, _ range: Range<ByteCount>) throws -> FreshSources.Part {
        let file = try store.open(inode, generation: ModelStore.generation)
        return FreshSources.Part(inode: inode, file: file, range: range)
    }

    @Test func `What was let go is not let go again, and what is new is`() throws {
        let store = Self.warmStore()
        let fresh = FreshSources(store: store)
        let first = try Self.part(store, Self.range(0, 8))
        #expect(fresh.refresh([first]).parts(of: first.range, in: Self.inode).isEmpty)
        #expect(store.state.device.cachedPages(of: Self.inode, in: 0..<(8 * 4096)) == 0)
        #expect(store.state.device.cachedPages(of: Self.inode, in: (8 * 4096)..<(64 * 4096)) == 56)
        store.prefetch(first.file, at: .start, lengthBytes: .kibibytes(32))
        _ = fresh.refresh([first])
        #expect(store.state.device.cachedPages(of: Self.inode, in: 0..<(8 * 4096)) == 8)
        _ = fresh.refresh([try Self.part(store, Self.range(4, 12))])
        #expect(store.state.device.cachedPages(of: Self.inode, in: 0..<(12 * 4096)) == 8)
        fresh.forget(Self.range(0, 2), of: Self.inode)
        _ = fresh.refresh([first])
        #expect(store.state.device.cachedPages(of: Self.inode, in: 0..<(8 * 4096)) == 6)
    }

    @Test func `What was not in the cache when the job came, or shows a fresh source, stays`()
        throws
    {
        let store = Self.warmStore()
        let fresh = FreshSources(store: store)
        let cold = try Self.part(store, Self.range(0, 8))
        let warm = try Self.part(store, Self.range(8, 16))
        store.forget(cold.file, at: .start, lengthBytes: .kibibytes(32))
        fresh.expect(cold)
        fresh.expect(warm)
        fresh.add(Self.range(16, 24), of: Self.inode)
        store.prefetch(cold.file, at: .start, lengthBytes: .kibibytes(32))
        _ = fresh.refresh([try Self.part(store, Self.range(0, 24))])
        let pages = [0, 8, 16].map { first in
            store.state.device.cachedPages(
                of: Self.inode, in: (first * 4096)..<((first + 8) * 4096))
        }
        #expect(pages == [8, 0, 8])
    }

    @Test func `What is being let go of is no other's page to whoever is about to read it`() throws
    {
        let expected = Monitor<[Range<ByteCount>]>([])
        let lookMeanwhile = Monitor<(@Sendable () -> Void)?>(nil)
        var faults = ModelStore.Faults()
        faults.onForget = { lookMeanwhile.withLock { $0 }?() }
        let store = ModelStore(DeviceLawTests.copies(1))
        store.set(faults)
        let fresh = FreshSources(store: store)
        let part = try Self.part(store, Self.range(0, 8))
        fresh.readAhead(part)
        #expect(store.state.device.cachedPages(of: Self.inode, in: 0..<(8 * 4096)) == 8)
        // The other lane looks between the two: the pages are remembered no more, and still there.
        lookMeanwhile.withLock { look in
            look = { expected.withLock { $0 = fresh.expect(part) } }
        }
        fresh.letGo(of: [part.range], in: Self.inode, part.file)
        #expect(expected.withLock { $0 } == [part.range])
    }

    @Test func `Only what stays is stale, to within a grain`() throws {
        let store = Self.warmStore(pinned: [20])
        let fresh = FreshSources(store: store)
        let all = try Self.part(store, Self.range(0, 64))
        let stale = fresh.refresh([all])
        #expect(stale.parts(of: all.range, in: Self.inode) == [Self.range(16, 32)])
        #expect(stale.parts(of: Self.range(32, 64), in: Self.inode).isEmpty)
    }

    @Test func `A write that was refused to somebody else makes its file no source`() throws {
        let store = Self.warmStore(pinned: [3])
        store.change { $0.device.untoldErrors[Self.inode] = .ioError }
        let fresh = FreshSources(store: store)
        let stale = fresh.refresh([try Self.part(store, Self.range(0, 8))])
        #expect(stale.parts(of: Self.range(0, 8), in: Self.inode) == [Self.range(0, 8)])
        #expect(stale.failures.map(\.reason) == [.ioError])
    }

    @Test func `What is remembered is bounded`() throws {
        let store = ModelStore(DeviceLawTests.copies(1))
        let fresh = FreshSources(store: store)
        let file = try store.open(Self.inode, generation: ModelStore.generation)
        let count = UInt64(FreshSources.rangeLimit) + 1
        let parts = (0..<count).map { index in
            FreshSources.Part(
                inode: Self.inode, file: file, range: Self.range(2 * index, 2 * index + 1))
        }
        _ = fresh.refresh(parts)
        let before = store.log.forgotten.count
        _ = fresh.refresh([parts[0]])
        #expect(store.log.forgotten.count == before + 1)
        _ = fresh.refresh([parts[parts.count - 1]])
        #expect(store.log.forgotten.count == before + 1)
    }

    // MARK: Sets of ranges

    @Test func `A set of ranges agrees with a set of numbers`() {
        var generator = SeededGenerator(seed: 3)
        for _ in 0..<50 {
            var ranges = RangeSet()
            var numbers: Set<UInt64> = []
            for _ in 0..<30 {
                let start = UInt64.random(in: 0..<100, using: &generator)
                let end = start + UInt64.random(in: 0...12, using: &generator)
                let asked = ByteCount(start)..<ByteCount(end)
                let missing = Set(ranges.missing(of: asked).flatMap(Self.numbers))
                #expect(missing == Set(start..<end).subtracting(numbers))
                #expect(
                    Set(ranges.parts(of: asked).flatMap(Self.numbers))
                        == Set(start..<end).intersection(numbers))
                if Bool.random(using: &generator) {
                    ranges.insert(asked)
                    numbers.formUnion(start..<end)
                } else {
                    ranges.remove(asked)
                    numbers.subtract(start..<end)
                }
                #expect(Set(ranges.ranges.flatMap(Self.numbers)) == numbers)
                #expect(
                    zip(ranges.ranges, ranges.ranges.dropFirst()).allSatisfy {
                        $0.upperBound < $1.lowerBound
                    })
            }
        }
    }

    private static func numbers(_ range: Range<ByteCount>) -> Range<UInt64> {
        range.lowerBound.rawValue..<range.upperBound.rawValue
    }
}

@Suite struct SettlementTests {
    static func extent(
        at offset: UInt64, length: UInt64 = 128, disk: UInt64 = 128,
        _ compression: Compression = .none, content: UInt64? = nil, generation: UInt64 = 10,
        hole: Bool = false
    ) -> FileExtent {
        let reference = FileExtent.Reference(
            address: LogicalAddress(1 << 20), diskBytes: .kibibytes(disk), offsetInExtent: .zero)
        return FileExtent(
            fileOffset: FileOffset(offset << 10), lengthBytes: .kibibytes(length),
            contentBytes: .kibibytes(content ?? length), compression: compression,
            generation: Generation(generation), storage: hole ? .hole : .regular(reference))
    }

    static let packed = Settlement.Frame(
        offset: FileOffset(128 << 10), lengthBytes: .kibibytes(128), packedBytes: .kibibytes(40))
    static let plain = Settlement.Frame(
        offset: FileOffset(256 << 10), lengthBytes: .kibibytes(128), packedBytes: nil)

    static func missing(
        _ frames: [Settlement.Frame], _ extents: [FileExtent]
    ) -> Settlement.Frame? {
        Settlement.firstMissing(frames, in: extents, since: Generation(10))
    }

    @Test func `What is there as it was written is found, cut or joined where it is plain`() {
        let good = Self.extent(at: 128, disk: 40, .zstd)
        #expect(Self.missing([Self.packed, Self.plain], [good, Self.extent(at: 256)]) == nil)
        let cut = [Self.extent(at: 256, length: 4), Self.extent(at: 260, length: 200)]
        #expect(Self.missing([Self.packed, Self.plain], [good] + cut) == nil)
        #expect(Self.missing([Self.plain], [Self.extent(at: 0, length: 512)]) == nil)
        // As with the mount option compress-force.
        let forced = [Self.extent(at: 256, length: 64, disk: 8, .lzo), Self.extent(at: 320)]
        #expect(Self.missing([Self.plain], forced) == nil)
    }

    @Test func `Whatever differs from what was written is missing`() {
        let wrong = [
            [], [Self.extent(at: 128, disk: 40, .zstd, hole: true)],
            [Self.extent(at: 128, disk: 40, .zstd, generation: 9)],
            [Self.extent(at: 128, disk: 44, .zstd)], [Self.extent(at: 128)],
            [Self.extent(at: 128, length: 64, disk: 40, .zstd)],
            [Self.extent(at: 128, disk: 40, .zstd, content: 256)],
            [Self.extent(at: 132, disk: 40, .zstd)], [Self.extent(at: 128, disk: 40, .lzo)],
        ]
        for extents in wrong { #expect(Self.missing([Self.packed], extents) == Self.packed) }
        let wrongPlain = [
            [], [Self.extent(at: 256, length: 124)], [Self.extent(at: 260)],
            [Self.extent(at: 256, length: 4), Self.extent(at: 264, length: 200)],
            [Self.extent(at: 256, hole: true)],
            [Self.extent(at: 256, length: 4), Self.extent(at: 260, generation: 3)],
        ]
        for extents in wrongPlain { #expect(Self.missing([Self.plain], extents) == Self.plain) }
    }

    @Test func `What was to be packed is known afterwards, packed or not, and nothing else is`() {
        var packed = Self.packed
        packed.level = 9
        var plain = Self.plain
        plain.level = 5
        let extents = [
            Self.extent(at: 0), Self.extent(at: 128, disk: 40, .zstd),
            Self.extent(at: 256, length: 4), Self.extent(at: 260, length: 100),
            Self.extent(at: 512),
        ]
        let verdicts = Settlement.verdicts(on: extents, of: [packed, plain])
        // The first lies before all frames and the last behind them.
        #expect(verdicts.map(\.level) == [9, 5, 5])
        #expect(verdicts.map(\.finding) == [.packed, .doesNotShrink, .doesNotShrink])
        #expect(verdicts.map(\.generation) == extents[1...3].map(\.generation))
        #expect(Settlement.verdicts(on: extents, of: [Self.packed, Self.plain]).isEmpty)
    }
}

@Suite struct SuccessorKeepersTests {
    static let keeper = ModelState.inode(1)

    static func place(_ number: UInt64, _ sector: UInt64) -> Replacement.Place {
        Replacement.Place(
            inode: ModelState.inode(number), offset: FileOffset(sector * ModelState.sector))
    }

    @Test func `What is bad of a keeper comes from its successor, or from nowhere`() {
        let keepers = SuccessorKeepers()
        let piece = Replacement.Piece(
            range: FreshSourcesTests.range(10, 20), keeper: Self.place(1, 110))
        #expect(keepers.pieces(for: piece) == [piece])
        keepers.add(
            FreshSourcesTests.range(112, 114), of: Self.keeper, successor: Self.place(3, 50))
        keepers.add(
            FreshSourcesTests.range(112, 114), of: Self.keeper, successor: Self.place(2, 70))
        keepers.add(FreshSourcesTests.range(112, 114), of: Self.keeper, successor: nil)
        keepers.add(FreshSourcesTests.range(116, 130), of: Self.keeper, successor: nil)
        let expected = [
            Replacement.Piece(range: FreshSourcesTests.range(10, 12), keeper: Self.place(1, 110)),
            Replacement.Piece(range: FreshSourcesTests.range(12, 14), keeper: Self.place(2, 70)),
            Replacement.Piece(range: FreshSourcesTests.range(14, 16), keeper: Self.place(1, 114)),
        ]
        #expect(keepers.pieces(for: piece) == expected)
    }
}
