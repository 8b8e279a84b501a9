// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Testing

@testable import Engine

@Suite("Items in a few bytes") struct FileExtentCodingTests {
    private static func item(
        _ offset: UInt64, _ address: UInt64, length: UInt64 = 1 << 17, disk: UInt64 = 4096,
        from: UInt64 = 0, generation: UInt64 = 7, compression: Compression = .zstd,
        isPreallocated: Bool = false
    ) -> FileExtent {
        let reference = FileExtent.Reference(
            address: LogicalAddress(address), diskBytes: ByteCount(disk),
            offsetInExtent: ByteCount(from))
        return FileExtent(
            fileOffset: FileOffset(offset), lengthBytes: ByteCount(length),
            contentBytes: ByteCount(length), compression: compression,
            generation: Generation(generation),
            storage: isPreallocated ? .preallocated(reference) : .regular(reference))
    }

    private static func coded(_ items: [FileExtent]) -> [UInt8] {
        var encoder = FileExtentEncoder()
        for item in items { encoder.append(item) }
        return encoder.piece()
    }

    private static func decoded(_ piece: [UInt8]) -> [FileExtent]? {
        var decoder = FileExtentDecoder(piece: piece)
        return decoder?.items()
    }

    private static func random(_ count: Int, _ content: inout SeededGenerator) -> [FileExtent] {
        var offset: UInt64 = 0
        return (0..<count).map { _ in
            // Often what follows from the item before, and now and then what cannot be.
            let bits = content.next()
            offset &+= bits & 1 == 0 ? 1 << 17 : content.next() >> (bits >> 8 % 64)
            let item = item(
                offset % (1 << 62), content.next() >> (bits >> 16 % 64) % (1 << 62),
                length: bits & 2 == 0 ? 1 << 17 : content.next() % (1 << 30),
                disk: bits & 4 == 0 ? 4096 : content.next() % (1 << 30),
                from: bits & 8 == 0 ? 0 : content.next() % (1 << 30),
                generation: bits & 16 == 0 ? 7 : content.next(),
                compression: Compression.allCases[Int(bits >> 24 % 4)],
                isPreallocated: bits & 32 == 0)
            return item
        }
    }

    @Test func `What was encoded comes back`() {
        var content = SeededGenerator(seed: 5)
        for count in 0..<200 {
            let items = Self.random(count, &content)
            #expect(Self.decoded(Self.coded(items)) == items)
        }
    }

    @Test func `Holes and inline extents are left out`() {
        let inline = FileExtent(
            fileOffset: .start, lengthBytes: ByteCount(100), contentBytes: ByteCount(100),
            compression: .none, generation: Generation(1),
            storage: .inline(storedBytes: ByteCount(100)))
        let hole = FileExtent(
            fileOffset: .start, lengthBytes: ByteCount(4096), contentBytes: .zero,
            compression: .none, generation: Generation(1), storage: .hole)
        var encoder = FileExtentEncoder()
        encoder.append(inline)
        encoder.append(hole)
        #expect(encoder.isEmpty)
    }

    @Test func `What an image and its packed frames are takes a byte for each`() {
        let items = (0..<1000).map { Self.item(UInt64($0) << 17, 1 << 30 + UInt64($0) << 12) }
        #expect(Self.coded(items).count < 1000 + 64)
    }

    @Test func `Whatever is damaged is none`() throws {
        var content = SeededGenerator(seed: 6)
        let items = Self.random(40, &content)
        let piece = Self.coded(items)
        for index in piece.indices {
            var damaged = piece
            damaged[index] ^= UInt8(1 << (index % 8))
            #expect(FileExtentDecoder(piece: damaged) == nil)
            #expect(FileExtentDecoder(piece: Array(piece.prefix(index))) == nil)
        }
        // Whole by its checksum, and yet nothing that an encoder makes.
        for _ in 0..<2000 {
            var noise: [UInt8] = []
            let count = Int(content.next() % 60)
            FingerprintSegment.add(UInt64(count), to: &noise)
            for _ in 0..<count { noise.append(UInt8(truncatingIfNeeded: content.next())) }
            noise += FingerprintSegment.checksum(noise)
            for item in Self.decoded(noise) ?? [] {
                #expect(item.fileOffset.rawValue <= .max - item.lengthBytes.rawValue)
            }
        }
    }
}
