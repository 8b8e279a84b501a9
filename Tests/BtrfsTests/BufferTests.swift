// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

@testable import Btrfs

@Suite struct ChecksumItemTests {
    /// Eight sectors from 64 KiB on, crc32c.
    static func run(
        _ start: UInt64, _ end: UInt64, itemBytes: Int = 32, checksumBytes: Int = 4,
        address: UInt64 = 65536
    ) -> [UInt64]? {
        let item = ChecksumItem(
            address: address, itemBytes: itemBytes, checksumBytes: checksumBytes, sectorBytes: 4096)
        return item.run(from: LogicalAddress(start), to: LogicalAddress(end)).map {
            [$0.address.rawValue, UInt64($0.bytes.lowerBound), UInt64($0.bytes.upperBound)]
        }
    }

    @Test func `An item within the range is handed out whole`() {
        #expect(Self.run(0, .max) == [65536, 0, 32])
        #expect(Self.run(65536, 98304) == [65536, 0, 32])
    }

    @Test func `Of an item that starts before the range the rest is handed out`() {
        #expect(Self.run(65536 + 3 * 4096, .max) == [65536 + 3 * 4096, 12, 32])
    }

    @Test func `Of an item that ends behind the range the first part is handed out`() {
        #expect(Self.run(0, 65536 + 5 * 4096) == [65536, 0, 20])
        #expect(Self.run(65536 + 4096, 65536 + 2 * 4096) == [65536 + 4096, 4, 8])
    }

    @Test func `A range within sectors touches those sectors`() {
        #expect(Self.run(65536 + 4097, 65536 + 4098) == [65536 + 4096, 4, 8])
        #expect(Self.run(65536 + 4095, 65536 + 4097) == [65536, 0, 8])
    }

    @Test func `An item before, behind or at the edge of the range has nothing`() {
        #expect(Self.run(0, 65536) == nil)
        #expect(Self.run(98304, .max) == nil)
        #expect(Self.run(70000, 70000) == nil)
        #expect(Self.run(90000, 70000) == nil)
    }

    @Test(arguments: [33, 34, 35]) func `What is less than a checksum at the end is nothing`(
        itemBytes: Int
    ) {
        #expect(Self.run(0, .max, itemBytes: itemBytes) == [65536, 0, 32])
        #expect(Self.run(0, .max, itemBytes: itemBytes - 32) == nil)
    }

    @Test(arguments: ChecksumKind.allCases) func `Each kind of checksum has its length`(
        kind: ChecksumKind
    ) {
        let length = kind.lengthBytes
        #expect(
            Self.run(69632, 73728, itemBytes: 3 * length, checksumBytes: length)
                == [69632, UInt64(length), UInt64(2 * length)])
    }

    @Test func `An item beyond the last address has nothing`() {
        #expect(Self.run(0, .max, address: .max - 4096) == nil)
        #expect(Self.run(0, .max, itemBytes: .max, address: .max / 2) == nil)
    }
}

@Suite struct DataContainerTests {
    static func bytes(
        missing: UInt32 = 0, count: UInt32? = nil, missed: UInt32 = 0, _ uses: [[UInt64]]
    ) -> [UInt8] {
        Frame.of {
            $0.add(UInt32(1000))  // bytes_left
            $0.add(missing)  // bytes_missing
            $0.add(count ?? UInt32(uses.count * 3))  // elem_cnt, three for each use
            $0.add(missed)  // elem_missed
            for use in uses { for number in use { $0.add(number) } }  // inode, offset, root
        }
    }

    static func parse(_ bytes: [UInt8]) -> ExtentUses? {
        unsafe DataContainer.uses(bytes.span.bytes)
    }

    static func use(_ inode: UInt64, _ offset: UInt64, _ subvolume: UInt64) -> ExtentUse {
        ExtentUse(
            inode: InodeIdentifier(subvolume: TreeIdentifier(subvolume), number: inode),
            fileOffset: FileOffset(offset))
    }

    @Test func `Each use gives its inode, its offset and its subvolume`() {
        #expect(
            Self.parse(Self.bytes([[257, 4096, 5], [300, 0, 256]]))
                == .all([Self.use(257, 4096, 5), Self.use(300, 0, 256)]))
        #expect(Self.parse(Self.bytes([])) == .all([]))
    }

    @Test func `Bytes or elements that are missing are too many`() {
        #expect(Self.parse(Self.bytes(missing: 1, [[257, 0, 5]])) == .tooMany)
        #expect(Self.parse(Self.bytes(missed: 3, [[257, 0, 5]])) == .tooMany)
    }

    @Test(arguments: [UInt32(1), 2, 4, UInt32.max - 1]) func `A count of parts of uses is none`(
        count: UInt32
    ) {
        #expect(Self.parse(Self.bytes(count: count, [[257, 0, 5], [258, 0, 5]])) == nil)
    }

    @Test(arguments: [UInt32(6), UInt32.max]) func `A count beyond the buffer is none`(
        count: UInt32
    ) {
        #expect(Self.parse(Self.bytes(count: count, [[257, 0, 5]])) == nil)
    }

    @Test func `A buffer that is short by any length is none`() {
        let bytes = Self.bytes([[257, 0, 5]])
        for length in 0..<bytes.count { #expect(Self.parse(Array(bytes.prefix(length))) == nil) }
    }
}

