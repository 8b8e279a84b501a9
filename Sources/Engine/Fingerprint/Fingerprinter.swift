// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs
internal import CChecksum
internal import SystemCalls

/// Where checksums of uncompressed content are to be had without reading it.
public protocol ChecksumSource: Sendable {
    /// Whether the file system's own checksums are crc32c, so that they can be compared with ours.
    var isCRC32C: Bool { get }
    /// The first 32 bits of each checksum of a range of the address space: nil where there is none.
    func checksums(
        from start: LogicalAddress, sectors: Int
    ) throws(BtrfsError) -> [UInt32?]
}

/// Unpacks the frames of compressed extents.
public protocol FrameDecoder: Sendable {
    /// The content; nil when the frame is broken or of a kind that it does not know.
    func decode(_ extent: EncodedExtent) -> [UInt8]?
}

/// Makes fingerprints: of plain extents from the checksum tree, of compressed ones by unpacking
/// each once, however many files share it.
public struct Fingerprinter<Store: ExtentStore>: Sendable {
    private let store: Store
    private let checksums: any ChecksumSource
    private let decoder: any FrameDecoder
    private let threads: Int

    /// With `threads` of them at work.
    public init(
        store: Store, checksums: any ChecksumSource, decoder: any FrameDecoder, threads: Int
    ) {
        self.store = store
        self.checksums = checksums
        self.decoder = decoder
        self.threads = threads
    }

    /// How many extents one piece of work takes.
    private static var extentsAtATime: Int { 256 }

    /// Fingerprints the given extents of a survey. One that cannot be read, or has no checksums, is
    /// left out: it is neither a copy nor has one.
    /// - Parameter progress: called with the content gone through, from any thread.
    public func fingerprint(
        _ indices: [Int], of survey: Survey,
        progress: @escaping @Sendable (_ done: ByteCount) -> Void
    ) throws(BtrfsError) -> Fingerprints {
        let pieces = stride(from: 0, to: indices.count, by: Self.extentsAtATime).map {
            Array(indices[$0..<min($0 + Self.extentsAtATime, indices.count)])
        }
        let results = Monitor((items: [Int: [Item]](), done: ByteCount.zero))
        try concurrently(count: pieces.count, threads: threads) {
            (piece) throws(BtrfsError) in
            var items: [Item] = []
            for index in pieces[piece] {
                if let item = try fingerprint(index, survey) { items.append(item) }
            }
            let bytes = pieces[piece].reduce(ByteCount.zero) {
                $0 + survey.extents[$1].contentBytes
            }
            let done = results.withLock { results -> ByteCount in
                results.items[piece] = items
                results.done += bytes
                return results.done
            }
            progress(done)
        }
        var fingerprints = Fingerprints()
        results.withLock { results in
            for piece in pieces.indices {
                for item in results.items.removeValue(forKey: piece) ?? [] {
                    fingerprints.append(
                        extent: item.extent, sectors: item.sectors, isUsable: item.isUsable)
                }
            }
        }
        return fingerprints
    }

    private struct Item {
        let extent: Int
        let sectors: [UInt32]
        let isUsable: [Bool]
    }

    private func fingerprint(_ index: Int, _ survey: Survey) throws(BtrfsError) -> Item? {
        let extent = survey.extents[index]
        let known =
            try extent.compression == .none
            ? checksums.checksums(
                from: extent.address,
                sectors: (extent.contentBytes.roundedUp(to: store.sectorBytes).rawValue
                    / store.sectorBytes.rawValue).asInt)
            : unpacked(extent, survey)
        guard let known else { return nil }
        let isUsable = usableSectors(of: extent, survey, count: known.count)
        return Item(
            extent: index, sectors: known.map { $0 ?? 0 },
            isUsable: zip(known, isUsable).map { $0 != nil && $1 })
    }

    /// The checksums of a compressed extent's content; nil when it cannot be unpacked.
    private func unpacked(
        _ extent: Survey.Extent, _ survey: Survey
    ) throws(BtrfsError) -> [UInt32?]? {
        guard checksums.isCRC32C, let reference = survey.references(to: extent).first
        else { return nil }
        let file = survey.files[reference.file]
        guard let open = try? store.open(file.image.inode, generation: file.inode.generation),
            let packed = try? store.readEncoded(
                open, at: reference.fileOffset, lengthBytes: reference.lengthBytes),
            packed.contentBytes == extent.contentBytes,
            packed.compression == extent.compression,
            let content = decoder.decode(packed), content.count == extent.contentBytes.count
        else { return nil }
        let sector = store.sectorBytes.count
        return stride(from: 0, to: content.count, by: sector).map { start in
            guard start + sector <= content.count else { return nil }
            return unsafe content.withUnsafeBytes {
                unsafe cchecksum_crc32c($0.baseAddress.map { unsafe $0 + start }, sector)
            }
        }
    }

    /// Which sectors a file shows: what nobody can reach can be neither compared nor shared. Nor
    /// can what ends within a sector, but with its own like.
    private func usableSectors(
        of extent: Survey.Extent, _ survey: Survey, count: Int
    ) -> [Bool] {
        var isUsable = [Bool](repeating: false, count: count)
        let sector = store.sectorBytes
        for reference in survey.references(to: extent) where !reference.isPreallocated {
            let size = survey.files[reference.file].inode.sizeBytes
            let start = reference.offsetInExtent.rawValue / sector.rawValue
            let fileStart = min(reference.fileOffset.rawValue, size.rawValue)
            let shown = min(reference.lengthBytes, ByteCount(size.rawValue - fileStart))
            let end = start + shown.rawValue / sector.rawValue
            for position in Int(start)..<min(Int(end), count) { isUsable[position] = true }
        }
        return isUsable
    }
}

extension UInt64 {
    var asInt: Int { Int(self) }
}
