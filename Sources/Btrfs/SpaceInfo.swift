// SPDX-License-Identifier: GPL-2.0-or-later
internal import CBtrfs
internal import Glibc
internal import SystemCalls
internal import SystemPackage

/// A file system's own account of its space, each byte counted once whatever the profile.
public struct SpaceInfo: Equatable, Sendable {
    /// Chunks of one kind.
    public struct Kind: Equatable, Sendable {
        /// What the chunks hold.
        public var totalBytes = ByteCount.zero
        /// What of it is used.
        public var usedBytes = ByteCount.zero

        /// Makes a kind; without figures one that has no chunk.
        public init(totalBytes: ByteCount = .zero, usedBytes: ByteCount = .zero) {
            self.totalBytes = totalBytes
            self.usedBytes = usedBytes
        }
    }

    /// File content.
    public var data = Kind()
    /// Trees.
    public var metadata = Kind()
    /// The chunk tree.
    public var system = Kind()
    /// What of metadata the file system keeps back for itself.
    public var reserveBytes = ByteCount.zero
    /// The devices' size.
    public var deviceBytes = ByteCount.zero
    /// Of the devices, what no chunk takes.
    public var unallocatedBytes = ByteCount.zero

    /// Of nothing.
    public init() {}

    /// Adds what one entry says. The global reserve is a part of metadata, and not added to it.
    /// - Returns: false when no file system can have as much.
    mutating func add(flags: UInt64, totalBytes: UInt64, usedBytes: UInt64) -> Bool {
        if flags & Self.globalReserve != 0 {
            reserveBytes = ByteCount(totalBytes)
            return true
        }
        var fits = true
        func sum(_ kind: inout Kind) {
            let total = kind.totalBytes.rawValue.addingReportingOverflow(totalBytes)
            let used = kind.usedBytes.rawValue.addingReportingOverflow(usedBytes)
            fits = !total.overflow && !used.overflow
            kind.totalBytes = ByteCount(total.partialValue)
            kind.usedBytes = ByteCount(used.partialValue)
        }
        // Mixed block groups (small file systems) hold both; they count as data.
        if flags & UInt64(BTRFS_BLOCK_GROUP_DATA) != 0 {
            sum(&data)
        } else if flags & UInt64(BTRFS_BLOCK_GROUP_METADATA) != 0 {
            sum(&metadata)
        } else if flags & UInt64(BTRFS_BLOCK_GROUP_SYSTEM) != 0 {
            sum(&system)
        }
        return fits
    }

    /// BTRFS_SPACE_INFO_GLOBAL_RSV.
    private static let globalReserve: UInt64 = 1 << 49

    /// Reads the entries that SPACE_INFO has written: flags, total_bytes, used_bytes (64 bits
    /// each).
    static func parse(_ buffer: RawSpan, count: Int) -> SpaceInfo? {
        var info = SpaceInfo()
        for index in 0..<max(count, 0) {
            let position = index * entryBytes
            guard let flags = buffer.integer(at: position, as: UInt64.self),
                let total = buffer.integer(at: position + 8, as: UInt64.self),
                let used = buffer.integer(at: position + 16, as: UInt64.self),
                info.add(flags: flags, totalBytes: total, usedBytes: used)
            else { return nil }
        }
        return info
    }

    static let entryBytes = 24
}

extension FileSystem {
    /// The account as of the last commit (BTRFS_IOC_SPACE_INFO, BTRFS_IOC_DEV_INFO). To see what a
    /// change brought, `synchronize()` first.
    public func spaceInfo() throws(BtrfsError) -> SpaceInfo {
        let slots = 32  // kinds times profiles: a file system in mid-conversion has a handful
        let headerBytes = MemoryLayout<btrfs_ioctl_space_args>.size
        let memory = UnsafeMutableRawBufferPointer.allocate(
            byteCount: headerBytes + slots * SpaceInfo.entryBytes, alignment: 8)
        defer { unsafe memory.deallocate() }
        var arguments = btrfs_ioctl_space_args()
        arguments.space_slots = UInt64(slots)
        unsafe memory.storeBytes(of: arguments, as: btrfs_ioctl_space_args.self)
        guard let base = memory.baseAddress,
            unsafe ioctl(root.rawValue, cbtrfs_SPACE_INFO, base) == 0
        else { throw BtrfsError("SPACE_INFO", "the file system", Errno(rawValue: errno)) }
        let count = unsafe Int(memory.load(as: btrfs_ioctl_space_args.self).total_spaces)
        let span = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(memory))
            .extracting(droppingFirst: headerBytes)
        guard var info = SpaceInfo.parse(span, count: min(count, slots)) else {
            throw BtrfsError("SPACE_INFO", "the file system", .ioError)
        }
        try addDevices(to: &info)
        return info
    }

    /// BTRFS_IOC_DEV_INFO numbers devices from 1, with gaps where one was removed.
    private func addDevices(to info: inout SpaceInfo) throws(BtrfsError) {
        var found = 0
        var used = ByteCount.zero
        var identifier: UInt64 = 1
        while found < deviceCount && identifier <= 1024 {
            var arguments = btrfs_ioctl_dev_info_args()
            arguments.devid = identifier
            if unsafe ioctl(root.rawValue, cbtrfs_DEV_INFO, &arguments) == 0 {
                info.deviceBytes += ByteCount(arguments.total_bytes)
                used += ByteCount(arguments.bytes_used)
                found += 1
            } else if errno != ENODEV {
                throw BtrfsError(
                    "DEV_INFO", "device \(identifier)", Errno(rawValue: errno))
            }
            identifier += 1
        }
        info.unallocatedBytes = info.deviceBytes - min(used, info.deviceBytes)
    }
}
