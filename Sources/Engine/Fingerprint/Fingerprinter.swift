// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs
internal import SystemCalls

/// Where checksums of uncompressed content are to be had without reading it.
public protocol ChecksumSource: Sendable {
    /// The kind of the file system's own checksums: ours are of the same, to be compared with them.
    var kind: ChecksumKind { get }
    /// The first 32 bits of each checksum of a range of the address space: nil where there is none.
    func checksums(
        from start: LogicalAddress, sectors: Int
    ) throws(BtrfsError) -> [UInt32?]
    /// The same for many stretches of the address space, in order and apart from each other.
    func checksums(of stretches: [Stretch]) throws(BtrfsError) -> [[UInt32?]]
}

/// A stretch of the address space.
public struct Stretch: Equatable, Sendable {
    /// Where it starts.
    public let start: LogicalAddress
    /// How many sectors it has.
    public let sectors: Int

    /// Makes a stretch.
    public init(start: LogicalAddress, sectors: Int) {
        self.start = start
        self.sectors = sectors
    }
}

extension ChecksumSource {
    /// One after the other.
    public func checksums(of stretches: [Stretch]) throws(BtrfsError) -> [[UInt32?]] {
        var result: [[UInt32?]] = []
        for stretch in stretches {
            result.append(try checksums(from: stretch.start, sectors: stretch.sectors))
        }
        return result
    }
}

/// Unpacks the frames of zstd extents.
public protocol FrameDecoder: Sendable {
    /// The content; nil when the frame is broken.
    func decode(_ extent: EncodedExtent) -> [UInt8]?
}

/// Makes fingerprints: of plain extents from the checksum tree, of compressed ones by unpacking
/// each once, however many files share it.
public struct Fingerprinter: Sendable {
    private let store: any ContentStore
    private let checksums: any ChecksumSource
    private let decoder: any FrameDecoder
    private let threads: Int
    private let kept: KeptFingerprints?

    /// With `threads` of them at work, and what an earlier run has kept.
    public init(
        store: any ContentStore, checksums: any ChecksumSource, decoder: any FrameDecoder,
        threads: Int,
        kept: KeptFingerprints? = nil
    ) {
        self.store = store
        self.checksums = checksums
        self.decoder = decoder
        self.threads = threads
        self.kept = kept
    }

    /// The most extents that one piece of work takes,
    private static var extentsAtATime: Int { 256 }
    /// and the most content, unless a single extent has more: 512 KiB of checksums in all.
    private static var contentAtATime: ByteCount { .mebibytes(256) }
    /// How many pieces may be done and wait for an earlier one, for each thread.
    private static var waitingPieces: Int { 4 }
    /// How many files that cannot be read are tried for one extent.
    private static var failuresAnExtent: Int { 4 }

    /// Fingerprints the given extents of a survey. One that cannot be read, or has no checksums, is
    /// left out: it is neither a copy nor has one.
    /// - Parameters:
    ///   - writer: what they are added to, in the order of `indices`.
    ///   - progress: called with the content gone through, from any thread.
    ///   - keep: called for each compressed extent whose whole content is known, in order and one
    ///     at a time, from any thread.
    public func fingerprint(
        _ indices: Column<UInt32>, of survey: Survey,
        into writer: FingerprintWriter = FingerprintWriter(),
        progress: @escaping @Sendable (_ done: ByteCount) -> Void,
        keep: @escaping @Sendable (FingerprintSegment.Entry) -> Void = { _ in }
    ) throws(BtrfsError) -> Fingerprints {
        let pieces = Self.pieces(of: indices, survey)
        var writer = writer
        writer.zeroSum = Fingerprints.closed(sumOfZeroes)
        let row = FingerprintRow(writer, waitingLimit: threads * Self.waitingPieces)
        try concurrently(count: pieces.count, threads: threads) {
            (piece) throws(BtrfsError) in
            let own = indices[pieces[piece]].map(Int.init)
            do throws(BtrfsError) {
                try row.put(try fingerprint(own, survey), at: piece, keep)
            } catch {
                row.abandon()
                throw error
            }
            progress(row.done(own.reduce(ByteCount.zero) { $0 + survey.extents[$1].contentBytes }))
        }
        return try row.finish()
    }

    /// Parts of `indices`, none of which takes much memory.
    private static func pieces(of indices: Column<UInt32>, _ survey: Survey) -> [Range<Int>] {
        var pieces: [Range<Int>] = []
        var start = 0
        var content = ByteCount.zero
        for place in indices.indices {
            content += survey.extents[Int(indices[place])].contentBytes
            let isFull = content > contentAtATime || place - start == extentsAtATime
            if isFull, place > start {
                pieces.append(start..<place)
                start = place
                content = survey.extents[Int(indices[place])].contentBytes
            }
        }
        if start < indices.count { pieces.append(start..<indices.count) }
        return pieces
    }

