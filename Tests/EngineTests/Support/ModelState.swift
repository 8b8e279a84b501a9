// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs

/// A file system in memory: files whose ranges refer to parts of extents.
///
/// It stands in for faults that a real Btrfs cannot be made to show. Each file also keeps its
/// `truth`: the bytes that its owner has written, which no sharing may change.
struct ModelState: Sendable {
    static let sector: UInt64 = 4096

    struct Extent: Sendable {
        /// Unpacked, whole sectors.
        var content: [UInt8]
        let diskBytes: UInt64
        let compression: Compression
        let generation: Generation
    }

    /// A file extent item; whole sectors.
    struct Item: Equatable, Sendable {
        var fileOffset: UInt64
        var length: UInt64
        let address: UInt64
        var offsetInExtent: UInt64
        /// Allocated, and not yet written: reads as zeroes.
        var isPreallocated = false
        /// When it was written, where that was later than its extent was made.
        var generation: Generation?

        var end: UInt64 { fileOffset + length }

        /// The part within a range of the file.
        func clipped(to range: Range<UInt64>) -> Item? {
            let start = max(fileOffset, range.lowerBound)
            let stop = min(end, range.upperBound)
            guard start < stop else { return nil }
            var part = self
            part.fileOffset = start
            part.length = stop - start
            part.offsetInExtent = offsetInExtent + (start - fileOffset)
            return part
        }
    }

    struct File: Sendable {
        var items: [Item] = []
        var truth: [UInt8] = []
        var hasNoChecksums = false
        var isImmutable = false
        var links: UInt32 = 1
        var isScratch = false
        var scratchBytes: UInt64 = 0
        /// What a sector may read as besides: its owner has written it, and the device refused.
        var alternatives: [UInt64: [UInt8]] = [:]

        var sizeBytes: UInt64 { isScratch ? scratchBytes : UInt64(truth.count) }
    }

    private(set) var extents: [UInt64: Extent] = [:]
    var files: [InodeIdentifier: File] = [:]
    /// What is between the files and the device (ModelDevice.swift).
    var device = ModelDevice()
    /// Files whose items lie in a leaf that a snapshot shares: one for each, until it is changed.
    var sharedLeaves: Set<InodeIdentifier> = []
    /// Leaves that were changed since, each a node more.
    private(set) var unsharedLeaves: UInt64 = 0
    /// Subvolumes that are being sent.
    var sent: Set<TreeIdentifier> = []
    private var nextAddress: UInt64 = 1 << 20
    private var generation: UInt64 = 100
    /// What the files' owners have written, on the device.
    private(set) var writtenByOwners: UInt64 = 0
    /// By how much they have let trees grow, at most.
    private(set) var metadataOfOwners: UInt64 = 0

    /// What all extents take.
    var diskUse: UInt64 { extents.values.reduce(0) { $0 + $1.diskBytes } }

    /// What trees take: an item and a back reference for each reference, and an item for each
    /// extent, in two copies.
    var metadataUse: UInt64 {
        let references = files.values.reduce(0) { $0 + $1.items.count }
        return UInt64(references) * 2 * Self.referenceBytes
            + UInt64(extents.count) * 2 * Self.extentItemBytes
            + unsharedLeaves * 2 * Self.nodeBytes
    }

    /// 53 bytes with a key of 25, and 28 in the extent's item with a byte for their kind.
    static let referenceBytes: UInt64 = 107
    /// 24 bytes with a key of 25.
    static let extentItemBytes: UInt64 = 49
    static let nodeBytes: UInt64 = 16 << 10

    /// A snapshot, and the numbers of the files in it.
    static let snapshot = TreeIdentifier(500)
    static let snapshotNumbers: Range<UInt64> = 500_000..<600_000

    static func inode(_ number: UInt64) -> InodeIdentifier {
        let isInSnapshot = snapshotNumbers.contains(number)
        return InodeIdentifier(
            subvolume: isInSnapshot ? snapshot : .topmostSubvolume, number: number)
    }

    // MARK: What owners of files do

    mutating func make(_ number: UInt64, _ change: (inout File) -> Void = { _ in }) {
        var file = File()
        change(&file)
        files[Self.inode(number)] = file
    }

    /// Writes one new extent; what ends within a sector must end the file.
    mutating func write(
        _ bytes: [UInt8], to number: UInt64, at offset: UInt64, packedTo diskBytes: UInt64? = nil,
        by compression: Compression = .zstd
    ) {
        let inode = Self.inode(number)
        guard var file = files[inode] else { return }
        // Two items more at most: what is written, and the second part of what it cuts in two.
        metadataOfOwners += 2 * (2 * Self.referenceBytes + Self.extentItemBytes)
        let start = Int(offset)
        if file.truth.count < start + bytes.count {
            file.truth += [UInt8](
                repeating: 0, count: start + bytes.count - file.truth.count)
        }
        file.truth.replaceSubrange(start..<(start + bytes.count), with: bytes)
        files[inode] = file
        let address = add(bytes, diskBytes: diskBytes, compression: compression)
        writtenByOwners += extents[address]?.diskBytes ?? 0
        place(
            [
                Item(
                    fileOffset: offset, length: Self.roundUp(UInt64(bytes.count)), address: address,
                    offsetInExtent: 0)
            ], in: inode, over: offset..<(offset + Self.roundUp(UInt64(bytes.count))))
    }

