// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// What the item before says of the next one, as most of them follow from each other: the file goes
/// on where it ended, and so does the device.
private struct Expectation {
    var fileOffset: UInt64 = 0
    var address: UInt64 = 0
    var generation: UInt64 = 0
    var diskBytes: UInt64 = 0
    var contentBytes: UInt64 = 0
    var lengthBytes: UInt64 = 0

    /// Wrapping: nobody has checked that an address and what lies there make one.
    mutating func pass(_ extent: FileExtent, _ reference: FileExtent.Reference) {
        fileOffset = extent.fileOffset.rawValue &+ extent.lengthBytes.rawValue
        address = reference.address.rawValue &+ reference.diskBytes.rawValue
        generation = extent.generation.rawValue
        diskBytes = reference.diskBytes.rawValue
        contentBytes = extent.contentBytes.rawValue
        lengthBytes = extent.lengthBytes.rawValue
    }
}

/// The bits of the byte that each item begins with; compression stands in those above the first.
private enum Flags {
    static let preallocated: UInt8 = 1
    static let compressionShift: UInt8 = 1
    static let compressionMask: UInt8 = 3
    static let followsInFile: UInt8 = 1 << 3
    static let followsOnDevice: UInt8 = 1 << 4
    static let sameGeneration: UInt8 = 1 << 5
    static let sameLengths: UInt8 = 1 << 6
}

/// The file extents of one file that refer to extents of their own, in order, in a few bytes each.
/// Pure.
struct FileExtentEncoder {
    /// A piece is full when it has as much; it ends within an item's length behind that.
    static let limitBytes = 64 << 10

    private var bytes: [UInt8] = []
    private var expectation = Expectation()
    /// What is encoded has a checksum when it is a piece: nothing of it yet.
    var isEmpty: Bool { bytes.isEmpty }
    /// It should be made a piece.
    var isFull: Bool { bytes.count >= Self.limitBytes }

    /// Adds one. Of holes and inline extents nothing is kept.
    mutating func append(_ extent: FileExtent) {
        switch extent.storage {
        case .regular(let reference): append(extent, reference, 0)
        case .preallocated(let reference): append(extent, reference, Flags.preallocated)
        case .inline, .hole: break
        }
    }

    private mutating func append(
        _ extent: FileExtent, _ reference: FileExtent.Reference, _ kind: UInt8
    ) {
        var flags = kind | extent.compression.rawValue << Flags.compressionShift
        let followsInFile = extent.fileOffset.rawValue == expectation.fileOffset
        let followsOnDevice = reference.address.rawValue == expectation.address
        let hasSameGeneration = extent.generation.rawValue == expectation.generation
        let hasSameLengths =
            reference.diskBytes.rawValue == expectation.diskBytes
            && extent.contentBytes.rawValue == expectation.contentBytes
            && extent.lengthBytes.rawValue == expectation.lengthBytes
            && reference.offsetInExtent == .zero
        if followsInFile { flags |= Flags.followsInFile }
        if followsOnDevice { flags |= Flags.followsOnDevice }
        if hasSameGeneration { flags |= Flags.sameGeneration }
        if hasSameLengths { flags |= Flags.sameLengths }
        bytes.append(flags)
        if !followsInFile { add(extent.fileOffset.rawValue &- expectation.fileOffset) }
        if !followsOnDevice { add(reference.address.rawValue &- expectation.address) }
        if !hasSameGeneration { add(extent.generation.rawValue &- expectation.generation) }
        if !hasSameLengths {
            add(reference.diskBytes.rawValue)
            add(extent.contentBytes.rawValue)
            add(extent.lengthBytes.rawValue)
            add(reference.offsetInExtent.rawValue)
        }
        expectation.pass(extent, reference)
    }

