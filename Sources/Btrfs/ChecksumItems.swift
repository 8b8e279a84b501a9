// SPDX-License-Identifier: GPL-2.0-or-later
internal import CBtrfs

extension FileSystem {
    /// Hands out the checksums of a range of the address space in runs: the address of the first
    /// sector, and a checksum after the other, `checksumKind.lengthBytes` each (tree 7).
    ///
    /// They are of the bytes on the device: of an uncompressed extent its content, sector by
    /// sector, of a compressed one the packed bytes. Extents without checksums have none here.
    public func forEachChecksumRun(
        from start: LogicalAddress, to end: LogicalAddress,
        bufferBytes: Int = 4 << 20,
        _ body: (LogicalAddress, RawSpan) throws(BtrfsError) -> Void
    ) throws(BtrfsError) {
        guard start < end else { return }
        // An item starts at its first sector and may reach beyond the leaf's other items; one that
        // starts before `start` can cover it. No item is longer than a leaf.
        let sectorsInLeaf = nodeBytes.rawValue / UInt64(checksumKind.lengthBytes)
        let reach = sectorsInLeaf * sectorBytes.rawValue
        let first = start.rawValue > reach ? start.rawValue - reach : 0
        func key(_ address: UInt64) -> ItemKey {
            ItemKey(
                objectIdentifier: BTRFS_EXTENT_CSUM_OBJECTID,
                type: UInt8(BTRFS_EXTENT_CSUM_KEY), offset: address)
        }
        try forEachItem(
            in: .checksums, from: key(first), through: key(end.rawValue - 1),
            bufferBytes: bufferBytes
        ) { (key, _, item) throws(BtrfsError) in
            guard let range = checksumRange(of: key, item, start, end) else { return }
            let sectors = UInt64(range.lowerBound / checksumKind.lengthBytes)
            try body(
                LogicalAddress(key.offset + sectors * sectorBytes.rawValue),
                item.extracting(range))
        }
    }

    /// The bytes of a checksum item that lie within the wanted addresses; nil when none do.
    private func checksumRange(
        of key: ItemKey, _ item: RawSpan, _ start: LogicalAddress, _ end: LogicalAddress
    ) -> Range<Int>? {
        let length = checksumKind.lengthBytes
        let sector = sectorBytes.rawValue
        let count = UInt64(item.byteCount / length)
        let itemEnd = key.offset + count * sector
        let from = max(key.offset, start.rawValue)
        let to = min(itemEnd, end.rawValue)
        guard from < to else { return nil }
        let first = Int((from - key.offset) / sector) * length
        let last = Int((to - key.offset + sector - 1) / sector) * length
        return first..<last
    }
}
