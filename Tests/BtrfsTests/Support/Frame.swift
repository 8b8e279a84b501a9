// SPDX-License-Identifier: GPL-2.0-or-later
@testable import Btrfs

/// Bytes as the kernel writes them, put together field by field, little-endian.
struct Frame {
    private(set) var bytes: [UInt8] = []

    mutating func add(_ value: some FixedWidthInteger) {
        for shift in stride(from: 0, to: value.bitWidth, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    static func of(_ build: (inout Frame) -> Void) -> [UInt8] {
        var frame = Frame()
        build(&frame)
        return frame.bytes
    }

    /// `struct btrfs_ioctl_search_header` and the item behind it.
    static func searchItem(
        generation: UInt64 = 9, object: UInt64 = 257, offset: UInt64 = 0, type: UInt32 = 108,
        length: UInt32? = nil, _ content: [UInt8]
    ) -> [UInt8] {
        of {
            $0.add(generation)  // transid
            $0.add(object)  // objectid
            $0.add(offset)  // offset
            $0.add(type)  // type
            $0.add(length ?? UInt32(content.count))  // len
        } + content
    }
}

/// Numbers that look random and are the same in every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ (bits >> 27)) &* 0x94d0_49bb_1331_11eb
        return bits ^ (bits >> 31)
    }
}
