// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

@testable import Btrfs

/// Sizes in mebibytes.
@Suite struct AllocatableRoomTests {
    static func device(_ pieces: UInt64..., of total: UInt64 = 100 << 10, missing: Bool = false)
        -> DeviceSpace
    {
        DeviceSpace(
            identifier: 1, totalBytes: .mebibytes(total), usedBytes: .zero, isMissing: missing,
            freePieces: pieces.map(ByteCount.mebibytes))
    }

    static func room(
        _ devices: [DeviceSpace], _ profile: BlockGroupProfile,
        _ content: AllocatableRoom.Content = .data
    ) -> UInt64 {
        AllocatableRoom.bytes(devices, profile, content).rawValue >> 20
    }

    @Test(arguments: [
        (BlockGroupProfile.single, UInt64(12000)), (.dup, 6000), (.raid0, 12000), (.raid1, 4000),
        (.raid10, 4000), (.raid5, 4000), (.raid1c3, 0), (.raid6, 0), (.raid1c4, 0),
    ])
    func `Two unequal devices have room for what their profile can take of both`(
        profile: BlockGroupProfile, wanted: UInt64
    ) {
        let devices = [Self.device(8000), Self.device(4000)]
        #expect(Self.room(devices, profile) == wanted)
    }

    @Test func `Four devices of which one is full`() {
        let devices = [Self.device(), Self.device(3000), Self.device(3000), Self.device(3000)]
        // Two of three at a time: 3 x 1024, then the 952 that two of them have left.
        #expect(Self.room(devices, .raid10) == 4024)
        #expect(Self.room(devices, .raid1) == 4024)
        #expect(Self.room(devices, .raid5) == 6000)
        #expect(Self.room(devices, .raid6) == 3000)
        #expect(Self.room(devices, .raid1c3) == 3000)
        #expect(Self.room(devices, .raid1c4) == 0)
    }

    @Test func `A missing device is no room`() {
        let devices = [Self.device(8000), Self.device(8000, missing: true)]
        #expect(Self.room(devices, .raid1) == 0)
        #expect(Self.room(devices, .single) == 8000)
    }

    @Test func `Two copies on one device take one piece`() {
        #expect(Self.room([Self.device(3, 5)], .dup) == 4, "1.5 and 2.5")
        let tiny = DeviceSpace(
            identifier: 1, totalBytes: .mebibytes(100), usedBytes: .zero, isMissing: false,
            freePieces: Array(repeating: .kibibytes(64), count: 1000))
        #expect(Self.room([tiny], .dup) == 0, "no piece has room for two stripes")
        #expect(Self.room([tiny], .single) == 62)
    }

    @Test func `What is smaller than a stripe is no room`() {
        let scraps = DeviceSpace(
            identifier: 1, totalBytes: .mebibytes(100), usedBytes: .zero, isMissing: false,
            freePieces: Array(repeating: .kibibytes(63), count: 1000))
        #expect(Self.room([scraps], .single) == 0)
    }

    @Test func `A mirror takes the devices with the most room first`() {
        // 5, 4 and 3 GiB: all but an odd rest can be paired.
        let devices = [Self.device(5120), Self.device(4096), Self.device(3072)]
        #expect(Self.room(devices, .raid1) == 6144)
        #expect(Self.room(devices, .raid1, .metadata) == 6144)
        #expect(Self.room(devices, .raid1c3) == 3072)
    }

    @Test func `The raid1 of 5 GiB and 320 MiB of the review`() {
        let devices = [Self.device(4000, of: 5120), Self.device(4, of: 320)]
        #expect(Self.room(devices, .raid1, .metadata) == 4)
        #expect(Self.room(devices, .single) == 4004)
    }

    @Test func `Free pieces are what lies between chunks, behind the first mebibyte`() {
        func range(_ start: UInt64, _ end: UInt64) -> Range<ByteCount> {
            ByteCount.mebibytes(start)..<ByteCount.mebibytes(end)
        }
        func pieces(_ extents: [Range<ByteCount>], _ total: UInt64) -> [UInt64] {
            DeviceSpace.freePieces(between: extents, totalBytes: .mebibytes(total))
                .map { $0.rawValue >> 20 }
        }
        #expect(pieces([], 10) == [9])
        #expect(pieces([range(1, 5), range(7, 10)], 10) == [2])
        #expect(pieces([range(3, 5), range(5, 7)], 10) == [2, 3])
        #expect(pieces([range(1, 12)], 10) == [])
        #expect(pieces([], 1) == [])
    }

    @Test func `Of several profiles the kernel goes on with the safest`() {
        let profiles: [UInt64: BlockGroupProfile] = [
            0: .single, 0x5: .single, 0x8: .raid0, 0x20: .dup, 0x30: .raid1, 0x40: .raid10,
            0x90: .raid5, 0x100: .raid6, 0x200: .raid1c3, 0x408: .raid1c4,
        ]
        for (flags, profile) in profiles {
            #expect(BlockGroupProfile(flags: flags) == profile)
        }
        #expect(BlockGroupProfile.ofNewGroups(among: [.single, .raid1, .dup]) == .raid1)
        #expect(BlockGroupProfile.ofNewGroups(among: []) == .single)
    }
}

@Suite struct SubvolumeAgeTests {
    static func item(generation: UInt64, lastSnapshot: UInt64, level: UInt8) -> SubvolumeAge? {
        let bytes = Frame.of { frame in
            for _ in 0..<20 { frame.add(UInt64(0)) }
            for number in [generation, 0, 0, 0, 0, lastSnapshot, 0] { frame.add(number) }
            frame.add(UInt32(1))
            for _ in 0..<18 { frame.add(UInt8(0)) }
            frame.add(level)
        }
        return unsafe SubvolumeAge(item: bytes.span.bytes)
    }

    @Test func `A leaf no newer than a snapshot may be a part of both`() {
        let age = Self.item(generation: 9, lastSnapshot: 7, level: 1)
        let wanted = SubvolumeAge(
            generation: Generation(9), lastSnapshot: Generation(7), level: 1)
        #expect(age == wanted)
        #expect(age?.mayShare(leafOf: Generation(7)) == true)
        #expect(age?.mayShare(leafOf: Generation(8)) == false)
        #expect(age?.mayShareRoot == false)
        #expect(Self.item(generation: 7, lastSnapshot: 7, level: 1)?.mayShareRoot == true)
        #expect(Self.item(generation: 7, lastSnapshot: 7, level: 0)?.mayShareRoot == false)
    }

    @Test func `A short item has no age`() {
        let bytes = Frame.of { frame in for _ in 0..<29 { frame.add(UInt64(1)) } }
        #expect(unsafe SubvolumeAge(item: bytes.span.bytes) == nil)
    }
}