    /// Allocates an extent, of whole sectors, and writes nothing (`fallocate(2)`).
    mutating func preallocate(_ length: UInt64, of number: UInt64, at offset: UInt64) {
        write([UInt8](repeating: 0, count: Int(length)), to: number, at: offset)
        let inode = Self.inode(number)
        guard let index = files[inode]?.items.firstIndex(where: { $0.fileOffset == offset })
        else { return }
        files[inode]?.items[index].isPreallocated = true
    }

    /// Writes into what was allocated before, and to nobody else: the item is cut, and what is
    /// written has a generation of its own.
    mutating func fill(_ bytes: [UInt8], of number: UInt64, at offset: UInt64) {
        let inode = Self.inode(number)
        let range = offset..<(offset + UInt64(bytes.count))
        guard var file = files[inode],
            let whole = file.items.first(where: { $0.clipped(to: range)?.length == range.size }),
            var part = whole.clipped(to: range)
        else { return }
        metadataOfOwners += 2 * 2 * Self.referenceBytes
        generation += 1
        part.isPreallocated = false
        part.generation = Generation(generation)
        let place = Int(part.offsetInExtent)
        extents[part.address]?.content.replaceSubrange(place..<(place + bytes.count), with: bytes)
        file.truth.replaceSubrange(Int(offset)..<(Int(offset) + bytes.count), with: bytes)
        files[inode] = file
        self.place([part], in: inode, over: range)
    }

    /// A reflink copy of whole sectors.
    mutating func clone(
        _ from: UInt64, _ range: Range<UInt64>, to number: UInt64, at offset: UInt64
    ) {
        let (source, destination) = (Self.inode(from), Self.inode(number))
        guard let sourceFile = files[source], var file = files[destination] else { return }
        let items = sourceFile.items.count { $0.clipped(to: range) != nil }
        metadataOfOwners += UInt64(items + 1) * 2 * Self.referenceBytes
        let end = min(range.upperBound, sourceFile.sizeBytes)
        let bytes = sourceFile.truth[Int(range.lowerBound)..<Int(end)]
        let stop = Int(offset) + bytes.count
        if file.truth.count < stop {
            file.truth += [UInt8](repeating: 0, count: stop - file.truth.count)
        }
        file.truth.replaceSubrange(Int(offset)..<stop, with: bytes)
        files[destination] = file
        point(source, range.lowerBound, destination, offset, Self.roundUp(end - range.lowerBound))
    }

    // MARK: What the file system does

    static func roundUp(_ bytes: UInt64) -> UInt64 { (bytes + sector - 1) / sector * sector }

    mutating func add(
        _ bytes: [UInt8], diskBytes: UInt64? = nil, compression: Compression = .zstd
    ) -> UInt64 {
        let length = Self.roundUp(UInt64(bytes.count))
        let padding = [UInt8](repeating: 0, count: Int(length) - bytes.count)
        generation += 1
        let address = nextAddress
        nextAddress += length + Self.sector
        extents[address] = Extent(
            content: bytes + padding, diskBytes: diskBytes ?? length,
            compression: diskBytes == nil ? .none : compression,
            generation: Generation(generation))
        return address
    }

    /// Puts items in the place of what was in a range, and drops extents that nobody refers to.
    mutating func place(_ new: [Item], in inode: InodeIdentifier, over range: Range<UInt64>) {
        device.dropPages(of: inode, in: range)
        guard var file = files[inode] else { return }
        var kept: [Item] = []
        var touched: Set<UInt64> = []
        for item in file.items {
            guard item.clipped(to: range) != nil else {
                kept.append(item)
                continue
            }
            touched.insert(item.address)
            if let left = item.clipped(to: 0..<range.lowerBound) { kept.append(left) }
            if let right = item.clipped(to: range.upperBound..<UInt64.max) { kept.append(right) }
        }
        file.items = (kept + new).sorted { $0.fileOffset < $1.fileOffset }
        files[inode] = file
        for address in touched where !isUsed(address) {
            extents[address] = nil
            device.badSectors[address] = nil
        }
    }

