// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Foundation
import SystemCalls
import SystemPackage
import Testing

/// Where a file system's content lies on its devices, by its chunk tree.
struct DeviceMap {
    /// A place on a device.
    struct Place: Equatable {
        /// The device's number, from 1.
        var device: Int
        /// Where it begins, in bytes.
        var offset: UInt64
    }

    /// A chunk of a profile that keeps whole copies: single, DUP, RAID1.
    struct Chunk {
        var logical: Range<UInt64>
        var isData: Bool
        var copies: [Place]
    }

    private let fileSystem: FileSystem
    private(set) var chunks: [Chunk] = []

    init(_ path: String) throws {
        let directory = try Descriptor.open(FilePath(path), [.readOnly, .directory])
        fileSystem = try FileSystem(directory: directory, path: path)
        var found: [Chunk] = []
        // CHUNK_ITEM of FIRST_CHUNK_TREE in the chunk tree.
        try fileSystem.forEachItem(
            in: TreeIdentifier(3),
            from: ItemKey(objectIdentifier: 256, type: 228, offset: 0),
            through: ItemKey(objectIdentifier: 256, type: 228, offset: .max)
        ) { (key, _, item) throws(BtrfsError) in
            let bytes = unsafe item.withUnsafeBytes { unsafe Array($0) }
            func number(_ at: Int, _ length: Int) -> UInt64 {
                (0..<length).reduce(0) { $0 | UInt64(bytes[at + $1]) << (8 * UInt64($1)) }
            }
            let stripes = Int(number(44, 2))
            found.append(
                Chunk(
                    logical: key.offset..<(key.offset + number(0, 8)),
                    isData: number(24, 8) & 1 != 0,
                    copies: (0..<stripes).map {
                        Place(
                            device: Int(number(48 + 32 * $0, 8)), offset: number(56 + 32 * $0, 8))
                    }))
        }
        chunks = found
    }

    /// Every copy of what lies at a logical address.
    func copies(of logical: UInt64) throws -> [Place] {
        let chunk = try #require(chunks.first { $0.logical.contains(logical) })
        return chunk.copies.map {
            Place(device: $0.device, offset: $0.offset + logical - chunk.logical.lowerBound)
        }
    }

    /// All copies of a sector of a file; of packed content, the first sector of its extent.
    func copies(ofByte offset: UInt64, in path: String) throws -> [Place] {
        try copies(of: logical(ofByte: offset, in: path))
    }

    /// The address on the device of what a file holds at an offset.
    func logical(ofByte offset: UInt64, in path: String) throws -> UInt64 {
        let number = try #require(
            FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? UInt64)
        var address: UInt64?
        try fileSystem.forEachItem(
            in: .topmostSubvolume,
            from: ItemKey(objectIdentifier: number, type: 108, offset: 0),
            through: ItemKey(objectIdentifier: number, type: 108, offset: offset)
        ) { (key, _, item) throws(BtrfsError) in
            let bytes = unsafe item.withUnsafeBytes { unsafe Array($0) }
            guard bytes.count >= 53, bytes[20] == 1 else { return }
            func long(_ at: Int) -> UInt64 {
                (0..<8).reduce(0) { $0 | UInt64(bytes[at + $1]) << (8 * UInt64($1)) }
            }
            // Compressed: the extent's own first sector.
            let inside = bytes[16] == 0 ? long(37) + offset - key.offset : 0
            address = long(21) + inside
        }
        return try #require(address)
    }

    /// Where trees lie on a device.
    func treeRanges(onDevice device: Int) -> [Range<UInt64>] {
        chunks.filter { !$0.isData }.flatMap { chunk in
            chunk.copies.filter { $0.device == device }.map {
                $0.offset..<($0.offset + UInt64(chunk.logical.count))
            }
        }
    }

    /// Where data lies on a device or may come to lie: all that no chunk of metadata has, behind
    /// the first mebibyte.
    func dataRanges(onDevice device: Int, sizeBytes: UInt64) -> [Range<UInt64>] {
        let others = treeRanges(onDevice: device)
        // The superblock lies at 64 KiB, and its copy at 64 MiB.
        let kept = (others + [UInt64(64) << 20..<UInt64(64) << 20 + 4096]).sorted {
            $0.lowerBound < $1.lowerBound
        }
        var ranges: [Range<UInt64>] = []
        var position = UInt64(1) << 20
        for other in kept {
            if position < other.lowerBound { ranges.append(position..<other.lowerBound) }
            position = max(position, other.upperBound)
        }
        if position < sizeBytes { ranges.append(position..<sizeBytes) }
        return ranges
    }
}