    /// A number in groups of seven bits, its sign in the lowest: differences are small.
    private mutating func add(_ value: UInt64) {
        var rest = value << 1 ^ UInt64(bitPattern: Int64(bitPattern: value) >> 63)
        while rest >= 1 << 7 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 1 << 7)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// What was added since the last piece, with its length in front and a checksum behind.
    mutating func piece() -> [UInt8] {
        var piece: [UInt8] = []
        FingerprintSegment.add(UInt64(bytes.count), to: &piece)
        piece += bytes
        piece += FingerprintSegment.checksum(piece)
        bytes.removeAll(keepingCapacity: true)
        expectation = Expectation()
        return piece
    }
}

/// Reads what the encoder has made of a piece's items.
struct FileExtentDecoder {
    /// What stands in front of a piece's items, and behind them.
    static let headBytes = 8, tailBytes = 4
    /// No piece is longer: an item takes at most a byte and seven numbers.
    static let mostBytes = FileExtentEncoder.limitBytes + 1 + 7 * 10 + headBytes + tailBytes

    private let bytes: ArraySlice<UInt8>
    private var position: Int
    private var expectation = Expectation()

    /// From a whole piece; nil when it is damaged.
    init?(piece: [UInt8]) {
        guard piece.count >= Self.headBytes + Self.tailBytes,
            Array(piece.suffix(Self.tailBytes))
                == FingerprintSegment.checksum(piece.dropLast(Self.tailBytes))
        else { return nil }
        bytes = piece.dropFirst(Self.headBytes).dropLast(Self.tailBytes)
        position = bytes.startIndex
    }

    /// How long the piece is that begins so; nil when none begins so.
    static func pieceBytes(head: some Collection<UInt8>) -> Int? {
        guard head.count == headBytes else { return nil }
        let length = head.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= UInt64(mostBytes - headBytes - tailBytes) else { return nil }
        return Int(length) + headBytes + tailBytes
    }

    /// All of its items; nil when they are none that an encoder has made.
    mutating func items() -> [FileExtent]? {
        var items: [FileExtent] = []
        while position < bytes.endIndex {
            guard let item = item() else { return nil }
            items.append(item)
        }
        return items
    }

    private mutating func item() -> FileExtent? {
        let flags = bytes[position]
        position += 1
        let compression = Compression(
            rawValue: flags >> Flags.compressionShift & Flags.compressionMask)
        guard let compression,
            let fileOffset = number(flags & Flags.followsInFile, after: expectation.fileOffset),
            let address = number(flags & Flags.followsOnDevice, after: expectation.address),
            let generation = number(flags & Flags.sameGeneration, after: expectation.generation),
            let lengths = lengths(flags & Flags.sameLengths)
        else { return nil }
        let reference = FileExtent.Reference(
            address: LogicalAddress(address), diskBytes: ByteCount(lengths.disk),
            offsetInExtent: ByteCount(lengths.offset))
        // As for an item of a tree: nothing reaches beyond what can be addressed.
        guard fileOffset <= UInt64.max - lengths.length,
            lengths.offset <= UInt64.max - lengths.length, address <= UInt64.max - lengths.disk
        else { return nil }
        let isPreallocated = flags & Flags.preallocated != 0
        let extent = FileExtent(
            fileOffset: FileOffset(fileOffset), lengthBytes: ByteCount(lengths.length),
            contentBytes: ByteCount(lengths.content), compression: compression,
            generation: Generation(generation),
            storage: isPreallocated ? .preallocated(reference) : .regular(reference))
        expectation.pass(extent, reference)
        return extent
    }

    private mutating func number(_ isExpected: UInt8, after expected: UInt64) -> UInt64? {
        isExpected != 0 ? expected : number().map { expected &+ $0 }
    }

    private mutating func lengths(
        _ areSame: UInt8
    ) -> (disk: UInt64, content: UInt64, length: UInt64, offset: UInt64)? {
        if areSame != 0 {
            return (
                expectation.diskBytes, expectation.contentBytes, expectation.lengthBytes, 0
            )
        }
        guard let disk = number(), let content = number(), let length = number(),
            let offset = number()
        else { return nil }
        return (disk, content, length, offset)
    }

    private mutating func number() -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard position < bytes.endIndex else { return nil }
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 1 << 7 { return value >> 1 ^ (0 &- (value & 1)) }
        }
        return nil
    }
}
