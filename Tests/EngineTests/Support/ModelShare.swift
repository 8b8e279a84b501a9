// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import SystemPackage

extension ModelState {
    /// `FIDEDUPERANGE` by the kernel's rules (fs/remap_range.c): whole sectors, unless both ranges
    /// end with their files; what does not end so is cut to whole sectors.
    mutating func share(
        _ source: InodeIdentifier, _ sourceOffset: UInt64, _ destination: InodeIdentifier,
        _ destinationOffset: UInt64, _ wanted: UInt64
    ) -> DedupeOutcome {
        guard let from = files[source], let to = files[destination] else {
            return .failed(.staleNFSFileHandle)
        }
        var length = min(wanted, DedupeRange.limitBytes.rawValue)
        guard sourceOffset.isMultiple(of: Self.sector),
            destinationOffset.isMultiple(of: Self.sector),
            sourceOffset + length <= from.sizeBytes,
            destinationOffset + length <= to.sizeBytes,
            from.hasNoChecksums == to.hasNoChecksums
        else { return .failed(.invalidArgument) }
        let endsBoth =
            sourceOffset + length == from.sizeBytes && destinationOffset + length == to.sizeBytes
        if !endsBoth { length = length / Self.sector * Self.sector }
        if length == 0 { return .shared(.zero) }
        // btrfs_extent_same in fs/btrfs/reflink.c, before anything is compared.
        if sent.contains(destination.subvolume) {
            return .failed(.resourceTemporarilyUnavailable)
        }
        let here = sourceOffset..<(sourceOffset + length)
        let there = destinationOffset..<(destinationOffset + length)
        if source == destination && here.overlaps(there) { return .failed(.invalidArgument) }
        if let error = device.takeError(of: source) ?? device.takeError(of: destination) {
            return .failed(error)
        }
        guard let ours = read(source, here), let theirs = read(destination, there)
        else { return .failed(.ioError) }
        guard ours == theirs else { return .differs }
        point(source, sourceOffset, destination, destinationOffset, Self.roundUp(length))
        return .shared(ByteCount(length))
    }
}
