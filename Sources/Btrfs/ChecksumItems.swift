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
        try forEachItem(
            in: .checksums, from: .checksum(of: first), through: .checksum(of: end.rawValue - 1),
            bufferBytes: bufferBytes
        ) { (key, _, item) throws(BtrfsError) in
            let layout = ChecksumItem(
                address: key.offset, itemBytes: item.byteCount,
                checksumBytes: checksumKind.lengthBytes, sectorBytes: sectorBytes.rawValue)
            guard let run = layout.run(from: start, to: end) else { return }
            try body(run.address, item.extracting(run.bytes))
        }
    }
}

extension ItemKey {
    /// That of the item that begins with the checksum of what stands at an address.
    static func checksum(of address: UInt64) -> ItemKey {
        ItemKey(
            objectIdentifier: BTRFS_EXTENT_CSUM_OBJECTID, type: UInt8(BTRFS_EXTENT_CSUM_KEY),
            offset: address)
    }
}

/// Where the checksums of one item of the checksum tree lie. Pure.
struct ChecksumItem {
    /// Of the first sector.
    let address: UInt64
    /// What does not make a whole checksum at the end is nothing.
    let itemBytes: Int
    let checksumBytes: Int
    let sectorBytes: UInt64

    /// The part for the sectors that a range of the address space touches: the address of the first
    /// of them, and the bytes in the item. nil when there are none, or no such addresses.
    func run(
        from start: LogicalAddress, to end: LogicalAddress
    ) -> (address: LogicalAddress, bytes: Range<Int>)? {
        let count = UInt64(itemBytes / checksumBytes)
        let (covered, isTooLong) = count.multipliedReportingOverflow(by: sectorBytes)
        let (itemEnd, isTooFar) = address.addingReportingOverflow(covered)
        if isTooLong || isTooFar { return nil }
        let from = max(address, start.rawValue)
        let to = min(itemEnd, end.rawValue)
        guard from < to else { return nil }
        let first = (from - address) / sectorBytes
        let last = (to - 1 - address) / sectorBytes + 1
        return (
            LogicalAddress(address + first * sectorBytes),
            (Int(first) * checksumBytes)..<(Int(last) * checksumBytes)
        )
    }
}
