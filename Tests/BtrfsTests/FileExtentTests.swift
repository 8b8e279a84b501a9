// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

@testable import Btrfs

@Suite struct FileExtentTests {
    /// `struct btrfs_file_extent_item`.
    struct Fields {
        var generation: UInt64 = 77
        var contentBytes: UInt64 = 131_072
        var compression: UInt8 = 3
        var encryption: UInt8 = 0
        var otherEncoding: UInt16 = 0
        var type: UInt8 = 1
        var address: UInt64 = 1 << 30
        var diskBytes: UInt64 = 8192
        var offsetInExtent: UInt64 = 4096
        var lengthBytes: UInt64 = 65536

        var head: [UInt8] {
            Frame.of {
                $0.add(generation)
                $0.add(contentBytes)  // ram_bytes
                $0.add(compression)
                $0.add(encryption)
                $0.add(otherEncoding)
                $0.add(type)
            }
        }

        var bytes: [UInt8] {
            head
                + Frame.of {
                    $0.add(address)  // disk_bytenr
                    $0.add(diskBytes)  // disk_num_bytes
                    $0.add(offsetInExtent)  // offset
                    $0.add(lengthBytes)  // num_bytes
                }
        }
    }

    static func parse(_ bytes: [UInt8], at offset: UInt64 = 12288) -> FileExtent? {
        unsafe FileExtent(
            key: ItemKey(objectIdentifier: 257, type: 108, offset: offset), item: bytes.span.bytes)
    }

    static func parse(
        at offset: UInt64 = 12288, _ change: (inout Fields) -> Void
    ) -> FileExtent? {
        var fields = Fields()
        change(&fields)
        return parse(fields.bytes, at: offset)
    }

    static let reference = FileExtent.Reference(
        address: LogicalAddress(1 << 30), diskBytes: ByteCount(UInt64(8192)),
        offsetInExtent: ByteCount(UInt64(4096)))

    @Test func `A regular extent gives every field`() {
        #expect(
            Self.parse { _ in }
                == FileExtent(
                    fileOffset: FileOffset(12288), lengthBytes: .kibibytes(64),
                    contentBytes: .kibibytes(128), compression: .zstd, generation: Generation(77),
                    storage: .regular(Self.reference)))
    }

    @Test func `A preallocated extent is told from a regular one`() {
        #expect(Self.parse { $0.type = 2 }?.storage == .preallocated(Self.reference))
    }

    @Test(arguments: [UInt8(1), 2]) func `An address of nought is a hole`(type: UInt8) {
        let extent = Self.parse {
            $0.type = type
            $0.address = 0
            $0.compression = 0
        }
        #expect(extent?.storage == .hole)
        #expect(extent?.lengthBytes == .kibibytes(64))
    }

    @Test(arguments: [0, 1, 2047]) func `An inline extent counts its content and stored bytes`(
        stored: Int
    ) {
        var fields = Fields()
        fields.type = 0
        fields.contentBytes = 3000
        let extent = Self.parse(fields.head + [UInt8](repeating: 7, count: stored), at: 0)
        #expect(extent?.storage == .inline(storedBytes: ByteCount(stored)))
        #expect(extent?.lengthBytes == ByteCount(UInt64(3000)))
    }

    @Test func `An item that is short by any length is none`() {
        let bytes = Fields().bytes
        #expect(bytes.count == 53)
        for length in 0..<53 { #expect(Self.parse(Array(bytes.prefix(length))) == nil) }
        var inline = Fields()
        inline.type = 0
        for length in 0..<21 { #expect(Self.parse(Array(inline.head.prefix(length))) == nil) }
    }

    @Test func `Every compression that is known has its code`() {
        let kinds = (UInt8(0)...3).map { code in Self.parse { $0.compression = code }?.compression }
        #expect(kinds == [Compression.none, .zlib, .lzo, .zstd])
    }

    @Test(arguments: [UInt8(4), 5, 255]) func `An unknown compression is none`(code: UInt8) {
        #expect(Self.parse { $0.compression = code } == nil)
    }

    @Test func `Encryption, another encoding and an unknown type are none`() {
        #expect(Self.parse { $0.encryption = 1 } == nil)
        #expect(Self.parse { $0.otherEncoding = 1 } == nil)
        #expect(Self.parse { $0.type = 3 } == nil)
    }

    @Test func `What reaches beyond what can be addressed is none`() {
        #expect(Self.parse(at: .max - 65536) { _ in } != nil)
        #expect(Self.parse(at: .max - 65535) { _ in } == nil)
        #expect(Self.parse(at: 0) { $0.lengthBytes = .max } == nil)
        #expect(Self.parse { $0.offsetInExtent = .max - 65535 } == nil)
        #expect(Self.parse { $0.diskBytes = .max - (1 << 30) + 1 } == nil)
    }
}

@Suite struct InodeItemTests {
    static func bytes(
        mode: UInt32 = 0o100644, flags: UInt64 = 0, links: UInt32 = 2
    ) -> [UInt8] {
        Frame.of {
            $0.add(UInt64(42))  // generation
            $0.add(UInt64(43))  // transid
            $0.add(UInt64(1 << 40))  // size
            $0.add(UInt64(4096))  // nbytes
            $0.add(UInt64(0))  // block_group
            $0.add(links)  // nlink
            $0.add(UInt32(1000))  // uid
            $0.add(UInt32(1000))  // gid
            $0.add(mode)  // mode
            $0.add(UInt64(0))  // rdev
            $0.add(flags)  // flags
            for _ in 0..<11 { $0.add(UInt64.max) }  // sequence, reserved, time stamps
        }
    }

    static func parse(_ bytes: [UInt8]) -> InodeItem? { unsafe InodeItem(item: bytes.span.bytes) }

    @Test func `An inode gives its generation, size, what it maps and names`() {
        #expect(
            Self.parse(Self.bytes())
                == InodeItem(
                    generation: Generation(42), sizeBytes: ByteCount(UInt64(1 << 40)),
                    mappedBytes: .kibibytes(4), links: 2))
    }

    @Test(arguments: [UInt32(0o040755), 0o120777, 0o060600, 0o020600, 0o010600, 0o140600, 0])
    func `Only a regular file is one`(mode: UInt32) {
        #expect(Self.parse(Self.bytes(mode: mode))?.isRegularFile == false)
    }

    @Test(arguments: 0..<64) func `Each flag is read from its own bit`(bit: UInt64) {
        let item = Self.parse(Self.bytes(flags: 1 << bit))
        #expect(item?.hasNoChecksums == [0, 1].contains(bit))
        #expect(item?.isNoCompress == (bit == 3))
        #expect(item?.isImmutable == (bit == 6))
    }

    @Test func `An inode that is short by any length is none`() {
        for length in 0..<72 { #expect(Self.parse(Array(Self.bytes().prefix(length))) == nil) }
        #expect(Self.parse(Array(Self.bytes().prefix(72))) != nil)
    }
}