    /// Makes a range of one file refer to what a range of another refers to.
    mutating func point(
        _ source: InodeIdentifier, _ sourceOffset: UInt64, _ destination: InodeIdentifier,
        _ destinationOffset: UInt64, _ length: UInt64
    ) {
        if sharedLeaves.remove(destination) != nil { unsharedLeaves += 1 }
        let range = sourceOffset..<(sourceOffset + length)
        let items = (files[source]?.items ?? []).compactMap { item -> Item? in
            guard var part = item.clipped(to: range) else { return nil }
            part.fileOffset = destinationOffset + (part.fileOffset - sourceOffset)
            return part
        }
        place(items, in: destination, over: destinationOffset..<(destinationOffset + length))
    }

    /// The page cache has what was written, unless it was packed; the device, where it takes it.
    mutating func writeScratch(
        _ content: [UInt8], lengthBytes: UInt64, _ diskBytes: UInt64?, _ inode: InodeIdentifier,
        at offset: UInt64, isRefused: Bool
    ) {
        let length = Self.roundUp(lengthBytes)
        let range = offset..<(offset + length)
        if isRefused {
            place([], in: inode, over: range)
        } else {
            let address = add(content, diskBytes: diskBytes)
            let item = Item(fileOffset: offset, length: length, address: address, offsetInExtent: 0)
            place([item], in: inode, over: range)
        }
        let size = files[inode]?.scratchBytes ?? 0
        files[inode]?.scratchBytes = max(size, offset + lengthBytes)
        if diskBytes != nil { return }
        let padded = content + [UInt8](repeating: 0, count: Int(length) - content.count)
        for start in stride(from: 0, to: padded.count, by: Int(Self.sector)) {
            let page = Array(padded[start..<(start + Int(Self.sector))])
            device.setPage(page, of: inode, at: offset + UInt64(start))
        }
    }

    /// What a tree search says of a file.
    func fileExtents(of inode: InodeIdentifier) -> [FileExtent] {
        (files[inode]?.items ?? []).compactMap { item in
            guard let extent = extents[item.address] else { return nil }
            let reference = FileExtent.Reference(
                address: LogicalAddress(item.address), diskBytes: ByteCount(extent.diskBytes),
                offsetInExtent: ByteCount(item.offsetInExtent))
            var shown = FileExtent(
                fileOffset: FileOffset(item.fileOffset), lengthBytes: ByteCount(item.length),
                contentBytes: ByteCount(extent.content.count), compression: extent.compression,
                generation: item.generation ?? extent.generation,
                storage: item.isPreallocated ? .preallocated(reference) : .regular(reference))
            let isShared = sharedLeaves.contains(inode)
            shown.leafGeneration = isShared ? Self.lastSnapshot : newestGeneration
            return shown
        }
    }

    var newestGeneration: Generation { Generation(generation) }

    private static let lastSnapshot = Generation(1)

    /// Of every tree: the nodes above its leaves are its own.
    var age: SubvolumeAge {
        SubvolumeAge(generation: newestGeneration, lastSnapshot: Self.lastSnapshot, level: 1)
    }

    mutating func clear(_ inode: InodeIdentifier) {
        place([], in: inode, over: 0..<UInt64.max)
        files[inode]?.scratchBytes = 0
    }

    func isUsed(_ address: UInt64) -> Bool {
        files.values.contains { $0.items.contains { $0.address == address } }
    }

    /// The bytes that a range of a file reads as; holes read as zeroes.
    func bytes(of inode: InodeIdentifier, _ range: Range<UInt64>) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: Int(range.upperBound - range.lowerBound))
        for item in files[inode]?.items ?? [] {
            guard let part = item.clipped(to: range), let extent = extents[part.address],
                !part.isPreallocated
            else { continue }
            let from = Int(part.offsetInExtent)
            let to = Int(part.fileOffset - range.lowerBound)
            result.replaceSubrange(
                to..<(to + Int(part.length)),
                with: extent.content[from..<(from + Int(part.length))])
        }
        return result
    }

    /// The files that do not read as what their owners have written, once nothing is in the cache;
    /// what the device does not give back is not asked for.
    var brokenFiles: [InodeIdentifier] {
        files.filter { inode, file in !file.isScratch && isBroken(inode, file) }.map(\.key).sorted()
    }

    private func isBroken(_ inode: InodeIdentifier, _ file: File) -> Bool {
        let bytes = bytes(of: inode, 0..<file.sizeBytes)
        if bytes == file.truth { return false }
        return stride(from: UInt64(0), to: file.sizeBytes, by: Int(Self.sector)).contains { start in
            let range = Int(start)..<Int(min(start + Self.sector, file.sizeBytes))
            let content = Array(bytes[range])
            return isReadable(inode, start) && content != Array(file.truth[range])
                && content != file.alternatives[start].map { Array($0.prefix(range.count)) }
        }
    }
}

extension Range<UInt64> {
    fileprivate var size: UInt64 { upperBound - lowerBound }
}
