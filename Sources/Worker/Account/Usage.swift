// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Protocol

extension FileSystemUsage {
    /// The account of a site, as of now.
    init(_ site: Site) throws(BtrfsError) { self.init(site, try site.fileSystem.spaceInfo()) }

    /// The same of what the file system has said.
    init(_ site: Site, _ info: SpaceInfo) {
        self.init(
            pools: site.pools.map(\.pool.name), deviceBytes: info.deviceBytes.rawValue,
            unallocatedBytes: info.unallocatedBytes.rawValue,
            dataTotalBytes: info.data.totalBytes.rawValue,
            dataUsedBytes: info.data.usedBytes.rawValue,
            metadataTotalBytes: info.metadata.totalBytes.rawValue,
            metadataUsedBytes: info.metadata.usedBytes.rawValue,
            systemTotalBytes: info.system.totalBytes.rawValue,
            systemUsedBytes: info.system.usedBytes.rawValue,
            mountOptions: site.pools.first.flatMap(MountOptions.ofPool),
            dataRoomBytes: info.dataRoomBytes.rawValue,
            metadataRoomBytes: info.metadataRoomBytes.rawValue,
            dataCopies: info.dataCopies, metadataCopies: info.metadataCopies,
            isMixed: info.isMixed)
    }
}
