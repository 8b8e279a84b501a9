// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// A reference to an extent in 16 bytes, as millions of them are sorted: by the extent's address,
/// then by where in the extent it starts. Lengths are in sectors.
///
///     key    address 44 bits, offset in the extent 20
///     value  length 20, size on the device 20 (of a packed extent: 8, and 12 of its content),
///            compression 2, preallocated 1, user 21
struct ReferenceRecord: Equatable {
    /// The most users, `outside` among them.
    static let users = 1 << 21

    var address: UInt64
    var offset: UInt64
    var length: UInt64
    var disk: UInt64
    var content: UInt64
    var compression: Compression
    var isPreallocated: Bool
    /// Whose reference it is.
    var user: Int

    private static let sizeBits: UInt64 = 20
    private static let packedDiskBits: UInt64 = 8
    private static let packedContentBits: UInt64 = 12
    private static let addressBits: UInt64 = 44
    private static let sizeMask: UInt64 = 1 << sizeBits - 1

    init(
        _ reference: FileExtent.Reference, of extent: FileExtent, isPreallocated: Bool, user: Int,
        sector: UInt64
    ) {
        address = reference.address.rawValue / sector
        offset = reference.offsetInExtent.rawValue / sector
        length = extent.lengthBytes.rawValue / sector
        disk = reference.diskBytes.rawValue / sector
        compression = extent.compression
        // What stands there for a plain extent is not always its length, by a fault of old kernels.
        content = compression == .none ? disk : extent.contentBytes.rawValue / sector
        self.isPreallocated = isPreallocated
        self.user = user
    }

    init(_ record: SortRecord) {
        address = record.key >> Self.sizeBits
        offset = record.key & Self.sizeMask
        user = Int(record.value & UInt64(Self.users - 1))
        var rest = record.value >> 21
        isPreallocated = rest & 1 != 0
        compression = Compression(rawValue: UInt8(rest >> 1 & 3)) ?? .none
        rest >>= 3
        let size = rest & Self.sizeMask
        if compression == .none {
            disk = size
            content = size
        } else {
            disk = size >> Self.packedContentBits
            content = size & (1 << Self.packedContentBits - 1)
        }
        length = rest >> Self.sizeBits
    }

    /// nil when a length is beyond what Btrfs makes: extents of 4 GiB, packed ones of 16 MiB of
    /// content.
    var sortRecord: SortRecord? {
        let size: UInt64
        if compression == .none {
            size = disk
        } else {
            guard disk < 1 << Self.packedDiskBits, content < 1 << Self.packedContentBits else {
                return nil
            }
            size = disk << Self.packedContentBits | content
        }
        guard address < 1 << Self.addressBits, offset <= Self.sizeMask, length <= Self.sizeMask,
            size <= Self.sizeMask, user < Self.users
        else { return nil }
        var value = length << Self.sizeBits | size
        value = value << 2 | UInt64(compression.rawValue)
        value = value << 1 | (isPreallocated ? 1 : 0)
        value = value << 21 | UInt64(user)
        return SortRecord(key: address << Self.sizeBits | offset, value: value)
    }
}
