// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// What one lane notes, as bytes: a head, and numbers of 8 bytes. Pure.
public struct MovePage: Sendable {
    /// The room that each has in the file: a hundred thousand references.
    public static let limitBytes = 4 << 20
    /// A word, the length of what follows, and its checksum.
    public static let headBytes = 20
    private static let checksumOffset = 16
    /// `QBMOVES1`.
    private static let word: UInt64 = 0x3153_4556_4f4d_4251
    private static let numbersOfMove = 5, numbersOfReference = 5

    private var body: [UInt8] = []

    /// Nothing is noted.
    public init() {}

    /// Adds what has room; of the rest nobody will know.
    public mutating func add(_ moves: [NotedMove]) {
        for move in moves {
            let count = Self.numbersOfMove + move.references.count * Self.numbersOfReference
            guard Self.headBytes + body.count + 8 * count <= Self.limitBytes else { continue }
            let numbers =
                [
                    move.address.rawValue, move.newestGeneration.rawValue,
                    move.diskBytes.rawValue, move.contentBytes.rawValue,
                    UInt64(move.references.count),
                ]
                + move.references.flatMap {
                    [
                        $0.inode.subvolume.rawValue, $0.inode.number, $0.fileOffset.rawValue,
                        $0.offsetInExtent.rawValue, $0.lengthBytes.rawValue,
                    ]
                }
            for number in numbers { FingerprintSegment.add(number, to: &body) }
        }
    }

    /// All of it.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.headBytes + body.count)
        FingerprintSegment.add(Self.word, to: &bytes)
        FingerprintSegment.add(UInt64(body.count), to: &bytes)
        return bytes + FingerprintSegment.checksum(body) + body
    }

    /// How long is what follows a head; nil when it is none, or says that there is nothing.
    public static func lengthBytes(head: [UInt8]) -> Int? {
        var numbers = Numbers(head[...])
        guard head.count == headBytes, numbers.next() == word, let length = numbers.next(),
            length > 0, length <= UInt64(limitBytes - headBytes)
        else { return nil }
        return Int(length)
    }

    /// What was noted; nil when it is not whole, or was not made by this.
    public static func moves(_ bytes: [UInt8]) -> [NotedMove]? {
        guard bytes.count > headBytes,
            lengthBytes(head: Array(bytes.prefix(headBytes))) == bytes.count - headBytes
        else { return nil }
        let body = Array(bytes[headBytes...])
        guard Array(bytes[checksumOffset..<headBytes]) == FingerprintSegment.checksum(body)
        else { return nil }
        var numbers = Numbers(body[...])
        var moves: [NotedMove] = []
        while !numbers.isEmpty {
            guard let move = numbers.move() else { return nil }
            moves.append(move)
        }
        return moves
    }

    /// Reads numbers of 8 bytes.
    private struct Numbers {
        private var bytes: ArraySlice<UInt8>

        init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

        var isEmpty: Bool { bytes.isEmpty }

        mutating func next() -> UInt64? {
            guard bytes.count >= 8 else { return nil }
            defer { bytes = bytes.dropFirst(8) }
            return bytes.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }

        /// What no file or device could have is no move.
        mutating func move() -> NotedMove? {
            guard let address = next(), let generation = next(), let disk = next(),
                let content = next(), let count = next(),
                count <= UInt64(bytes.count / (8 * numbersOfReference)),
                disk <= .max - address
            else { return nil }
            var references: [NotedMove.Reference] = []
            references.reserveCapacity(Int(count))
            for _ in 0..<count {
                guard let reference = reference(contentBytes: content) else { return nil }
                references.append(reference)
            }
            return NotedMove(
                address: LogicalAddress(address), newestGeneration: Generation(generation),
                diskBytes: ByteCount(disk), contentBytes: ByteCount(content),
                references: references)
        }

        private mutating func reference(contentBytes: UInt64) -> NotedMove.Reference? {
            guard let subvolume = next(), let inode = next(), let fileOffset = next(),
                let offset = next(), let length = next(), length > 0, offset <= contentBytes,
                length <= contentBytes - offset, fileOffset <= UInt64(Int64.max) - length
            else { return nil }
            return NotedMove.Reference(
                inode: InodeIdentifier(subvolume: TreeIdentifier(subvolume), number: inode),
                fileOffset: FileOffset(fileOffset), offsetInExtent: ByteCount(offset),
                lengthBytes: ByteCount(length))
        }
    }
}
