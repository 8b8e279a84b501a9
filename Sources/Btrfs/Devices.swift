// SPDX-License-Identifier: GPL-2.0-or-later
internal import CBtrfs
internal import Glibc
internal import SystemCalls
internal import SystemPackage

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
                throw BtrfsError("DEV_INFO", "device \(identifier)", reason)
            }
            let total = ByteCount(info.total_bytes)
            // The kernel has no path of a device that it has not found; but it may know that of one
            // which was unplugged before the file system was mounted.
            let hasNoPath = unsafe withUnsafeBytes(of: &info.path) { unsafe $0.first == 0 }
            let isMissing = hasNoPath || saysMissing(identifier)
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

    /// `devinfo/ID/missing` in `/sys/fs/btrfs`.
    private func saysMissing(_ identifier: UInt64) -> Bool {
        let path = FilePath("/sys/fs/btrfs/\(identity.text)/devinfo/\(identifier)/missing")
        guard let file = try? Descriptor.open(path, .readOnly) else { return false }
        return (try? file.read(maximumBytes: 1)) == [UInt8(ascii: "1")]
    }

    /// The numbers of the file system's devices: 1 and up, with gaps where one was removed, and 0
    /// while one is being replaced.
    func deviceIdentifiers() throws(BtrfsError) -> [UInt64] {
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

extension FileSystem.Identity {
    /// As commands and `/sys` have it: `01234567-89ab-...`.
    public var text: String {
        let digits = Array("0123456789abcdef")
        var text = ""
        for (index, byte) in bytes.enumerated() {
            if [4, 6, 8, 10].contains(index) { text += "-" }
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return text
    }
}
