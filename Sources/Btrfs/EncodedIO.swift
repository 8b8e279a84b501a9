// SPDX-License-Identifier: GPL-2.0-or-later
internal import CBtrfs
internal import Glibc
public import SystemCalls
internal import SystemPackage

/// Packed data as it stands in an extent.
public struct EncodedExtent: Equatable, Sendable {
    /// Where the requested position lies in the unpacked content.
    public let offsetInContent: ByteCount
    /// How much of the unpacked content the file uses from there on.
    public let lengthBytes: ByteCount
    /// The length of the whole unpacked content.
    public let contentBytes: ByteCount
    /// How it is packed. LZO comes with the sector size it was made for, which we read from the
    /// file system.
    public let compression: Compression
    /// The packed bytes; plain ones when `compression` is none.
    public let bytes: [UInt8]
}

/// Reading and writing packed extents as they are, past the page cache.
public enum EncodedIO {
    /// The longest content of a packed extent (BTRFS_MAX_UNCOMPRESSED in fs/btrfs/compression.h).
    public static let frameContentBytes = ByteCount.kibibytes(128)

    /// Writes one packed extent (BTRFS_IOC_ENCODED_WRITE, kernel 5.18) that unpacks to
    /// `contentBytes`, a whole number of sectors, at a sector-aligned offset of a file of ours.
    ///
    /// `lengthBytes` is what the file shows of it: all, or less than a sector less where the file
    /// then ends. The packed bytes are at most 128 KiB and fewer than the content. The kernel does
    /// not look into them: whoever shares them with an image afterwards makes it compare what they
    /// unpack to.
    public static func write(
        _ packed: UnsafeRawBufferPointer, contentBytes: ByteCount, lengthBytes: ByteCount,
        compression: Compression, to file: borrowing Descriptor, at offset: FileOffset
    ) throws(BtrfsError) {
        // The kernel only reads through it, though iovec has no const.
        var vector = unsafe cbtrfs_vector(
            UnsafeMutableRawPointer(mutating: packed.baseAddress), packed.count)
        let number = file.rawValue
        let written = unsafe withUnsafePointer(to: &vector) { vector in
            var arguments = unsafe btrfs_ioctl_encoded_io_args()
            unsafe arguments.iov = vector
            unsafe arguments.iovcnt = 1
            unsafe arguments.offset = Int64(offset.rawValue)
            unsafe arguments.len = lengthBytes.rawValue
            unsafe arguments.unencoded_len = contentBytes.rawValue
            unsafe arguments.compression = code(compression)
            return unsafe ioctl(number, cbtrfs_ENCODED_WRITE, &arguments)
        }
        guard written >= 0 else {
            throw BtrfsError("ENCODED_WRITE", "the scratch file", Errno(rawValue: errno))
        }
    }

    /// Reads the extent behind a position of a file as it stands on the device
    /// (BTRFS_IOC_ENCODED_READ). nil at the end of the file.
    public static func read(
        from file: borrowing Descriptor, at offset: FileOffset, lengthBytes: ByteCount
    ) throws(BtrfsError) -> EncodedExtent? {
        let capacity = max(lengthBytes, frameContentBytes).count
        let number = file.rawValue
        var arguments = unsafe btrfs_ioctl_encoded_io_args()
        var status = 0
        var reason = Errno(rawValue: 0)
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            var vector = unsafe cbtrfs_vector(buffer.baseAddress, capacity)
            unsafe withUnsafePointer(to: &vector) { vector in
                unsafe arguments.iov = vector
                unsafe arguments.iovcnt = 1
                unsafe arguments.offset = Int64(offset.rawValue)
                unsafe arguments.len = lengthBytes.rawValue
                status = unsafe Int(ioctl(number, cbtrfs_ENCODED_READ, &arguments))
                if status < 0 { reason = Errno(rawValue: errno) }
            }
            count = max(status, 0)
        }
        guard status >= 0 else { throw BtrfsError("ENCODED_READ", "the file", reason) }
        let usedBytes = unsafe arguments.len
        if status == 0 && usedBytes == 0 { return nil }
        guard let compression = unsafe compression(arguments.compression) else {
            throw BtrfsError("ENCODED_READ", "the file, unknown compression", .notSupported)
        }
        return unsafe EncodedExtent(
            offsetInContent: ByteCount(arguments.unencoded_offset),
            lengthBytes: ByteCount(usedBytes),
            contentBytes: ByteCount(arguments.unencoded_len), compression: compression,
            bytes: bytes)
    }

    /// BTRFS_ENCODED_IO_COMPRESSION_*; LZO has one code for each sector size, 4 KiB the first.
    private static func code(_ compression: Compression) -> UInt32 {
        switch compression {
        case .none: 0
        case .zlib: 1
        case .zstd: 2
        case .lzo: 3
        }
    }

    private static func compression(_ code: UInt32) -> Compression? {
        switch code {
        case 0: Compression.none
        case 1: .zlib
        case 2: .zstd
        case 3...7: .lzo
        default: nil
        }
    }
}
