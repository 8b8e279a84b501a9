// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import CChecksum
import Engine
import SystemPackage

/// Runs of one byte each become a count and the byte: zeroes shrink, noise does not.
enum ModelCodec {
    static func pack(_ content: [UInt8]) -> [UInt8] {
        var packed: [UInt8] = []
        var position = 0
        while position < content.count {
            let byte = content[position]
            var end = position + 1
            while end < content.count, end - position < 255, content[end] == byte { end += 1 }
            packed.append(UInt8(end - position))
            packed.append(byte)
            position = end
        }
        return packed
    }

    static func unpack(_ packed: [UInt8]) -> [UInt8] {
        var content: [UInt8] = []
        for position in stride(from: 0, to: packed.count - 1, by: 2) {
            content += repeatElement(packed[position + 1], count: Int(packed[position]))
        }
        return content
    }
}

struct ModelEncoder: FrameEncoder {
    func encode(
        _ content: UnsafeRawBufferPointer, into frame: UnsafeMutableRawBufferPointer, level: Int
    ) -> Int? {
        let packed = unsafe ModelCodec.pack(Array(content))
        guard packed.count <= frame.count else { return nil }
        unsafe frame.copyBytes(from: packed)
        return packed.count
    }
}

/// The model hands out compressed extents unpacked.
struct ModelDecoder: FrameDecoder {
    func decode(_ extent: EncodedExtent) -> [UInt8]? { extent.bytes }
}

/// Checksums of the model's plain extents.
struct ModelChecksums: ChecksumSource {
    let store: ModelStore
    /// Checksums that are not what the content has, by their place: what collides.
    var forged: [UInt32: UInt32] = [:]
    var kind = ChecksumKind.crc32c

    func checksums(
        from start: LogicalAddress, sectors: Int
    ) throws(BtrfsError) -> [UInt32?] {
        guard let content = store.state.extents[start.rawValue]?.content else {
            return [UInt32?](repeating: nil, count: sectors)
        }
        let sector = Int(ModelState.sector)
        return (0..<sectors).map { index in
            guard (index + 1) * sector <= content.count else { return nil }
            let sum = unsafe content.withUnsafeBytes {
                unsafe Self.sum($0.baseAddress.map { unsafe $0 + index * sector }, sector, kind)
            }
            return forged[sum] ?? sum
        }
    }

    private static func sum(_ bytes: UnsafeRawPointer?, _ length: Int, _ kind: ChecksumKind)
        -> UInt32
    {
        switch kind {
        case .crc32c: unsafe cchecksum_crc32c(bytes, length)
        case .xxhash64: unsafe cchecksum_xxhash64_32(bytes, length)
        case .sha256: unsafe cchecksum_sha256_32(bytes, length)
        case .blake2b: unsafe cchecksum_blake2b_32(bytes, length)
        }
    }
}

/// Roles that stay as they are.
struct ModelRoles: LiveRoles {
    var live: Set<InodeIdentifier> = []
    var leftOut: Set<InodeIdentifier> = []

    func isLive(_ inode: InodeIdentifier) -> Bool { live.contains(inode) }
    func isLeftOut(_ inode: InodeIdentifier) -> Bool { leftOut.contains(inode) }
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

/// Contents by the sector.
enum Content {
    static let noiseKinds = 64

    /// Sectors of noise, each unlike the others.
    private static let noise: [[UInt8]] = (0..<noiseKinds).map { kind in
        var generator = SeededGenerator(seed: UInt64(kind) + 1)
        return (0..<(Int(ModelState.sector) / 8)).flatMap { _ -> [UInt8] in
            let word = generator.next()
            return (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) }
        }
    }

    /// A sector: kinds below `noiseKinds` do not shrink; from 1000 on they are one byte each.
    static func sector(_ kind: Int) -> [UInt8] {
        kind < 1000
            ? noise[kind]
            : [UInt8](repeating: UInt8(kind - 1000), count: Int(ModelState.sector))
    }

    static func sectors(_ kinds: some Sequence<Int>) -> [UInt8] { kinds.flatMap(sector) }
}
