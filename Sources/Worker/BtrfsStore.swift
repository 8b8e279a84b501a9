// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import SystemCalls
internal import SystemPackage

/// The engine's verbs on a real Btrfs. Its files are `SharedDescriptor`s.
struct BtrfsStore: ExtentStore {
    let fileSystem: FileSystem

    var sectorBytes: ByteCount { fileSystem.sectorBytes }

    func forEachFileExtent(
        of inode: InodeIdentifier, from start: FileOffset, through end: FileOffset,
        _ body: (FileExtent) throws(BtrfsError) -> Void
    ) throws(BtrfsError) {
        try fileSystem.forEachFileExtent(of: inode, from: start, through: end, body)
    }

    func uses(ofExtentAt address: LogicalAddress) throws(BtrfsError) -> ExtentUses {
        try fileSystem.uses(ofExtentAt: address)
    }

    func inode(_ identifier: InodeIdentifier) throws(BtrfsError) -> InodeItem? {
        try fileSystem.inode(identifier)
    }

    func age(ofSubvolume tree: TreeIdentifier) throws(BtrfsError) -> SubvolumeAge? {
        try fileSystem.age(ofSubvolume: tree)
    }

    func open(
        _ inode: InodeIdentifier, generation: Generation
    ) throws(BtrfsError) -> any OpenFile {
        SharedDescriptor(try fileSystem.openInode(inode, generation: generation))
    }

    func read(
        _ file: any OpenFile, at offset: FileOffset, into buffer: UnsafeMutableRawBufferPointer
    ) throws(BtrfsError) -> Int {
        try named("read", "an image") { () throws(Errno) in
            unsafe try shared(file).descriptor.read(into: buffer, atOffset: offset.rawValue)
        }
    }

    func readEncoded(
        _ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount
    ) throws(BtrfsError) -> EncodedExtent? {
        try EncodedIO.read(from: shared(file).descriptor, at: offset, lengthBytes: lengthBytes)
    }

    func prefetch(_ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount) {
        shared(file).descriptor.advise(
            .willNeed, offset: offset.rawValue, lengthBytes: lengthBytes.rawValue)
    }

    func forget(_ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount) {
        shared(file).descriptor.advise(
            .doNotNeed, offset: offset.rawValue, lengthBytes: lengthBytes.rawValue)
    }

    func share(
        _ source: any OpenFile, at sourceOffset: FileOffset, lengthBytes: ByteCount,
        with destination: any OpenFile, at destinationOffset: FileOffset
    ) throws(BtrfsError) -> DedupeOutcome {
        try DedupeRange.share(
            shared(source).descriptor, at: sourceOffset, lengthBytes: lengthBytes,
            with: shared(destination).descriptor, at: destinationOffset)
    }

    func writePlain(
        _ bytes: UnsafeRawBufferPointer, to scratch: any OpenFile, at offset: FileOffset
    ) throws(BtrfsError) {
        try named("write", "the scratch file") { () throws(Errno) in
            unsafe try shared(scratch).descriptor.write(bytes, atOffset: offset.rawValue)
        }
    }

    func writePacked(
        _ packed: UnsafeRawBufferPointer, contentBytes: ByteCount, lengthBytes: ByteCount,
        to scratch: any OpenFile, at offset: FileOffset
    ) throws(BtrfsError) {
        unsafe try EncodedIO.write(
            packed, contentBytes: contentBytes, lengthBytes: lengthBytes, compression: .zstd,
            to: shared(scratch).descriptor, at: offset)
    }

    func clear(_ scratch: any OpenFile) throws(BtrfsError) {
        try named("ftruncate", "the scratch file") { () throws(Errno) in
            try shared(scratch).descriptor.truncate(toBytes: 0)
        }
    }

    func synchronize() throws(BtrfsError) { try fileSystem.synchronize() }

    private func shared(_ file: any OpenFile) -> SharedDescriptor {
        guard let shared = file as? SharedDescriptor else {
            preconditionFailure("a file of another store")
        }
        return shared
    }

    private func named<Result>(
        _ call: String, _ subject: String, _ body: () throws(Errno) -> Result
    ) throws(BtrfsError) -> Result {
        do throws(Errno) {
            return try body()
        } catch {
            throw BtrfsError(call, subject, error)
        }
    }
}
