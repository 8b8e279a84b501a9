// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Testing

@testable import Engine

@Suite struct KeptFingerprintsTests {
    typealias Entry = FingerprintSegment.Entry

    private static let home = FileSystem.Identity(bytes: Array(0..<16))

    private static func kept(_ cache: MemoryCache) -> KeptFingerprints? {
        KeptFingerprints(cache, fileSystem: home, checksumKind: .crc32c)
    }

    /// A run: what it fingerprints, joined with what the one before has kept.
    @discardableResult
    private static func keep(
        _ entries: [Entry], to cache: MemoryCache, joining old: MemoryCache? = nil,
        othersAreGone: Bool = true, limitBytes: UInt64 = .max
    ) throws -> Bool {
        var writer = KeptFingerprintsWriter(
            to: cache, fileSystem: home, checksumKind: .crc32c, joining: old.flatMap(kept),
            limitBytes: limitBytes, isGone: { _, _ in othersAreGone })
        for entry in entries { try writer.add(entry) }
        return try writer.finish()
    }

    /// Of 128 KiB of content each, so that some 1,800 make a segment.
    private static func entry(_ index: Int, generation: UInt64 = 1) -> Entry {
        Entry(
            address: LogicalAddress(UInt64(index + 1) << 17), generation: Generation(generation),
            sums: (0..<32).map { UInt32(truncatingIfNeeded: index &* 7919 &+ $0) })
    }

    /// The indices of those entries that are found.
    private static func found(_ cache: MemoryCache, _ entries: [Entry]) -> Set<Int> {
        guard let kept = kept(cache) else { return [] }
        return Set(
            entries.indices.filter { index in
                let entry = entries[index]
                let sums = kept.sums(ofExtentAt: entry.address, generation: entry.generation)
                return sums.map { $0 == entry.sums } ?? false
            })
    }

    @Test func `All that was kept is found again, over many segments`() throws {
        let entries = (0..<5000).map { Self.entry($0) }
        let cache = MemoryCache()
        #expect(try Self.keep(entries, to: cache))
        let kept = try #require(Self.kept(cache))
        #expect(kept.segmentCount == 3)
        #expect(Self.found(cache, entries) == Set(entries.indices))
        for entry in entries[..<100] {
            let newer = Generation(entry.generation.rawValue + 1)
            #expect(kept.sums(ofExtentAt: entry.address, generation: newer) == nil)
            let behind = LogicalAddress(entry.address.rawValue + 4096)
            #expect(kept.sums(ofExtentAt: behind, generation: entry.generation) == nil)
        }
        #expect(kept.sums(ofExtentAt: LogicalAddress(0), generation: Generation(1)) == nil)
        #expect(kept.sums(ofExtentAt: LogicalAddress(.max), generation: Generation(1)) == nil)
    }

