// SPDX-License-Identifier: GPL-2.0-or-later

/// A Btrfs file system's own account.
public struct FileSystemUsage: Codable, Equatable, Sendable {
    /// The pools on it, by name.
    public var pools: [String]
    /// The devices' size.
    public var deviceBytes: UInt64
    /// Of the devices, what no chunk takes.
    public var unallocatedBytes: UInt64
    /// What data chunks hold.
    public var dataTotalBytes: UInt64
    /// Of that, what is used.
    public var dataUsedBytes: UInt64
    /// What metadata chunks hold.
    public var metadataTotalBytes: UInt64
    /// Of that, what is used.
    public var metadataUsedBytes: UInt64
    /// What system chunks hold.
    public var systemTotalBytes: UInt64?
    /// Of that, what is used.
    public var systemUsedBytes: UInt64?
    /// The mount options that matter here: `compress`, `discard`, `nodatacow` and their like.
    public var mountOptions: [String]?

    /// Makes an account.
    public init(
        pools: [String], deviceBytes: UInt64, unallocatedBytes: UInt64, dataTotalBytes: UInt64,
        dataUsedBytes: UInt64, metadataTotalBytes: UInt64, metadataUsedBytes: UInt64,
        systemTotalBytes: UInt64? = nil, systemUsedBytes: UInt64? = nil,
        mountOptions: [String]? = nil
    ) {
        self.pools = pools
        self.deviceBytes = deviceBytes
        self.unallocatedBytes = unallocatedBytes
        self.dataTotalBytes = dataTotalBytes
        self.dataUsedBytes = dataUsedBytes
        self.metadataTotalBytes = metadataTotalBytes
        self.metadataUsedBytes = metadataUsedBytes
        self.systemTotalBytes = systemTotalBytes
        self.systemUsedBytes = systemUsedBytes
        self.mountOptions = mountOptions
    }
}

extension FileSystemUsage {
    /// What data can still take before the file system is full of it.
    public var dataRoomBytes: UInt64 {
        dataTotalBytes.saturatingSubtract(dataUsedBytes).saturatingAdd(unallocatedBytes)
    }

    /// What metadata can still take, if it gets all that no chunk has. The kernel keeps a part of
    /// it for itself (the global reserve, half a gibibyte at most), and metadata is kept twice.
    public var metadataRoomBytes: UInt64 {
        metadataTotalBytes.saturatingSubtract(metadataUsedBytes)
            .saturatingSubtract(min(metadataTotalBytes / 8, 512 << 20))
            .saturatingAdd(unallocatedBytes / 2)
    }

    /// How much data can still be written if metadata goes on to grow with it as it has; nil when
    /// data runs out first, as it should.
    ///
    /// A file system whose metadata is full refuses every write, whatever `df` says is free.
    public var metadataEndsAfterBytes: UInt64? {
        guard dataUsedBytes > 0, metadataUsedBytes > 0 else { return nil }
        let share = Double(metadataUsedBytes) / Double(dataUsedBytes)
        let reach = Double(metadataRoomBytes) / share
        return reach < Double(dataRoomBytes) && reach < Double(UInt64.max / 2)
            ? UInt64(reach) : nil
    }
}

extension UInt64 {
    fileprivate func saturatingSubtract(_ other: UInt64) -> UInt64 {
        other > self ? 0 : self - other
    }

    fileprivate func saturatingAdd(_ other: UInt64) -> UInt64 {
        let sum = addingReportingOverflow(other)
        return sum.overflow ? .max : sum.partialValue
    }
}
