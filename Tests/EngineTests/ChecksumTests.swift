// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import CChecksum
import SystemPackage
import Testing

@testable import Engine

/// Expected values are what the published reference implementations give (`xxh64sum`, `sha256sum`,
/// Python's `hashlib.blake2b(digest_size=32)`), cut to their first four bytes as Btrfs stores them.
@Suite struct ChecksumTests {
    struct Vector: CustomTestStringConvertible {
        let name: String
        let content: [UInt8]
        let xxhash64: UInt32
        let sha256: UInt32
        let blake2b: UInt32
        var testDescription: String { name }

        /// Bytes that count up to 250 and begin again.
        static func counting(
            _ length: Int, _ xxhash64: UInt32, _ sha256: UInt32, _ blake2b: UInt32
        ) -> Vector {
            Vector(
                name: "\(length) bytes that count", content: ChecksumTests.counting(length),
                xxhash64: xxhash64, sha256: sha256, blake2b: blake2b)
        }
    }

    static func counting(_ length: Int) -> [UInt8] { (0..<length).map { UInt8($0 % 251) } }

    static let vectors = [
        Vector(
            name: "nothing", content: [], xxhash64: 0x51d8_e999, sha256: 0x42c4_b0e3,
            blake2b: 0xc051_570e),
        Vector(
            name: "abc", content: Array("abc".utf8), xxhash64: 0xad77_0999, sha256: 0xbf16_78ba,
            blake2b: 0x3c81_ddbd),
        Vector(
            name: "a sector of zeroes", content: [UInt8](repeating: 0, count: 4096),
            xxhash64: 0x32d8_bbdb, sha256: 0xb2ac_7fad, blake2b: 0x92de_6e68),
        // The last length whose padding fits into one block of SHA-256, the first that does not,
        // and the edges of a block of SHA-256 and of BLAKE2b.
        .counting(55, 0x994e_a839, 0x8eb2_3e46, 0x9edb_e7ac),
        .counting(56, 0x0ff2_b918, 0xd6e4_2ada, 0x5fd3_c1a6),
        .counting(64, 0xdb67_13f0, 0xacb9_eafd, 0xd5e6_d810),
        .counting(127, 0x10ce_0199, 0xa60f_ca92, 0xff67_fef2),
        .counting(128, 0x47b9_ab92, 0x43b9_1f47, 0x712f_58c3),
        .counting(129, 0x6e89_1fcf, 0xa5c6_9950, 0x6bc4_f3f7),
        .counting(4096, 0x994a_d3ec, 0x6e65_7cd6, 0xa194_c211),
        .counting(10_007, 0x4f7d_c579, 0xa774_f702, 0x7418_8c64),
    ]

    // MARK: The functions

