// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs
internal import CChecksum

/// Some of the content checksums of compressed extents that are kept from one run to the next, by
/// address and generation: an extent is written once and never changes, so that what has both is
/// the same extent. Pure.
///
/// Plain extents are not in it; the file system keeps their checksums itself.
public struct FingerprintSegment: Equatable, Sendable {
    /// One extent's.
    public struct Entry: Equatable, Sendable {
        /// Where the extent starts.
        public let address: LogicalAddress
        /// When it was written.
        public let generation: Generation
        /// A checksum for each sector of its content; at most `sectorLimit`.
        public let sums: [UInt32]

        /// Makes an entry.
        public init(address: LogicalAddress, generation: Generation, sums: [UInt32]) {
            self.address = address
            self.generation = generation
            self.sums = sums
        }
    }

    /// The most that a segment takes, in bytes: some 200 MiB of content, so that one lookup reads
    /// little, and what is damaged costs little.
    public static let limitBytes = (256 << 10) - 16
    /// The most sectors of one entry: the content of a compressed extent is at most 128 KiB.
    public static let sectorLimit = 32

    private static let magic: [UInt8] = Array("qbtrfs\u{2}\n".utf8)
    private static let headerBytes = 8 + 16 + 4
    private static let entryHeaderBytes = 8 + 8 + 1

    private var bytes: [UInt8]
    /// Where each entry starts in `bytes`, in the order of their addresses.
    private var positions: [Int32] = []

    /// Nothing yet, for a file system.
    public init(fileSystem: FileSystem.Identity, checksumKind: ChecksumKind) {
        bytes = Self.magic + fileSystem.bytes.prefix(16)
        bytes += [UInt8(checksumKind.rawValue), 0, 0, 0]
    }

    /// Reads what `encoded` gave. nil when it is of another file system or version, or broken.
    public init?(
        decoding encoded: consuming [UInt8], fileSystem: FileSystem.Identity,
        checksumKind: ChecksumKind
    ) {
        let empty = FingerprintSegment(fileSystem: fileSystem, checksumKind: checksumKind)
        guard encoded.count <= Self.limitBytes, encoded.count >= Self.headerBytes + 4,
            encoded.starts(with: empty.bytes)
        else { return nil }
        let sum = Array(encoded[(encoded.count - 4)...])
        bytes = encoded
        bytes.removeLast(4)
        guard Self.checksum(bytes) == sum else { return nil }
        var position = Self.headerBytes
        var last: UInt64 = 0
        while position < bytes.count {
            guard position + Self.entryHeaderBytes <= bytes.count else { return nil }
            let sectors = Int(bytes[position + 16])
            let end = position + Self.entryHeaderBytes + sectors * 4
            guard sectors <= Self.sectorLimit, end <= bytes.count, integer(at: position) >= last
            else { return nil }
            last = integer(at: position)
            positions.append(Int32(position))
            position = end
        }
    }

    /// How many extents are in it.
    public var count: Int { positions.count }

    /// The bytes to keep, with a checksum of their own.
    public func encoded() -> [UInt8] { bytes + Self.checksum(bytes) }

    /// An entry, by its place.
    func entry(_ index: Int) -> Entry {
        let position = Int(positions[index])
        return Entry(
            address: LogicalAddress(integer(at: position)),
            generation: Generation(integer(at: position + 8)), sums: sums(at: position))
    }

    private func sums(at position: Int) -> [UInt32] {
        let count = Int(bytes[position + 16])
        let start = position + Self.entryHeaderBytes
        return unsafe bytes.withUnsafeBytes { bytes in
            (0..<count).map { index in
                unsafe UInt32(
                    littleEndian: bytes.loadUnaligned(
                        fromByteOffset: start + index * 4, as: UInt32.self))
            }
        }
    }

    /// Adds an entry; entries come in the order of their addresses.
    /// - Returns: false when there is no room.
    @discardableResult
    public mutating func append(_ entry: Entry) -> Bool {
        let needed = Self.entryHeaderBytes + entry.sums.count * 4
        guard entry.sums.count <= Self.sectorLimit, bytes.count + needed + 4 <= Self.limitBytes
        else { return false }
        positions.append(Int32(bytes.count))
        Self.add(entry.address.rawValue, to: &bytes)
        Self.add(entry.generation.rawValue, to: &bytes)
        bytes.append(UInt8(entry.sums.count))
        for sum in entry.sums {
            for shift in stride(from: 0, to: 32, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: sum >> UInt32(shift)))
            }
        }
        return true
    }

    /// The checksums of an extent, when it is the same one.
    public func sums(
        ofExtentAt address: LogicalAddress, generation: Generation
    ) -> [UInt32]? {
        let index = positions.partitioningIndex { integer(at: Int($0)) >= address.rawValue }
        guard index < positions.count else { return nil }
        let position = Int(positions[index])
        guard integer(at: position) == address.rawValue,
            integer(at: position + 8) == generation.rawValue
        else { return nil }
        return sums(at: position)
    }

    private func integer(at position: Int) -> UInt64 {
        unsafe bytes.withUnsafeBytes {
            unsafe UInt64(
                littleEndian: $0.loadUnaligned(fromByteOffset: position, as: UInt64.self))
        }
    }

    static func add(_ value: UInt64, to bytes: inout [UInt8]) {
        for shift in stride(from: 0, to: 64, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
        }
    }

    /// 4 bytes that tell whether others are whole.
    static func checksum(_ bytes: [UInt8]) -> [UInt8] {
        let sum = unsafe bytes.withUnsafeBytes {
            unsafe cchecksum_crc32c($0.baseAddress, $0.count)
        }
        return (0..<4).map { UInt8(truncatingIfNeeded: sum >> UInt32(8 * $0)) }
    }
}
