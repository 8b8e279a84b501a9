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
    /// Whether an item of an inode's extents may have come or changed in this transaction or later.
    /// What has only gone need not show.
    func hasChanged(
        _ inode: InodeIdentifier, since generation: Generation
    ) throws(BtrfsError) -> Bool
    /// Every reference to the extent that starts at an address, from anywhere.
    func uses(ofExtentAt address: LogicalAddress) throws(BtrfsError) -> ExtentUses
    /// An inode's item; nil when it is gone.
    func inode(_ identifier: InodeIdentifier) throws(BtrfsError) -> InodeItem?
    /// How old a subvolume's tree is, and its newest snapshot; nil when it is gone, or when this
    /// catalog knows no snapshots.
    func age(ofSubvolume tree: TreeIdentifier) throws(BtrfsError) -> SubvolumeAge?
    /// The generation that what is written from now on has at least.
    func generation() throws(BtrfsError) -> Generation
}

extension ExtentCatalog {
    /// Nobody can say: it may.
    public func hasChanged(
        _ inode: InodeIdentifier, since generation: Generation
    ) throws(BtrfsError) -> Bool { true }
    /// No snapshots are known.
    public func age(ofSubvolume tree: TreeIdentifier) throws(BtrfsError) -> SubvolumeAge? { nil }
}

/// An open file of a store, to be read and shared. Only the store that opened it knows what is
/// behind it.
public protocol OpenFile: AnyObject, Sendable {}

/// The files of a real file system.
extension SharedDescriptor: OpenFile {}

/// A nameless file of our own, to be written. It is no `OpenFile`: nothing is shared from it before
/// it has settled, and nothing that writes takes an image.
public protocol ScratchFile: AnyObject, Sendable {}

/// What stands in a scratch file on the device, as far as its tree says.
public struct SettledScratch: Sendable {
    /// The file, to share from. Its pages were let go: whoever reads it asks the device.
    public let file: any OpenFile
    /// Its extents, in order.
    public let extents: [FileExtent]

    /// Makes one.
    public init(file: any OpenFile, extents: [FileExtent]) {
        self.file = file
        self.extents = extents
    }
}

/// A file that is one hole, to make holes of others.
public struct ZeroFile: Sendable {
    /// The file: nothing was ever written to it.
    public let file: any OpenFile
    /// Its length: as long as the longest request, in whole sectors.
    public let lengthBytes: ByteCount

    /// Makes one.
    public init(file: any OpenFile, lengthBytes: ByteCount) {
        self.file = file
        self.lengthBytes = lengthBytes
    }
}

/// What looking needs: who refers to what, and what stands there. It has no verb that would change
/// anything, so that whoever takes no more than this can move nothing.
public protocol ContentStore: ExtentCatalog {
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
    /// Lets a range go from the page cache, as far as it goes: pages that are dirty, under
    /// writeback or mapped stay.
    func forget(_ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount)
}

/// What the engine does with a file system when it moves references: it reads files, shares ranges
/// between them, and writes to scratch files of its own. There is no other verb, and none that
/// could write to an image.
public protocol ExtentStore: ContentStore {
    /// How much of a range is in the page cache.
    func cachedBytes(
        _ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount
    ) throws(BtrfsError) -> ByteCount
    /// Waits until what others have written to a file is on the device (`fdatasync(2)`).
    /// - Throws: also what has failed before and nobody has been told.
    func flush(_ file: any OpenFile) throws(BtrfsError)
    /// `FIDEDUPERANGE`.
    func share(
        _ source: any OpenFile, at sourceOffset: FileOffset, lengthBytes: ByteCount,
        with destination: any OpenFile, at destinationOffset: FileOffset
    ) throws(BtrfsError) -> DedupeOutcome

    /// Writes plain bytes to a scratch file. That it returns does not say that the device has them.
    func writePlain(
        _ bytes: UnsafeRawBufferPointer, to scratch: any ScratchFile, at offset: FileOffset
    ) throws(BtrfsError)
    /// Writes a packed extent to a scratch file. That it returns does not say that the device has
    /// it.
    func writePacked(
        _ packed: UnsafeRawBufferPointer, contentBytes: ByteCount, lengthBytes: ByteCount,
        to scratch: any ScratchFile, at offset: FileOffset
    ) throws(BtrfsError)
    /// Waits until all that was written to a scratch file is on the device, asks for the error of
    /// any of it, lets its pages go, and reads its extents back from the tree.
    /// - Throws: what was refused. Asked a second time the kernel says nothing of it: whoever meets
    ///   an error clears the file.
    func settle(_ scratch: any ScratchFile) throws(BtrfsError) -> SettledScratch
    /// Empties a scratch file.
    func clear(_ scratch: any ScratchFile) throws(BtrfsError)

    /// Commits, so that space that nobody refers to any more comes back.
    func synchronize() throws(BtrfsError)
}
