// SPDX-License-Identifier: GPL-2.0-or-later
internal import CBtrfs
internal import Glibc
internal import SystemCalls
internal import SystemPackage

/// What a device has refused since it was made a part of the file system, or since
/// `btrfs device stats --reset`.
public struct DeviceErrors: Equatable, Sendable {
    /// Which device of the file system.
    public let identifier: UInt64
    /// Its path as the kernel knows it; empty when it is missing.
    public let path: String
    /// Writes.
    public let writes: UInt64
    /// Reads.
    public let reads: UInt64
    /// Flushes of its cache.
    public let flushes: UInt64
    /// Blocks whose checksum was wrong, or which were from another time.
    public let corruptions: UInt64

    /// Makes a count.
    public init(
        identifier: UInt64, path: String, writes: UInt64, reads: UInt64, flushes: UInt64,
        corruptions: UInt64
    ) {
        self.identifier = identifier
        self.path = path
        self.writes = writes
        self.reads = reads
        self.flushes = flushes
        self.corruptions = corruptions
    }

    /// It has refused something.
    public var isAny: Bool { writes > 0 || reads > 0 || flushes > 0 || corruptions > 0 }
}

extension FileSystem {
    /// Every device with the pieces that no chunk takes, from the trees of chunks and of devices.
    public func devices() throws(BtrfsError) -> [DeviceSpace] {
        var devices: [DeviceSpace] = []
        for identifier in try deviceIdentifiers() {
            var info = btrfs_ioctl_dev_info_args()
            info.devid = identifier
            guard unsafe ioctl(root.rawValue, cbtrfs_DEV_INFO, &info) == 0 else {
                let reason = Errno(rawValue: errno)
                // Removed since the tree was read.
                if reason == Errno(rawValue: ENODEV) { continue }
                throw BtrfsError("DEV_INFO", "device \\(identifier)", reason)
            }
            let total = ByteCount(info.total_bytes)
            // The kernel has no path of a device that it has not found.
            let isMissing = unsafe withUnsafeBytes(of: &info.path) { unsafe $0.first == 0 }
            let extents = isMissing ? [] : try deviceExtents(identifier)
            devices.append(
                DeviceSpace(
                    identifier: identifier, totalBytes: total,
                    usedBytes: ByteCount(info.bytes_used), isMissing: isMissing,
                    freePieces: isMissing
                        ? [] : DeviceSpace.freePieces(between: extents, totalBytes: total)))
        }
        return devices
    }

    /// What each device has refused so far (BTRFS_IOC_GET_DEV_STATS).
    public func deviceErrors() throws(BtrfsError) -> [DeviceErrors] {
        var all: [DeviceErrors] = []
        for identifier in try deviceIdentifiers() {
            var statistics = btrfs_ioctl_get_dev_stats()
            statistics.devid = identifier
            statistics.nr_items = 5
            guard unsafe ioctl(root.rawValue, cbtrfs_GET_DEV_STATS, &statistics) == 0 else {
                continue
            }
            var info = btrfs_ioctl_dev_info_args()
            info.devid = identifier
            _ = unsafe ioctl(root.rawValue, cbtrfs_DEV_INFO, &info)
            let path = unsafe withUnsafeBytes(of: &info.path) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            // write_errs, read_errs, flush_errs, corruption_errs, generation_errs
            let values = statistics.values
            all.append(
                DeviceErrors(
                    identifier: identifier, path: path, writes: values.0, reads: values.1,
                    flushes: values.2, corruptions: values.3 &+ values.4))
        }
        return all
    }

    /// The numbers of the file system's devices: 1 and up, with gaps where one was removed, and 0
    /// while one is being replaced.
    private func deviceIdentifiers() throws(BtrfsError) -> [UInt64] {
        let object: UInt64 = 1  // BTRFS_DEV_ITEMS_OBJECTID
        let type: UInt8 = 216  // BTRFS_DEV_ITEM_KEY
        var identifiers: [UInt64] = []
        try forEachItem(
            in: .chunks, from: ItemKey(objectIdentifier: object, type: type, offset: 0),
            through: ItemKey(objectIdentifier: object, type: type, offset: .max),
            bufferBytes: 64 << 10
        ) { (key, _, _) throws(BtrfsError) in identifiers.append(key.offset) }
        return identifiers
    }

    /// Where chunks lie on a device, in order.
    private func deviceExtents(_ device: UInt64) throws(BtrfsError) -> [Range<ByteCount>] {
        let type: UInt8 = 204  // BTRFS_DEV_EXTENT_KEY
        var extents: [Range<ByteCount>] = []
        try forEachItem(
            in: .devices, from: ItemKey(objectIdentifier: device, type: type, offset: 0),
            through: ItemKey(objectIdentifier: device, type: type, offset: .max),
            bufferBytes: 256 << 10
        ) { (key, _, item) throws(BtrfsError) in
            // chunk_tree, chunk_objectid, chunk_offset, length (64 bits each)
            guard let length = item.integer(at: 24, as: UInt64.self),
                key.offset <= UInt64.max - length
            else { throw BtrfsError("TREE_SEARCH_V2", "an extent of a device", .ioError) }
            extents.append(ByteCount(key.offset)..<ByteCount(key.offset + length))
        }
        return extents
    }
}