    private func fingerprint(
        _ indices: [Int], _ survey: Survey
    ) throws(BtrfsError) -> [FingerprintRow.Item] {
        let plain = indices.filter { survey.extents[$0].compression == .none }
        let sums = try checksums.checksums(
            of: plain.map { index in
                let extent = survey.extents[index]
                let length = extent.contentBytes.roundedUp(to: store.sectorBytes)
                return Stretch(
                    start: extent.address, sectors: length.count / store.sectorBytes.count)
            })
        let known = Dictionary(uniqueKeysWithValues: zip(plain, sums))
        var reader = kept.map { KeptFingerprints.Reader($0) }
        return indices.compactMap { index in
            let extent = survey.extents[index]
            if let sums = keptSums(of: extent, &reader) {
                return item(index, extent, sums, survey)
            }
            guard let sums = known[index] ?? unpacked(extent, survey) else { return nil }
            let whole = extent.compression == .none ? [] : sums.compactMap(\.self)
            if !whole.isEmpty, whole.count == sums.count {
                return item(index, extent, whole, survey)
            }
            let isUsable = usableSectors(of: extent, survey, count: sums.count)
            return FingerprintRow.Item(
                extent: index,
                closed: sums.indices.map {
                    Fingerprints.closed(isUsable?[$0] ?? true ? sums[$0] : nil)
                }, kept: nil)
        }
    }

    /// What is known of all of a packed extent's content.
    private func item(
        _ index: Int, _ extent: Survey.Extent, _ sums: [UInt32], _ survey: Survey
    ) -> FingerprintRow.Item {
        var closed = sums.map { Fingerprints.closed($0) }
        if let isUsable = usableSectors(of: extent, survey, count: sums.count) {
            for place in closed.indices where !isUsable[place] {
                closed[place] = Fingerprints.useless
            }
        }
        return FingerprintRow.Item(
            extent: index, closed: closed,
            kept: FingerprintSegment.Entry(
                address: extent.address, generation: extent.generation, sums: sums))
    }

    /// What an earlier job has found out of a packed extent's content.
    private func keptSums(
        of extent: Survey.Extent, _ kept: inout KeptFingerprints.Reader?
    ) -> [UInt32]? {
        guard extent.compression != .none,
            let sums = kept?.sums(ofExtentAt: extent.address, generation: extent.generation),
            ByteCount(sums.count * store.sectorBytes.count)
                == extent.contentBytes.roundedUp(to: store.sectorBytes)
        else { return nil }
        return sums
    }

    /// The checksums of a compressed extent's content; nil when there is no way to it.
    private func unpacked(_ extent: Survey.Extent, _ survey: Survey) -> [UInt32?]? {
        if let content = decoded(extent, survey) {
            return unsafe content.withUnsafeBytes { unsafe sums(of: $0) }
        }
        return read(extent, survey)
    }

    /// The content of a zstd extent, unpacked by us: that keeps it out of the page cache. nil when
    /// it is packed otherwise, or cannot be had as it stands.
    private func decoded(_ extent: Survey.Extent, _ survey: Survey) -> [UInt8]? {
        guard extent.compression == .zstd,
            let reference = quiet(survey.references(to: extent), survey)
        else { return nil }
        let file = survey.files[reference.file]
        guard let open = try? store.open(file.image.inode, generation: file.inode.generation),
            let packed = try? store.readEncoded(
                open, at: reference.fileOffset, lengthBytes: reference.lengthBytes),
            packed.contentBytes == extent.contentBytes,
            packed.compression == extent.compression,
            let content = decoder.decode(packed), content.count == extent.contentBytes.count,
            shows(extent, at: reference, file)
        else { return nil }
        return content
    }

    /// One that no running qube writes to, where there is one: it shows what the survey has seen.
    private func quiet(
        _ references: Column<Survey.Reference>.SubSequence, _ survey: Survey
    ) -> Survey.Reference? {
        references.first { !survey.files[$0.file].image.isLive } ?? references.first
    }

    /// Whether a file still shows the extent, asked after its content was read: a read says what
    /// stands at a place of a file, and a qube may have written there since the survey. Its
    /// checksums would be kept as those of the old extent, which lives on in revisions.
    private func shows(
        _ extent: Survey.Extent, at reference: Survey.Reference, _ file: Survey.File
    ) -> Bool {
        var isShown = false
        try? store.forEachFileExtent(
            of: file.image.inode, from: reference.fileOffset, through: reference.fileOffset
        ) { item in
            guard case .regular(let shown) = item.storage else { return }
            isShown =
                shown.address == extent.address && item.generation <= extent.generation
                && shown.offsetInExtent == reference.offsetInExtent
        }
        return isShown
    }

