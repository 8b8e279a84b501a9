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
    /// What data can still take, with all the chunks that its profile can get of these devices; nil
    /// from a worker that does not say.
    public var dataRoom: UInt64?
    /// The same of metadata, if it gets all of them, without what the kernel keeps for itself.
    public var metadataRoom: UInt64?
    /// How many bytes of the devices a byte of data takes.
    public var dataCopies: UInt64?
    /// How many a byte of metadata takes.
    public var metadataCopies: UInt64?
    /// Data and metadata are in the same chunks, which count as data.
    public var isMixed: Bool?

    private enum CodingKeys: String, CodingKey {
        case pools, deviceBytes, unallocatedBytes, dataTotalBytes, dataUsedBytes
        case metadataTotalBytes, metadataUsedBytes, systemTotalBytes, systemUsedBytes
        case mountOptions, dataCopies, metadataCopies, isMixed
        case dataRoom = "dataRoomBytes"
        case metadataRoom = "metadataRoomBytes"
    }

    /// Makes an account.
    public init(
        pools: [String], deviceBytes: UInt64, unallocatedBytes: UInt64, dataTotalBytes: UInt64,
        dataUsedBytes: UInt64, metadataTotalBytes: UInt64, metadataUsedBytes: UInt64,
        systemTotalBytes: UInt64? = nil, systemUsedBytes: UInt64? = nil,
        mountOptions: [String]? = nil, dataRoomBytes: UInt64? = nil,
        metadataRoomBytes: UInt64? = nil, dataCopies: UInt64? = nil, metadataCopies: UInt64? = nil,
        isMixed: Bool? = nil
    ) {
        dataRoom = dataRoomBytes
        metadataRoom = metadataRoomBytes
        self.dataCopies = dataCopies
        self.metadataCopies = metadataCopies
        self.isMixed = isMixed
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
    /// What data can still take before the file system is full of it. Of a worker that does not say
    /// as if nothing were kept twice.
    public var dataRoomBytes: UInt64 {
        dataRoom
            ?? dataTotalBytes.saturatingSubtract(dataUsedBytes).saturatingAdd(unallocatedBytes)
    }

    /// What metadata can still take, if it gets all that no chunk has. Of a worker that does not
    /// say without the most that the kernel keeps for itself (half a gibibyte), and as if it were
    /// kept twice.
    public var metadataRoomBytes: UInt64 {
        metadataRoom
            ?? metadataTotalBytes.saturatingSubtract(metadataUsedBytes)
            .saturatingSubtract(min(metadataTotalBytes / 8, 512 << 20))
            .saturatingAdd(unallocatedBytes / 2)
    }

    /// What a byte of metadata weighs against one of data on the devices.
    public var metadataWeight: Double {
        Double(max(metadataCopies ?? 1, 1)) / Double(max(dataCopies ?? 1, 1))
    }

    /// How much data can still be written if metadata goes on to grow with it as it has; nil when
    /// data runs out first, as it should.
    ///
    /// A file system whose metadata is full refuses every write, whatever `df` says is free.
    public var metadataEndsAfterBytes: UInt64? {
        guard dataUsedBytes > 0, metadataUsedBytes > 0, isMixed != true else { return nil }
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