    @Test func `Eight segments are held: who goes through all of them reads each once`() throws {
        let entries = (0..<20_000).map { Self.entry($0) }
        let cache = MemoryCache()
        try Self.keep(entries, to: cache)
        let kept = try #require(Self.kept(cache))
        let count = kept.segmentCount
        #expect(count > 9)
        func look(_ indices: some Sequence<Int>) {
            for index in indices {
                let entry = entries[index]
                #expect(
                    kept.sums(ofExtentAt: entry.address, generation: entry.generation) != nil)
            }
        }
        look(stride(from: 0, to: entries.count, by: 100))
        #expect(cache.segmentReads == count)
        // The last eight are there; the first is not.
        look([19_900, 12_000, 8_000, 19_900])
        #expect(cache.segmentReads == count)
        look([0])
        #expect(cache.segmentReads == count + 1)
    }

    @Test func `What has not changed is not written, and what has is written whole`() throws {
        let entries = (0..<4000).map { Self.entry($0) }
        let (first, second) = (MemoryCache(), MemoryCache())
        try Self.keep(entries, to: first)
        #expect(try !Self.keep(entries, to: second, joining: first))
        #expect(second.writes == 0)
        // One extent was written anew, one is new, one is gone.
        var changed = entries
        changed[3000] = Self.entry(3000, generation: 2)
        changed.remove(at: 3500)
        changed.append(Self.entry(9000))
        #expect(try Self.keep(changed, to: second, joining: first))
        #expect(Self.found(second, changed) == Set(changed.indices))
        #expect(Self.found(second, [entries[3000], entries[3500]]).isEmpty)
        let sequences = [first, second].compactMap { Self.kept($0)?.sequence }
        #expect(sequences == [1, 2])
    }

    @Test func `A job on some files keeps what others have`() throws {
        let entries = (0..<4000).map { Self.entry($0) }
        let some = [Self.entry(5), Self.entry(1500, generation: 3), Self.entry(4500)]
        let (first, second, third) = (MemoryCache(), MemoryCache(), MemoryCache())
        try Self.keep(entries, to: first)
        #expect(try !Self.keep([entries[5]], to: second, joining: first, othersAreGone: false))
        #expect(try Self.keep(some, to: second, joining: first, othersAreGone: false))
        #expect(Self.found(second, some) == [0, 1, 2])
        #expect(Self.found(second, entries) == Set(entries.indices).subtracting([1500]))
        #expect(try Self.keep(some, to: third, joining: second, othersAreGone: true))
        #expect(Self.found(third, entries) == [5])
    }

    @Test func `One part that is damaged costs that part and no other, and is mended`() throws {
        let entries = (0..<5000).map { Self.entry($0) }
        let whole = MemoryCache()
        try Self.keep(entries, to: whole)
        let place = KeptFingerprints.placeBytes
        for number in 0..<3 {
            for offset in [0, 3, 4, 7, 11, 12, 16, 30, 44, 51, 100, 70_000, 200_000] {
                var bytes = whole.bytes
                bytes[4096 + number * place + offset] ^= 0x40
                let damaged = MemoryCache(bytes)
                let found = Self.found(damaged, entries)
                let lost = Set(entries.indices).subtracting(found)
                #expect(!lost.isEmpty && lost.count <= 1830, "\(number) \(offset)")
                #expect(lost.count == 1 + (lost.max() ?? 0) - (lost.min() ?? 0), "one part")
                // What is lost was read anew.
                let mended = MemoryCache()
                #expect(try Self.keep(entries, to: mended, joining: damaged))
                #expect(Self.found(mended, entries) == Set(entries.indices))
            }
        }
    }

    @Test func `Cut off, foreign, or not written to its end it is none`() throws {
        let entries = (0..<2500).map { Self.entry($0) }
        let whole = MemoryCache()
        try Self.keep(entries, to: whole)
        for length in [0, 1, 51, 52, 4095, 4096, 5000, 300_000] {
            let cut = MemoryCache(Array(whole.bytes.prefix(length)))
            #expect(Self.found(cut, entries).isSubset(of: Set(0..<1830)), "\(length)")
            #expect((Self.kept(cut) == nil) == (length < 52))
        }
        for index in 0..<52 {
            var bytes = whole.bytes
            bytes[index] ^= 1
            #expect(Self.kept(MemoryCache(bytes)) == nil, "\(index)")
        }
        let other = FileSystem.Identity(bytes: Array(1..<17))
        #expect(KeptFingerprints(whole, fileSystem: other, checksumKind: .crc32c) == nil)
        #expect(KeptFingerprints(whole, fileSystem: Self.home, checksumKind: .sha256) == nil)
        // A newer one was begun over it, and never ended.
        let full = MemoryCache(whole.bytes, roomBytes: 4096 + KeptFingerprints.placeBytes)
        #expect(throws: BtrfsError.self) {
            try Self.keep((0..<5000).map { Self.entry($0, generation: 2) }, to: full)
        }
        #expect(Self.kept(full) == nil)
    }

    @Test func `It takes no more than its limit, and the rest is left out`() throws {
        let entries = (0..<9000).map { Self.entry($0) }
        for segments in 0..<4 {
            let cache = MemoryCache()
            try Self.keep(
                entries, to: cache, limitBytes: UInt64(segments * KeptFingerprints.placeBytes))
            #expect(cache.bytes.count <= 4096 + segments * KeptFingerprints.placeBytes)
            let found = Self.found(cache, entries)
            #expect(found == Set(0..<found.count) && found.count >= segments * 1700)
        }
    }

    @Test(arguments: 0..<40) func `Whatever runs there were, what is known is what was last seen`(
        seed: Int
    ) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        var current = MemoryCache()
        var known: [Int: UInt64] = [:]
        for _ in 0..<8 {
            let isWhole = Bool.random(using: &generator)
            let share = [1, 2, 10].randomElement(using: &generator) ?? 1
            let entries = (0..<3000).filter { _ in Int.random(in: 0..<share, using: &generator) == 0
            }
            .map { index in
                let isNew = Int.random(in: 0..<50, using: &generator) == 0
                return Self.entry(index, generation: (known[index] ?? 0) + (isNew ? 1 : 0))
            }
            let next = MemoryCache()
            let hasWritten = try Self.keep(
                entries, to: next, joining: current, othersAreGone: isWhole)
            if isWhole { known = [:] }
            for entry in entries {
                known[Int(entry.address.rawValue >> 17) - 1] = entry.generation.rawValue
            }
            if hasWritten { current = next }
            let all = (0..<3000).map { Self.entry($0, generation: known[$0] ?? 0) }
            #expect(Self.found(current, all) == Set(known.keys))
        }
    }
}
