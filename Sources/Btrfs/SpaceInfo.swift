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

        /// What is free of it but for a part that is kept.
        func roomBytes(keeping kept: ByteCount) -> ByteCount {
            totalBytes - min(usedBytes + kept, totalBytes)
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
    /// The devices' size, without those that are missing.
    public var deviceBytes = ByteCount.zero
    /// Of these devices, what no chunk takes.
    public var unallocatedBytes = ByteCount.zero
    /// What new chunks can hold if all of them are for data, each byte once.
    public var dataAllocatableBytes = ByteCount.zero
    /// What new chunks can hold if all of them are for metadata.
    public var metadataAllocatableBytes = ByteCount.zero
    /// Data and metadata are in the same chunks, which all count as data.
    public var isMixed = false
    /// Devices that are not there.
    public var missingDevices = 0
    /// Of all chunks of data: more than one where a conversion was broken off.
    public private(set) var dataProfiles: Set<BlockGroupProfile> = []
    /// Of all chunks of metadata; empty where data and metadata are in the same ones.
    public private(set) var metadataProfiles: Set<BlockGroupProfile> = []

    /// Of nothing.
    public init() {}

    /// How new chunks of data are made.
    public var dataProfile: BlockGroupProfile { .ofNewGroups(among: dataProfiles) }
    /// How new chunks of metadata are made.
    public var metadataProfile: BlockGroupProfile {
        .ofNewGroups(among: isMixed ? dataProfiles : metadataProfiles)
    }
    /// How many bytes of the devices a byte of data takes, at least.
    public var dataCopies: UInt64 { dataProfile.fewestCopies }
    /// How many a byte of metadata takes, at most.
    public var metadataCopies: UInt64 { metadataProfile.mostCopies }

    /// What data can still take: in chunks that there are, and in new ones. In mixed chunks the
    /// file system keeps a part for itself.
    public var dataRoomBytes: ByteCount {
        let kept = isMixed ? reserveBytes : .zero
        return data.roomBytes(keeping: kept) + dataAllocatableBytes
    }

    /// The same of metadata, without what the file system keeps for itself.
    public var metadataRoomBytes: ByteCount {
        isMixed
            ? dataRoomBytes
            : metadata.roomBytes(keeping: reserveBytes) + metadataAllocatableBytes
    }

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
            dataProfiles.insert(BlockGroupProfile(flags: flags))
            isMixed = isMixed || flags & UInt64(BTRFS_BLOCK_GROUP_METADATA) != 0
        } else if flags & UInt64(BTRFS_BLOCK_GROUP_METADATA) != 0 {
            sum(&metadata)
            metadataProfiles.insert(BlockGroupProfile(flags: flags))
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
    /// The account as of the last commit (BTRFS_IOC_SPACE_INFO, and `devices()`). To see what a
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

    private func addDevices(to info: inout SpaceInfo) throws(BtrfsError) {
        let devices = try devices()
        for device in devices {
            if device.isMissing {
                info.missingDevices += 1
            } else {
                info.deviceBytes += device.totalBytes
                info.unallocatedBytes +=
                    device.totalBytes - min(device.usedBytes, device.totalBytes)
            }
        }
        info.dataAllocatableBytes = AllocatableRoom.bytes(devices, info.dataProfile, .data)
        info.metadataAllocatableBytes = AllocatableRoom.bytes(
            devices, info.metadataProfile, info.isMixed ? .data : .metadata)
    }
}