@Suite struct SpaceInfoTests {
    static let data: UInt64 = 1
    static let system: UInt64 = 2
    static let metadata: UInt64 = 4
    static let doubled: UInt64 = 1 << 5
    static let globalReserve: UInt64 = 1 << 49

    static func parse(_ entries: [[UInt64]], count: Int? = nil) -> SpaceInfo? {
        let bytes = Frame.of { frame in
            for entry in entries { for number in entry { frame.add(number) } }
        }
        return unsafe SpaceInfo.parse(bytes.span.bytes, count: count ?? entries.count)
    }

    static func kind(_ total: UInt64, _ used: UInt64) -> SpaceInfo.Kind {
        SpaceInfo.Kind(totalBytes: ByteCount(total), usedBytes: ByteCount(used))
    }

    @Test func `Each kind is counted as its own, whatever its profile`() {
        let info = Self.parse([
            [Self.data, 1000, 900], [Self.metadata | Self.doubled, 300, 20],
            [Self.system | Self.doubled, 30, 1], [Self.data | Self.doubled, 500, 5],
        ])
        #expect(info?.data == Self.kind(1500, 905))
        #expect(info?.metadata == Self.kind(300, 20))
        #expect(info?.system == Self.kind(30, 1))
    }

    @Test func `The global reserve is a part of metadata and not counted`() {
        let info = Self.parse([
            [Self.metadata, 300, 20], [Self.metadata | Self.globalReserve, 100, 50],
        ])
        #expect(info?.metadata == Self.kind(300, 20))
    }

    @Test func `Mixed groups count once, as data`() {
        let info = Self.parse([[Self.data | Self.metadata, 1000, 900]])
        #expect(info?.data == Self.kind(1000, 900))
        #expect(info?.metadata == Self.kind(0, 0))
        #expect(info?.isMixed == true)
        #expect(info?.metadataRoomBytes == ByteCount(UInt64(100)))
    }

    @Test func `A byte takes as many of the devices as its profile keeps copies`() {
        let info = Self.parse([
            [Self.data, 1000, 900], [Self.metadata | Self.doubled, 300, 20],
        ])
        #expect(info?.dataCopies == 1 && info?.metadataCopies == 2)
        #expect(info?.dataProfile == .single && info?.metadataProfile == .dup)
        let parity = Self.parse([[Self.data | 1 << 7, 1, 1], [Self.metadata | 1 << 9, 1, 1]])
        #expect(parity?.dataCopies == 1 && parity?.metadataCopies == 3)
    }

    @Test func `Room is what chunks have free and what new ones can hold`() {
        var info = Self.parse([
            [Self.data, 1000, 900], [Self.metadata, 300, 20],
            [Self.metadata | Self.globalReserve, 100, 50],
        ])
        info?.dataAllocatableBytes = ByteCount(UInt64(7))
        info?.metadataAllocatableBytes = ByteCount(UInt64(5))
        #expect(info?.dataRoomBytes == ByteCount(UInt64(107)))
        #expect(info?.metadataRoomBytes == ByteCount(UInt64(185)))
    }

    @Test func `Fewer entries than counted are none`() {
        #expect(Self.parse([[Self.data, 1, 1]], count: 2) == nil)
        #expect(Self.parse([[Self.data, 1]], count: 1) == nil)
        #expect(Self.parse([], count: 0) == SpaceInfo())
        #expect(Self.parse([], count: -1) == SpaceInfo())
    }

    @Test func `Sums beyond what can be counted are none`() {
        #expect(Self.parse([[Self.data, .max, 1], [Self.data, 1, 1]]) == nil)
        #expect(Self.parse([[Self.data, 1, .max], [Self.data, 1, 1]]) == nil)
    }
}

@Suite struct UnitsTests {
    @Test(arguments: [
        (UInt64(0), UInt64(0), UInt64(0)), (1, 0, 4096), (4095, 0, 4096), (4096, 4096, 4096),
        (4097, 4096, 8192),
    ])
    func `Counts round up and down to whole sectors`(bytes: UInt64, down: UInt64, up: UInt64) {
        let sector = ByteCount.kibibytes(4)
        #expect(ByteCount(bytes).roundedDown(to: sector) == ByteCount(down))
        #expect(ByteCount(bytes).roundedUp(to: sector) == ByteCount(up))
        #expect(ByteCount(bytes).isMultiple(of: sector) == (bytes == up))
    }

    @Test func `Units are powers of two`() {
        #expect(ByteCount.kibibytes(3).rawValue == 3072)
        #expect(ByteCount.mebibytes(16).rawValue == 16_777_216)
        #expect(FileOffset(5) + ByteCount(UInt64(6)) - FileOffset(1) == ByteCount(UInt64(10)))
    }
}
