// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs
public import SystemCalls

/// What the engine reads of a file system: who refers to what.
public protocol ExtentCatalog: Sendable {
    /// The unit of allocation and of checksums.
    var sectorBytes: ByteCount { get }
    /// The file extents of an inode that start in a range of the file, in order.
    func forEachFileExtent(
        of inode: InodeIdentifier, from start: FileOffset, through end: FileOffset,
        _ body: (FileExtent) throws(BtrfsError) -> Void
    ) throws(BtrfsError)
    /// Every reference to the extent that starts at an address, from anywhere.
    func uses(ofExtentAt address: LogicalAddress) throws(BtrfsError) -> ExtentUses
    /// An inode's item; nil when it is gone.
    func inode(_ identifier: InodeIdentifier) throws(BtrfsError) -> InodeItem?
    /// How old a subvolume's tree is, and its newest snapshot; nil when it is gone, or when this
    /// catalog knows no snapshots.
    func age(ofSubvolume tree: TreeIdentifier) throws(BtrfsError) -> SubvolumeAge?
}

extension ExtentCatalog {
    /// No snapshots are known.
    public func age(ofSubvolume tree: TreeIdentifier) throws(BtrfsError) -> SubvolumeAge? { nil }
}

/// An open file of a store. Only the store that opened it knows what is behind it.
public protocol OpenFile: AnyObject, Sendable {}

/// The files of a real file system.
extension SharedDescriptor: OpenFile {}

/// What the engine does with a file system: it reads files, shares ranges between them, and writes
/// to scratch files of its own. There is no other verb, and none that could write to an image.
public protocol ExtentStore: ExtentCatalog {
    /// Opens a file for reading.
    func open(_ inode: InodeIdentifier, generation: Generation) throws(BtrfsError) -> any OpenFile
    /// Reads until the buffer is full or the file ends; the bytes read.
    func read(
        _ file: any OpenFile, at offset: FileOffset, into buffer: UnsafeMutableRawBufferPointer
    ) throws(BtrfsError) -> Int
    /// The extent behind a position as it stands on the device; nil at the end of the file.
    func readEncoded(
        _ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount
    ) throws(BtrfsError) -> EncodedExtent?
    /// Starts reading a range into the page cache.
    func prefetch(_ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount)
    /// Lets a range go from the page cache.
    func forget(_ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount)
    /// `FIDEDUPERANGE`.
    func share(
        _ source: any OpenFile, at sourceOffset: FileOffset, lengthBytes: ByteCount,
        with destination: any OpenFile, at destinationOffset: FileOffset
    ) throws(BtrfsError) -> DedupeOutcome

    /// Writes plain bytes to a scratch file.
    func writePlain(
        _ bytes: UnsafeRawBufferPointer, to scratch: any OpenFile, at offset: FileOffset
    ) throws(BtrfsError)
    /// Writes a packed extent to a scratch file.
    func writePacked(
        _ packed: UnsafeRawBufferPointer, contentBytes: ByteCount, lengthBytes: ByteCount,
        to scratch: any OpenFile, at offset: FileOffset
    ) throws(BtrfsError)
    /// Empties a scratch file.
    func clear(_ scratch: any OpenFile) throws(BtrfsError)

    /// Commits, so that space that nobody refers to any more comes back.
    func synchronize() throws(BtrfsError)
}
