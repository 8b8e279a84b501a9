// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// The file extents that an earlier survey has read, file by file. Of a file that has not changed
/// since they need not be read again.
///
/// Whether it has changed the file system says (`ExtentCatalog.hasChanged`): every change of an
/// item writes its leaf anew, and a leaf carries the transaction that wrote it. What it need not
/// say is that a whole leaf has gone, so all that the items map must be what the inode says that
/// the file maps. Both together leave nothing out: what came stands in a new leaf, and if nothing
/// came, the sum has shrunk by what went.
public final class KeptSurvey: Sendable {
    /// A file's extents.
    struct Entry: Equatable, Sendable {
        static let lengthBytes = 8 * 8

        let inode: InodeIdentifier
        /// The inode's own, so that a number that was given away again is another file's.
        let generation: Generation
        /// What was written before this transaction was seen.
        let since: Generation
        /// What its items map.
        let mappedBytes: ByteCount
        /// How many there are.
        let extents: UInt64
        /// Where they stand, in pieces one behind the other.
        var start: UInt64
        let lengthBytes: UInt64
    }

    /// Which of two files is the newer one.
    public let sequence: UInt64
    let entries: [InodeIdentifier: Entry]
    private let source: any CacheSource

    /// nil when it is of another file system or version, or was not written to its end.
    public init?(_ source: any CacheSource, fileSystem: FileSystem.Identity) {
        guard let head = Head(source.read(at: 0, count: Head.lengthBytes), fileSystem),
            let index = head.index(in: source)
        else { return nil }
        sequence = head.sequence
        entries = index
        self.source = source
    }

    /// The extents of a file, if it is the same one and maps as much as they do.
    func entry(of inode: InodeIdentifier, _ item: InodeItem) -> Entry? {
        guard let entry = entries[inode], entry.generation == item.generation,
            entry.mappedBytes == item.mappedBytes
        else { return nil }
        return entry
    }

    /// Hands out a file's extents in order.
    /// - Returns: where in the file they end because the rest is damaged; nil when all were whole.
    func forEachExtent(
        of entry: Entry, _ body: (FileExtent) throws(BtrfsError) -> Void
    ) throws(BtrfsError) -> FileOffset? {
        var reached = FileOffset.start
        var place = entry.start
        let end = entry.start &+ entry.lengthBytes
        while place < end {
            guard let piece = piece(at: place, before: end),
                var decoder = FileExtentDecoder(piece: piece), let items = decoder.items()
            else { return reached }
            for item in items {
                try body(item)
                reached = item.fileOffset + item.lengthBytes
            }
            place += UInt64(piece.count)
        }
        return nil
    }

    /// The bytes of a file's pieces, to be kept again as they are.
    func bytes(of entry: Entry, from offset: UInt64, count: Int) -> [UInt8] {
        source.read(at: entry.start &+ offset, count: count)
    }

    private func piece(at place: UInt64, before end: UInt64) -> [UInt8]? {
        let head = source.read(at: place, count: FileExtentDecoder.headBytes)
        guard let length = FileExtentDecoder.pieceBytes(head: head),
            UInt64(length) <= end - place
        else { return nil }
        let piece = source.read(at: place, count: length)
        return piece.count == length ? piece : nil
    }
}

extension KeptSurvey {
    /// What stands in front, written when all else is on the disk.
    struct Head {
        /// What it has for itself.
        static let placeBytes: UInt64 = 4096
        static let lengthBytes = 8 + 16 + 8 * 3 + 4 + 4
        /// The most files that are kept: their index is held in memory.
        static let entryLimit = 100_000
        private static let magic: [UInt8] = Array("qbtsrv\u{1}\n".utf8)

        let sequence: UInt64
        /// Where the index stands, and how many entries it has.
        let indexStart: UInt64
        let count: UInt64
        let indexChecksum: [UInt8]

        init(sequence: UInt64, indexStart: UInt64, index: [UInt8]) {
            self.sequence = sequence
            self.indexStart = indexStart
            count = UInt64(index.count / Entry.lengthBytes)
            indexChecksum = FingerprintSegment.checksum(index)
        }

        init?(_ bytes: [UInt8], _ fileSystem: FileSystem.Identity) {
            guard bytes.count == Self.lengthBytes else { return nil }
            let numbers = (0..<3).map { Entry.number(bytes, at: 24 + $0 * 8) }
            sequence = numbers[0]
            indexStart = numbers[1]
            count = numbers[2]
            indexChecksum = Array(bytes[48..<52])
            guard bytes == encoded(fileSystem) else { return nil }
        }

        func encoded(_ fileSystem: FileSystem.Identity) -> [UInt8] {
            var bytes = Self.magic + fileSystem.bytes.prefix(16)
            for value in [sequence, indexStart, count] {
                FingerprintSegment.add(value, to: &bytes)
            }
            bytes += indexChecksum
            return bytes + FingerprintSegment.checksum(bytes)
        }

        /// nil when it is damaged.
        func index(in source: any CacheSource) -> [InodeIdentifier: Entry]? {
            guard count <= UInt64(Self.entryLimit) else { return nil }
            let bytes = source.read(at: indexStart, count: Int(count) * Entry.lengthBytes)
            guard bytes.count == Int(count) * Entry.lengthBytes,
                FingerprintSegment.checksum(bytes) == indexChecksum
            else { return nil }
            var entries: [InodeIdentifier: Entry] = [:]
            for start in stride(from: 0, to: bytes.count, by: Entry.lengthBytes) {
                let entry = Entry(bytes, at: start)
                entries[entry.inode] = entry
            }
            return entries
        }
    }
}

extension KeptSurvey.Entry {
    init(_ bytes: [UInt8], at start: Int) {
        let numbers = (0..<8).map { Self.number(bytes, at: start + $0 * 8) }
        self.init(
            inode: InodeIdentifier(
                subvolume: TreeIdentifier(numbers[0]), number: numbers[1]),
            generation: Generation(numbers[2]), since: Generation(numbers[3]),
            mappedBytes: ByteCount(numbers[4]), extents: numbers[5], start: numbers[6],
            lengthBytes: numbers[7])
    }

    func add(to bytes: inout [UInt8]) {
        let numbers = [
            inode.subvolume.rawValue, inode.number, generation.rawValue, since.rawValue,
            mappedBytes.rawValue, extents, start, lengthBytes,
        ]
        for value in numbers { FingerprintSegment.add(value, to: &bytes) }
    }

    static func number(_ bytes: [UInt8], at position: Int) -> UInt64 {
        (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[position + $1]) << UInt64(8 * $1) }
    }
}