    /// The checksums of what files show of an extent, unpacked by the kernel: each part is read
    /// through one file, however many show it. nil when nothing of it can be read.
    private func read(_ extent: Survey.Extent, _ survey: Survey) -> [UInt32?]? {
        // One read takes a whole extent. The kernel packs no more into one.
        guard extent.contentBytes <= EncodedIO.frameContentBytes else { return nil }
        let count = extent.contentBytes.roundedUp(to: store.sectorBytes).count
        var known = [UInt32?](repeating: nil, count: count / store.sectorBytes.count)
        var failures = 0
        for reference in survey.references(to: extent) where !reference.isPreallocated {
            let shown = shownSectors(of: reference, survey, count: known.count)
            guard let first = shown.first(where: { known[$0] == nil }),
                let last = shown.last(where: { known[$0] == nil })
            else { continue }
            let skipped = ByteCount((first - shown.lowerBound) * store.sectorBytes.count)
            let file = survey.files[reference.file]
            var sums = read(
                file, at: reference.fileOffset + skipped,
                lengthBytes: ByteCount((last + 1 - first) * store.sectorBytes.count))
            if !shows(extent, at: reference, file) { sums = [] }
            known.replaceSubrange(first..<(first + sums.count), with: sums)
            // A file may be gone while others are there; a device that fails does so for all.
            if sums.isEmpty { failures += 1 }
            if failures == Self.failuresAnExtent { break }
        }
        return known.contains { $0 != nil } ? known : nil
    }

    /// The checksums of the whole sectors of a range of a file, as far as it can be read.
    private func read(
        _ file: Survey.File, at offset: FileOffset, lengthBytes: ByteCount
    ) -> [UInt32?] {
        guard let open = try? store.open(file.image.inode, generation: file.inode.generation)
        else { return [] }
        let content = unsafe [UInt8](unsafeUninitializedCapacity: lengthBytes.count) {
            unsafe $1 =
                (try? store.read(open, at: offset, into: UnsafeMutableRawBufferPointer($0)))
                ?? 0
        }
        // As in execution: what a running qube works with stays in memory.
        if !file.image.isLive { store.forget(open, at: offset, lengthBytes: lengthBytes) }
        let whole = ByteCount(content.count).roundedDown(to: store.sectorBytes).count
        return unsafe content.withUnsafeBytes { unsafe sums(of: .init(rebasing: $0[..<whole])) }
    }

    private var sumOfZeroes: UInt32 {
        let zeroes = [UInt8](repeating: 0, count: store.sectorBytes.count)
        return unsafe zeroes.withUnsafeBytes { unsafe checksums.kind.checksum(of: $0) }
    }

    /// A checksum for each sector; nil for what is no whole one at the end.
    private func sums(of content: UnsafeRawBufferPointer) -> [UInt32?] {
        let sector = store.sectorBytes.count
        return stride(from: 0, to: content.count, by: sector).map { start in
            guard start + sector <= content.count else { return nil }
            return unsafe checksums.kind.checksum(
                of: UnsafeRawBufferPointer(rebasing: content[start..<(start + sector)]))
        }
    }

    /// Which sectors a file shows, nil when all are shown: what nobody can reach can be neither
    /// compared nor shared. Nor can what ends within a sector, but with its own like.
    ///
    /// Counts where what is shown begins and ends, so that an extent with a million references
    /// takes a million steps and not one for each sector of each.
    private func usableSectors(
        of extent: Survey.Extent, _ survey: Survey, count: Int
    ) -> [Bool]? {
        let references = survey.references(to: extent)
        var changes: [Int32] = []
        for reference in references where !reference.isPreallocated {
            let shown = shownSectors(of: reference, survey, count: count)
            if shown == 0..<count { return nil }
            if changes.isEmpty { changes = [Int32](repeating: 0, count: count + 1) }
            changes[shown.lowerBound] += 1
            changes[shown.upperBound] -= 1
        }
        if changes.isEmpty { return [Bool](repeating: false, count: count) }
        var depth: Int32 = 0
        return changes.dropLast().map { change in
            depth += change
            return depth > 0
        }
    }

    /// The whole sectors of an extent of `count` that a reference shows of it.
    private func shownSectors(
        of reference: Survey.Reference, _ survey: Survey, count: Int
    ) -> Range<Int> {
        let sector = store.sectorBytes
        let size = survey.files[reference.file].inode.sizeBytes
        let start = reference.offsetInExtent.rawValue / sector.rawValue
        let fileStart = min(reference.fileOffset.rawValue, size.rawValue)
        let shown = min(reference.lengthBytes, ByteCount(size.rawValue - fileStart))
        let end = start + shown.rawValue / sector.rawValue
        return (Int(start)..<Int(end)).clamped(to: 0..<count)
    }
}
