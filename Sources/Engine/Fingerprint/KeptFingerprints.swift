// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs
internal import SystemCalls

/// Where what was kept is read from: losing any of it costs time and nothing else.
public protocol CacheSource: Sendable {
    /// How long it is; 0 where nobody can say.
    var lengthBytes: UInt64 { get }
    /// What stands there; less where it ends or cannot be read.
    func read(at offset: UInt64, count: Int) -> [UInt8]
}

/// The fingerprints that an earlier run has kept, in a file of segments, in the order of their
/// addresses. A segment that is damaged is as if it had never been there; all others serve.
///
/// What is looked up is looked up nearly in order, by a few threads: a few segments are held.
public final class KeptFingerprints: Sendable {
    /// Each segment has a place of this length, so that those behind a damaged one are found.
    static let placeBytes = Label.lengthBytes + FingerprintSegment.limitBytes
    /// The segments that are held.
    private static let heldSegments = 8

    /// Which of two files is the newer one.
    public let sequence: UInt64
    private let source: any CacheSource
    private let fileSystem: FileSystem.Identity
    private let checksumKind: ChecksumKind
    /// Where segments are, and at which address they begin: in order.
    private let places: [(address: UInt64, place: Int)]
    private let held = Monitor<[(place: Int, segment: FingerprintSegment?)]>([])

    /// nil when it is of another file system or version, or was not written to its end.
    public init?(
        _ source: any CacheSource, fileSystem: FileSystem.Identity, checksumKind: ChecksumKind
    ) {
        guard let head = Head(source.read(at: 0, count: Head.lengthBytes), fileSystem, checksumKind)
        else { return nil }
        sequence = head.sequence
        self.source = source
        self.fileSystem = fileSystem
        self.checksumKind = checksumKind
        let most = Int(clamping: source.lengthBytes / UInt64(Self.placeBytes))
        var places: [(address: UInt64, place: Int)] = []
        for place in 0..<min(Int(clamping: head.segments), most) {
            let bytes = source.read(at: Self.offset(of: place), count: Label.lengthBytes)
            guard let label = Label(bytes), label.address > places.last?.address ?? 0 else {
                continue
            }
            places.append((label.address, place))
        }
        self.places = places
    }

    /// How many segments there seem to be.
    var segmentCount: Int { places.count }

    static func offset(of place: Int) -> UInt64 {
        UInt64(Head.placeBytes) + UInt64(place) * UInt64(placeBytes)
    }

    /// The checksums of an extent, when it is the same one.
    public func sums(
        ofExtentAt address: LogicalAddress, generation: Generation
    ) -> [UInt32]? {
        var reader = Reader(self)
        return reader.sums(ofExtentAt: address, generation: generation)
    }

    /// Asks again and again, mostly for what lies behind: of a thread's own, it goes through the
    /// lock that all threads share only once for each segment.
    struct Reader {
        private let kept: KeptFingerprints
        private var segment: FingerprintSegment?
        /// The addresses that the segment is asked for.
        private var range: Range<UInt64> = 0..<0

        init(_ kept: KeptFingerprints) { self.kept = kept }

        /// The checksums of an extent, when it is the same one.
        mutating func sums(
            ofExtentAt address: LogicalAddress, generation: Generation
        ) -> [UInt32]? {
            if !range.contains(address.rawValue) {
                let places = kept.places
                let next = places.partitioningIndex { $0.address > address.rawValue }
                guard next > 0 else { return nil }
                let end = next < places.count ? places[next].address : .max
                range = places[next - 1].address..<end
                segment = kept.segment(next - 1)
            }
            return segment?.sums(ofExtentAt: address, generation: generation)
        }
    }

    /// A segment by its number; nil when it is damaged.
    func segment(_ number: Int) -> FingerprintSegment? {
        let place = places[number].place
        let known = held.withLock { held in held.first { $0.place == place } }
        if let known { return known.segment }
        let segment = read(place)
        held.withLock { held in
            if held.count >= Self.heldSegments { held.removeFirst() }
            held.append((place, segment))
        }
        return segment
    }

    private func read(_ place: Int) -> FingerprintSegment? {
        let bytes = source.read(at: Self.offset(of: place), count: Self.placeBytes)
        guard let label = Label(Array(bytes.prefix(Label.lengthBytes))) else { return nil }
        let encoded = bytes.dropFirst(Label.lengthBytes).prefix(Int(label.segmentBytes))
        return FingerprintSegment(
            decoding: Array(encoded), fileSystem: fileSystem, checksumKind: checksumKind)
    }

    /// What stands in front of each segment, so that it need not be read to know where it belongs.
    struct Label {
        static let lengthBytes = 4 + 8 + 4

        let segmentBytes: UInt32
        /// That of its first entry.
        let address: UInt64

        init(segmentBytes: Int, address: LogicalAddress) {
            self.segmentBytes = UInt32(segmentBytes)
            self.address = address.rawValue
        }

        /// nil where it is damaged.
        init?(_ bytes: [UInt8]) {
            segmentBytes = UInt32(truncatingIfNeeded: bytes.littleEndian(at: 0, bytes: 4))
            address = bytes.littleEndian(at: 4)
            guard bytes == encoded() else { return nil }
        }

        func encoded() -> [UInt8] {
            var bytes: [UInt8] = []
            FingerprintSegment.add(UInt64(segmentBytes), to: &bytes)
            bytes.removeLast(4)
            FingerprintSegment.add(address, to: &bytes)
            return bytes + FingerprintSegment.checksum(bytes)
        }
    }

    /// What stands in front of the segments, written when all of them are on the disk.
    struct Head {
        /// What it has for itself.
        static let placeBytes = 4096
        static let lengthBytes = 8 + 16 + 8 + 8 + 8 + 4
        private static let magic: [UInt8] = Array("qbtrfs\u{3}\n".utf8)

        let sequence: UInt64
        let segments: UInt64

        init(sequence: UInt64, segments: Int) {
            self.sequence = sequence
            self.segments = UInt64(segments)
        }

        init?(
            _ bytes: [UInt8], _ fileSystem: FileSystem.Identity, _ checksumKind: ChecksumKind
        ) {
            sequence = bytes.littleEndian(at: 32)
            segments = bytes.littleEndian(at: 40)
            guard bytes == encoded(fileSystem, checksumKind) else { return nil }
        }

        func encoded(
            _ fileSystem: FileSystem.Identity, _ checksumKind: ChecksumKind
        ) -> [UInt8] {
            var bytes = Self.magic + fileSystem.bytes.prefix(16)
            for value in [UInt64(checksumKind.rawValue), sequence, segments] {
                FingerprintSegment.add(value, to: &bytes)
            }
            return bytes + FingerprintSegment.checksum(bytes)
        }
    }
}

extension [UInt8] {
    /// A number; what is missing of it is 0.
    fileprivate func littleEndian(at offset: Int, bytes: Int = 8) -> UInt64 {
        (0..<bytes).reduce(0) { number, index in
            let place = offset + index
            return number | (place < count ? UInt64(self[place]) << UInt64(8 * index) : 0)
        }
    }
}