    @Test(arguments: vectors) func `xxhash64 is what the specification says`(vector: Vector) {
        unsafe #expect(
            cchecksum_xxhash64_32(vector.content, vector.content.count) == vector.xxhash64)
    }

    @Test(arguments: vectors) func `SHA-256 is what the standard says`(vector: Vector) {
        unsafe #expect(cchecksum_sha256_32(vector.content, vector.content.count) == vector.sha256)
    }

    @Test(arguments: vectors) func `BLAKE2b is what the RFC says`(vector: Vector) {
        unsafe #expect(cchecksum_blake2b_32(vector.content, vector.content.count) == vector.blake2b)
    }

    @Test func `crc32c of the digits is the published check value`() {
        let digits = Array("123456789".utf8)
        unsafe #expect(cchecksum_crc32c(digits, digits.count) == 0xe306_9283)
    }

    @Test(arguments: ChecksumKind.allCases) func `Alignment in memory changes nothing`(
        kind: ChecksumKind
    ) {
        let content = Self.counting(4096)
        let sums = (0..<8).map { shift in
            let shifted = [UInt8](repeating: 0xff, count: shift) + content
            return unsafe shifted.withUnsafeBytes {
                unsafe kind.checksum(of: UnsafeRawBufferPointer(rebasing: $0[shift...]))
            }
        }
        #expect(Set(sums).count == 1)
    }

    // MARK: Fingerprints

    /// A plain file and a packed one of the same sixteen sectors.
    static func twins(by compression: Compression, _ kind: ChecksumKind = .crc32c) -> ModelJob {
        var state = ModelState()
        for number in 1...2 as ClosedRange<UInt64> { state.make(number) }
        state.write(Content.sectors(0..<16), to: 1, at: 0)
        state.write(Content.sectors(0..<16), to: 2, at: 0, packedTo: 8192, by: compression)
        var job = ModelJob(store: ModelStore(state))
        job.checksumKind = kind
        return job
    }

    /// The checksums of the usable sectors of the extent at a position, nil for the others.
    static func sums(_ fingerprints: Fingerprints, _ position: Int) throws -> [UInt32?] {
        Array(try fingerprints.allSums()[fingerprints.range(position)])
    }

    @Test(
        "Packed content has the checksums of plain content",
        arguments: [Compression.zlib, .lzo, .zstd], ChecksumKind.allCases)
    func packedIsAsPlain(compression: Compression, kind: ChecksumKind) throws {
        let job = Self.twins(by: compression, kind)
        let fingerprints = try job.fingerprints(of: job.survey())
        try #require(fingerprints.count == 2)
        #expect(try Self.sums(fingerprints, 0) == Self.sums(fingerprints, 1))
        #expect(try !Self.sums(fingerprints, 0).contains(nil))
    }

    @Test func `A zstd extent is unpacked past the page cache`() throws {
        let job = Self.twins(by: .zstd)
        _ = try job.fingerprints(of: job.survey())
        #expect(job.store.log.encodedReads == 1)
        #expect(job.store.log.reads == 0)
    }

    @Test func `A zstd extent that cannot be had as it stands is read in plain`() throws {
        let job = Self.twins(by: .zstd)
        var faults = ModelStore.Faults()
        faults.onReadEncoded = .inappropriateIOCTLForDevice
        job.store.set(faults)
        let fingerprints = try job.fingerprints(of: job.survey())
        try #require(fingerprints.count == 2)
        #expect(try Self.sums(fingerprints, 0) == Self.sums(fingerprints, 1))
        #expect(job.store.log.reads == 1)
    }

    /// As `twins`, and eighteen clones of the packed one.
    static func cloned(by compression: Compression) -> ModelJob {
        let job = twins(by: compression)
        job.store.change { state in
            for number in 3...20 as ClosedRange<UInt64> {
                state.make(number)
                state.clone(2, 0..<(16 * ModelState.sector), to: number, at: 0)
            }
        }
        return job
    }

    @Test func `However many files share an extent, it is read once, and let go`() throws {
        let job = Self.cloned(by: .lzo)
        _ = try job.fingerprints(of: job.survey())
        #expect(job.store.log.readBytes == 16 * Int(ModelState.sector))
        #expect(job.store.log.forgotten.count == 1)
    }

    @Test func `What a live image shows stays in memory`() throws {
        var job = Self.twins(by: .zlib)
        job.roles.live = [ModelState.inode(2)]
        job.includesLiveOnly = true
        _ = try job.fingerprints(of: job.survey())
        #expect(job.store.log.reads == 1)
        #expect(job.store.log.forgotten.isEmpty)
    }

    @Test func `Parts that several files show are put together, and what none shows is unknown`()
        throws
    {
        let job = Self.twins(by: .zlib)
        let sector = ModelState.sector
        job.store.change { state in
            state.make(3)
            state.clone(2, (10 * sector)..<(14 * sector), to: 3, at: 5 * sector)
            // Of the sixteen, the second file keeps the first four.
            state.write(Content.sectors(20..<32), to: 2, at: 4 * sector)
        }
        let survey = job.survey()
        let fingerprints = try job.fingerprints(of: survey)
        let packed = try #require(
            (0..<fingerprints.count).first {
                survey.extents[fingerprints.extent($0)].compression == .zlib
            })
        let plain = try Self.sums(fingerprints, 0)
        #expect(
            try Self.sums(fingerprints, packed)
                == (0..<16).map { $0 < 4 || (10..<14).contains($0) ? plain[$0] : nil })
    }

    @Test func `A file that cannot be read leaves the extent to the next one`() throws {
        let job = Self.cloned(by: .zlib)
        var faults = ModelStore.Faults()
        faults.onRead = { number, _ in number < 4 ? .ioError : nil }
        job.store.set(faults)
        #expect(try job.fingerprints(of: job.survey()).count == 2)
    }

    @Test func `An extent that no file can be read of is given up, and has no fingerprint`() throws
    {
        let job = Self.cloned(by: .lzo)
        var faults = ModelStore.Faults()
        faults.onRead = { _, _ in .ioError }
        job.store.set(faults)
        let fingerprints = try job.fingerprints(of: job.survey())
        #expect((0..<fingerprints.count).map(fingerprints.extent) == [0])
        #expect(job.store.log.reads == 4)
    }

    @Test(
        "Of a packed copy and a plain one, one is left",
        arguments: [Compression.zlib, .lzo, .zstd])
    func oneIsLeft(compression: Compression) throws {
        let job = Self.twins(by: compression)
        let before = job.store.state.diskUse
        try job.dedupe()
        #expect(job.store.state.diskUse < before)
    }
}
