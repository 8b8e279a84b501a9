// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import SystemPackage

/// The page cache of a model, and what its device does not give back or has not taken.
struct ModelDevice: Sendable {
    /// A sector of a file.
    struct Sector: Hashable, Sendable {
        let inode: InodeIdentifier
        let offset: UInt64
    }

    /// Sectors of extents that read as an error; of a packed extent one is enough for all of it.
    var badSectors: [UInt64: Set<Int>] = [:]
    /// Pages, by file and offset.
    private(set) var pages: [InodeIdentifier: [UInt64: [UInt8]]] = [:]
    /// Pages that do not go, whoever asks: mapped ones.
    var pinned: Set<Sector> = []
    /// Errors of writes that nobody has been told of yet.
    var untoldErrors: [InodeIdentifier: Errno] = [:]

    mutating func setPage(_ bytes: [UInt8], of inode: InodeIdentifier, at offset: UInt64) {
        pages[inode, default: [:]][offset] = bytes
    }

    /// What the kernel drops, pinned or not: what stood there is there no more.
    mutating func dropPages(of inode: InodeIdentifier, in range: Range<UInt64>) {
        guard let known = pages[inode], !known.isEmpty else { return }
        pages[inode] = known.filter { !range.contains($0.key) }
    }

    /// What is let go: all but what is pinned.
    mutating func letGo(of inode: InodeIdentifier, in range: Range<UInt64>) {
        guard let known = pages[inode], !known.isEmpty else { return }
        pages[inode] = known.filter {
            !range.contains($0.key) || pinned.contains(Sector(inode: inode, offset: $0.key))
        }
    }

    func cachedPages(of inode: InodeIdentifier, in range: Range<UInt64>) -> Int {
        pages[inode]?.keys.count { range.contains($0) } ?? 0
    }

    /// The first who asks is told, and nobody else.
    mutating func takeError(of inode: InodeIdentifier) -> Errno? {
        defer { untoldErrors[inode] = nil }
        return untoldErrors[inode]
    }
}

extension ModelState {
    /// A sector of an extent goes bad.
    mutating func spoil(_ address: UInt64, sector: Int) {
        device.badSectors[address, default: []].insert(sector)
    }

    /// The sector behind a place in a file goes bad.
    mutating func spoil(_ number: UInt64, at offset: UInt64) {
        guard let item = item(of: Self.inode(number), at: offset) else { return }
        spoil(
            item.address,
            sector: Int((item.offsetInExtent + offset - item.fileOffset) / Self.sector))
    }

    /// An owner writes a sector; the page has it, and the device refuses it. Nobody is told yet.
    mutating func writeInVain(_ bytes: [UInt8], to number: UInt64, at offset: UInt64) {
        let inode = Self.inode(number)
        device.setPage(bytes, of: inode, at: offset)
        device.untoldErrors[inode] = .ioError
        files[inode]?.alternatives[offset] = bytes
    }

    private func item(of inode: InodeIdentifier, at offset: UInt64) -> Item? {
        files[inode]?.items.first { $0.fileOffset <= offset && offset < $0.end }
    }

    /// Whether the device gives a sector of a file back.
    func isReadable(_ inode: InodeIdentifier, _ offset: UInt64) -> Bool {
        guard let item = item(of: inode, at: offset), let bad = device.badSectors[item.address],
            let extent = extents[item.address]
        else { return true }
        if extent.compression != .none { return bad.isEmpty }
        let sector = (item.offsetInExtent + offset - item.fileOffset) / Self.sector
        return !bad.contains(Int(sector))
    }

    /// The sectors of files that the device does not give back.
    var unreadableSectors: Set<ModelDevice.Sector> {
        var found: Set<ModelDevice.Sector> = []
        if device.badSectors.isEmpty { return found }
        for (inode, file) in files where !file.isScratch {
            for offset in stride(from: UInt64(0), to: file.sizeBytes, by: Int(Self.sector))
            where !isReadable(inode, offset) {
                found.insert(ModelDevice.Sector(inode: inode, offset: offset))
            }
        }
        return found
    }

    /// The sectors of images that are in the cache.
    var cachedSectors: Set<ModelDevice.Sector> {
        var found: Set<ModelDevice.Sector> = []
        for (inode, pages) in device.pages where files[inode]?.isScratch == false {
            for offset in pages.keys {
                found.insert(ModelDevice.Sector(inode: inode, offset: offset))
            }
        }
        return found
    }

    /// Whether its owner has put it into the cache.
    func isOfOwner(_ sector: ModelDevice.Sector) -> Bool {
        files[sector.inode]?.alternatives[sector.offset] != nil
    }

    /// A page, from the cache where it is there, from the device where not; nil where that fails.
    mutating func page(of inode: InodeIdentifier, at offset: UInt64) -> [UInt8]? {
        if let page = device.pages[inode]?[offset] { return page }
        guard isReadable(inode, offset) else { return nil }
        let bytes = bytes(of: inode, offset..<(offset + Self.sector))
        device.setPage(bytes, of: inode, at: offset)
        return bytes
    }

    /// A range through the cache; nil where the device does not give it back.
    mutating func read(_ inode: InodeIdentifier, _ range: Range<UInt64>) -> [UInt8]? {
        var content: [UInt8] = []
        var start = range.lowerBound / Self.sector * Self.sector
        let first = Int(range.lowerBound - start)
        while start < range.upperBound {
            guard let page = page(of: inode, at: start) else { return nil }
            content += page
            start += Self.sector
        }
        return Array(content.dropFirst(first).prefix(range.count))
    }
}
