// SPDX-License-Identifier: GPL-2.0-or-later
internal import CBtrfs
internal import Glibc
internal import SystemCalls
internal import SystemPackage

/// What the kernel has counted of one device since somebody last set its counters to zero, as
/// `btrfs device stats` shows it. The counters outlive a mount.
public struct DeviceErrors: Equatable, Sendable {
    /// The device's number in its file system, from 1.
    public var identifier: UInt64
    /// Its path, as the kernel knows it.
    public var path: String
    /// Writes that it refused.
    public var writes: UInt64
    /// Reads that it refused.
    public var reads: UInt64
    /// Flushes that it refused.
    public var flushes: UInt64
    /// Sectors and nodes that it gave back, and whose checksums did not fit.
    public var corruptions: UInt64
    /// Nodes that it gave back, and that were of another generation than their parents say.
    public var generations: UInt64

    /// Makes counters.
    public init(
        identifier: UInt64, path: String, writes: UInt64 = 0, reads: UInt64 = 0,
        flushes: UInt64 = 0, corruptions: UInt64 = 0, generations: UInt64 = 0
    ) {
        self.identifier = identifier
        self.path = path
        self.writes = writes
        self.reads = reads
        self.flushes = flushes
        self.corruptions = corruptions
        self.generations = generations
    }

    /// Some counter is not zero.
    public var hasAny: Bool {
        [writes, reads, flushes, corruptions, generations].contains { $0 > 0 }
    }

    /// What was counted since an earlier look. A counter that was set to zero in between counts
    /// from there.
    public func since(_ earlier: DeviceErrors) -> DeviceErrors {
        func grown(_ field: KeyPath<DeviceErrors, UInt64>) -> UInt64 {
            let (now, before) = (self[keyPath: field], earlier[keyPath: field])
            return now >= before ? now - before : now
        }
        return DeviceErrors(
            identifier: identifier, path: path, writes: grown(\.writes), reads: grown(\.reads),
            flushes: grown(\.flushes), corruptions: grown(\.corruptions),
            generations: grown(\.generations))
    }
}

extension FileSystem {
    /// The counters of every device that is there (BTRFS_IOC_DEV_INFO, BTRFS_IOC_GET_DEV_STATS).
    public func deviceErrors() throws(BtrfsError) -> [DeviceErrors] {
        var devices: [DeviceErrors] = []
        for identifier in try deviceIdentifiers() {
            var information = btrfs_ioctl_dev_info_args()
            information.devid = identifier
            guard unsafe ioctl(root.rawValue, cbtrfs_DEV_INFO, &information) == 0 else {
                if errno == ENODEV { continue }
                throw BtrfsError("DEV_INFO", "device \(identifier)", Errno(rawValue: errno))
            }
            let path = unsafe withUnsafeBytes(of: &information.path) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let device = try deviceErrors(of: identifier, path) { devices.append(device) }
        }
        return devices
    }

    /// nil for a device that is missing.
    private func deviceErrors(
        of identifier: UInt64, _ path: String
    ) throws(BtrfsError) -> DeviceErrors? {
        var stats = btrfs_ioctl_get_dev_stats()
        stats.devid = identifier
        stats.nr_items = UInt64(BTRFS_DEV_STAT_VALUES_MAX.rawValue)
        guard unsafe ioctl(root.rawValue, cbtrfs_GET_DEV_STATS, &stats) == 0 else {
            if errno == ENODEV { return nil }
            throw BtrfsError("GET_DEV_STATS", "device \(identifier)", Errno(rawValue: errno))
        }
        return DeviceErrors(
            identifier: identifier, path: path, writes: stats.values.0, reads: stats.values.1,
            flushes: stats.values.2, corruptions: stats.values.3, generations: stats.values.4)
    }
}
