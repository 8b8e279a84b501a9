// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import CChecksum
import Testing

@testable import Engine

@Suite struct FingerprintSegmentTests {
    private static let home = FileSystem.Identity(bytes: Array(0..<16))

    private static func cache(extents: Int) -> FingerprintSegment {
        var cache = FingerprintSegment(fileSystem: home, checksumKind: .crc32c)
        for index in 0..<extents { cache.append(entry(index)) }
        return cache
    }

    private static func entry(_ index: Int) -> FingerprintSegment.Entry {
        FingerprintSegment.Entry(
            address: LogicalAddress(UInt64(index) << 17), generation: Generation(UInt64(index % 7)),
            sums: (0..<(index % 33)).map { UInt32(truncatingIfNeeded: index &* 7919 &+ $0) })
    }

    private static func decoded(_ bytes: [UInt8]) -> FingerprintSegment? {
        FingerprintSegment(decoding: bytes, fileSystem: home, checksumKind: .crc32c)
    }

    @Test func `What was kept is found again, by address and generation`() throws {
        let cache = try #require(Self.decoded(Self.cache(extents: 500).encoded()))
        #expect(cache.count == 500)
        for index in 0..<500 {
            let entry = Self.entry(index)
            #expect(
                cache.sums(ofExtentAt: entry.address, generation: entry.generation) == entry.sums)
            let newer = Generation(entry.generation.rawValue + 1)
            #expect(cache.sums(ofExtentAt: entry.address, generation: newer) == nil)
        }
        #expect(cache.sums(ofExtentAt: LogicalAddress(1), generation: Generation(0)) == nil)
        #expect(cache.sums(ofExtentAt: LogicalAddress(.max), generation: Generation(0)) == nil)
    }

    @Test func `A cache of another file system or another kind of checksum is thrown away`() {
        let bytes = Self.cache(extents: 3).encoded()
        let other = FileSystem.Identity(bytes: Array(1..<17))
        #expect(
            FingerprintSegment(decoding: bytes, fileSystem: other, checksumKind: .crc32c) == nil)
        #expect(
            FingerprintSegment(decoding: bytes, fileSystem: Self.home, checksumKind: .sha256) == nil
        )
        #expect(Self.decoded(bytes) != nil)
    }

    @Test func `Whatever is broken, short or made up is thrown away and never traps`() {
        let bytes = Self.cache(extents: 40).encoded()
        for length in 0..<bytes.count { #expect(Self.decoded(Array(bytes[..<length])) == nil) }
        for index in bytes.indices {
            var spoiled = bytes
            spoiled[index] ^= 0x40
            #expect(Self.decoded(spoiled) == nil)
        }
    }

    @Test(arguments: [(32, true), (33, false), (255, false)])
    func `An entry longer than an extent is no entry, whatever the checksum says`(
        sectors: Int, isTaken: Bool
    ) {
        let entry = Self.entry(address: 0, sectors: sectors)
        #expect((Self.decoded(Self.made(of: entry)) != nil) == isTaken)
    }

    /// An entry as it is kept, made by hand.
    private static func entry(address: UInt8, sectors: Int) -> [UInt8] {
        [0, 0, address] + [UInt8](repeating: 0, count: 13) + [UInt8(sectors)]
            + [UInt8](repeating: 7, count: sectors * 4)
    }

    /// A cache of whatever content, with the checksum that it should have.
    private static func made(of entries: [UInt8]) -> [UInt8] {
        let content = Array(cache(extents: 0).encoded().dropLast(4)) + entries
        let sum = unsafe content.withUnsafeBytes {
            unsafe cchecksum_crc32c($0.baseAddress, $0.count)
        }
        return content + (0..<4).map { UInt8(truncatingIfNeeded: sum >> UInt32(8 * $0)) }
    }

    @Test func `An entry that ends too soon or stands in the wrong place is none either`() {
        let first = Self.entry(address: 1, sectors: 2)
        let second = Self.entry(address: 2, sectors: 2)
        #expect(Self.decoded(Self.made(of: first + second)) != nil)
        #expect(Self.decoded(Self.made(of: second + first)) == nil)
        for length in 1..<second.count {
            #expect(Self.decoded(Self.made(of: first + second[..<length])) == nil, "\(length)")
        }
    }

    @Test func `It takes no more than its limit`() {
        var cache = FingerprintSegment(fileSystem: Self.home, checksumKind: .crc32c)
        let sums = [UInt32](repeating: 1, count: FingerprintSegment.sectorLimit)
        var index: UInt64 = 0
        while cache.append(
            .init(address: LogicalAddress(index), generation: Generation(1), sums: sums))
        {
            index += 1
        }
        #expect(cache.encoded().count <= FingerprintSegment.limitBytes)
        #expect(cache.encoded().count > FingerprintSegment.limitBytes - 200)
        #expect(Self.decoded(cache.encoded()) != nil)
        let long = [UInt32](repeating: 1, count: FingerprintSegment.sectorLimit + 1)
        var fresh = FingerprintSegment(fileSystem: Self.home, checksumKind: .crc32c)
        let isTaken = fresh.append(
            .init(address: LogicalAddress(0), generation: Generation(1), sums: long))
        #expect(!isTaken)
    }
}
