// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import CChecksum
import Testing

@testable import Engine

/// How verdicts are kept, joined and forgotten.
@Suite("The cache of verdicts")
struct VerdictCacheTests {
    private static let home = FileSystem.Identity(bytes: Array(0..<16))

    private static func verdict(
        _ index: Int, generation: UInt64 = 5, level: Int = 3, usedParts: Int = 64
    ) throws -> Verdict {
        try #require(
            Verdict(
                address: LogicalAddress(UInt64(index) << 17), generation: Generation(generation),
                level: level, usedParts: usedParts))
    }

    private static func verdicts(_ list: [Verdict], limit: Int = Verdicts.limit) -> Verdicts {
        var verdicts = Verdicts()
        verdicts.add(list, limit: limit)
        return verdicts
    }

    private static func encoded(_ verdicts: Verdicts) -> [UInt8] {
        Array(verdicts.encodedParts(for: home).joined())
    }

    private static func decoded(_ bytes: [UInt8]) -> Verdicts? {
        Verdicts(decoding: bytes, fileSystem: home)
    }

    private static func many() throws -> [Verdict] {
        try (0..<40).map {
            try verdict(
                $0 * 977 % 40 + 1, generation: UInt64($0 % 7),
                level: [-12, -1, 1 + $0 % 19][$0 % 3], usedParts: $0 % 64 + 1)
        }
    }

    @Test("A verdict gives back what was put into it, and takes no more than 16 bytes")
    func fields() throws {
        for level in [Verdict.lowestLevel, -3, -1, 1, 3, Verdict.highestLevel] {
            for parts in [1, 2, 63, 64] {
                let address = LogicalAddress(0x00ff_1234_5678_9000)
                let verdict = try #require(
                    Verdict(
                        address: address, generation: Generation(.max), level: level,
                        usedParts: parts))
                let packed = try #require(
                    Verdict(
                        address: address, generation: Generation(.max), finding: .packed,
                        level: level, usedParts: parts))
                #expect(verdict.finding == .doesNotShrink && packed.finding == .packed)
                #expect(packed.address == address && packed.level == level)
                #expect(verdict.address == address)
                #expect(verdict.generation == Generation(.max))
                #expect(verdict.level == level)
                #expect(verdict.usedParts == parts)
            }
        }
        #expect(MemoryLayout<Verdict>.size == 16)
        let generation = Generation(1)
        let address = LogicalAddress(8192)
        #expect(Verdict(address: LogicalAddress(8193), generation: generation, level: 3) == nil)
        #expect(Verdict(address: address, generation: generation, level: 0) == nil)
        #expect(Verdict(address: address, generation: generation, level: 20) == nil)
        #expect(
            Verdict(address: address, generation: generation, level: -15)?.level
                == Verdict.lowestLevel)
        #expect(
            Verdict(address: address, generation: generation, level: 3, usedParts: 65) == nil)
    }

    @Test(
        "Use is told in parts, rounded up",
        arguments: [(0, 1), (1, 1), (4, 1), (5, 2), (252, 63), (253, 64), (256, 64), (999, 64)])
    func use(sectors: UInt64, parts: Int) {
        #expect(
            Verdict.usedParts(
                ByteCount(sectors * ModelState.sector), of: .kibibytes(1024)) == parts)
    }

    @Test("What was kept is read again")
    func roundTrip() throws {
        let verdicts = Self.verdicts(try Self.many())
        #expect(verdicts.count == 40)
        #expect(Self.decoded(Self.encoded(verdicts)) == verdicts)
        #expect(Self.decoded(Self.encoded(Verdicts())) == Verdicts())
    }

    @Test("Those of another file system are thrown away")
    func foreign() throws {
        let bytes = Self.encoded(Self.verdicts(try Self.many()))
        let other = FileSystem.Identity(bytes: Array(1..<17))
        #expect(Verdicts(decoding: bytes, fileSystem: other) == nil)
    }

    @Test("Verdicts that are broken, cut or made up are thrown away and never trap")
    func broken() throws {
        let bytes = Self.encoded(Self.verdicts(try Self.many()))
        for length in 0..<bytes.count { #expect(Self.decoded(Array(bytes[..<length])) == nil) }
        for index in bytes.indices {
            var spoiled = bytes
            spoiled[index] ^= 0x40
            #expect(Self.decoded(spoiled) == nil)
        }
        #expect(Self.decoded(bytes + [0]) == nil)
    }

    /// What stands in the cache between its header and a right checksum.
    private static func made(of words: [UInt64]) -> [UInt8] {
        let content =
            encoded(Verdicts()).dropLast(4)
            + words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
        let sum = unsafe Array(content).withUnsafeBytes {
            unsafe cchecksum_crc32c($0.baseAddress, $0.count)
        }
        return content + (0..<4).map { UInt8(truncatingIfNeeded: sum >> UInt32(8 * $0)) }
    }

    @Test("What is out of order, of no level or half a verdict is none, whatever the checksum says")
    func invalid() {
        let first: UInt64 = 1 << 20 | 3 << 6
        let second: UInt64 = 2 << 20 | 3 << 6
        #expect(Self.decoded(Self.made(of: [first, 1, second, 1]))?.count == 2)
        #expect(Self.decoded(Self.made(of: [second, 1, first, 1])) == nil)
        #expect(Self.decoded(Self.made(of: [first, 1, first, 1])) == nil)
        #expect(Self.decoded(Self.made(of: [1 << 20, 1])) == nil)
        #expect(Self.decoded(Self.made(of: [first])) == nil)
    }

    @Test("They take no more than their limit, and what is known goes before what is new")
    func limit() throws {
        var verdicts = Self.verdicts(try (1...6).map { try Self.verdict($0 * 2) }, limit: 6)
        verdicts.add(try (1...6).map { try Self.verdict($0, generation: 8) }, limit: 8)
        #expect(verdicts.count == 8)
        let known = Self.verdicts(
            try [1, 3].map { try Self.verdict($0, generation: 8) }
                + [2, 4, 6].map { try Self.verdict($0, generation: 8) }
                + [8, 10, 12].map { try Self.verdict($0) })
        #expect(verdicts == known)
        let most = 24 + Verdicts.limit * 16 + 4
        #expect(most <= Verdicts.limitBytes && most + 16 > Verdicts.limitBytes)
    }

    @Test("Of two on one extent the higher level stays, of two extents the new one")
    func joining() throws {
        let known = try [
            Self.verdict(1, level: 9), Self.verdict(2, level: 9), Self.verdict(3, level: 9),
            Self.verdict(4, level: 2),
        ]
        var verdicts = Self.verdicts(known)
        verdicts.add(
            try [
                Self.verdict(4, level: 5), Self.verdict(3, generation: 6, level: 3),
                Self.verdict(2, level: 3, usedParts: 9), Self.verdict(1, level: 3),
            ])
        let expected = try [
            Self.verdict(1, level: 9), Self.verdict(2, level: 3, usedParts: 9),
            Self.verdict(3, generation: 6, level: 3), Self.verdict(4, level: 5),
        ]
        #expect(verdicts == Self.verdicts(expected))
        #expect(
            Self.verdicts([try Self.verdict(1, level: 2), try Self.verdict(1, level: 4)])
                == Self.verdicts([try Self.verdict(1, level: 4)]))
    }

    // MARK: Forgetting

    @Test("What has come in an extent's place ends its verdict; what is not shown, in the whole")
    func forgetting() throws {
        var job = ModelJob(store: ModelStore(VerdictTests.album()))
        try VerdictTests.compress(&job)
        #expect(job.verdicts.count == 5)
        job.store.change { $0.write(Content.sectors(60..<62), to: 2, at: 0) }
        let elsewhere = try Self.verdict(1 << 20)
        let replaced = try #require(
            Verdict(
                address: LogicalAddress(job.store.state.extents.keys.max() ?? 0),
                generation: Generation(1), level: 3))
        var verdicts = job.verdicts
        verdicts.add([elsewhere, replaced])
        var part = verdicts
        part.forgetGone(in: job.survey(), isWhole: false)
        var expected = job.verdicts
        expected.add([elsewhere])
        #expect(part == expected, "another qube's may be there")
        var whole = verdicts
        whole.forgetGone(in: job.survey(), isWhole: true)
        #expect(whole == job.verdicts)
    }

    @Test("A file that cannot be read may have what a survey does not show")
    func unreadable() throws {
        var job = ModelJob(store: ModelStore(VerdictTests.album()))
        try VerdictTests.compress(&job)
        var faults = ModelStore.Faults()
        faults.unreadable = [ModelState.inode(1)]
        job.store.set(faults)
        var verdicts = job.verdicts
        verdicts.forgetGone(in: job.survey(), isWhole: true)
        #expect(verdicts == job.verdicts)
    }
}
