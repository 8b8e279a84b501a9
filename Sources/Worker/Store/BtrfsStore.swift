// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import SystemCalls
internal import SystemPackage

/// A nameless file in a pool, for one lane to write to.
final class BtrfsScratch: ScratchFile {
    let shared: SharedDescriptor
    let inode: InodeIdentifier

    init(_ shared: SharedDescriptor, on fileSystem: FileSystem) throws(BtrfsError) {
        self.shared = shared
        let subject = "the scratch file"
        guard let inode = try fileSystem.inode(of: shared.descriptor, path: subject) else {
            throw BtrfsError("open(O_TMPFILE)", subject, .improperLink)
        }
        self.inode = inode
    }
}

/// A file with extents, to be read and shared from.
protocol StoredFile: OpenFile {
    var shared: SharedDescriptor { get }
    var inode: InodeIdentifier { get }
}

/// A scratch file that has settled.
private final class SettledFile: StoredFile {
    let shared: SharedDescriptor
    let inode: InodeIdentifier

    init(_ scratch: BtrfsScratch) {
        shared = scratch.shared
        inode = scratch.inode
    }
}

/// The engine's verbs on a real Btrfs. Its files are `OpenImage`s, what has settled a
/// `SettledFile`, those that it writes `BtrfsScratch`es, and one that is a hole a
/// `SharedDescriptor`.
struct BtrfsStore: ExtentStore {
    let fileSystem: FileSystem
    let openImages: OpenImages

    init(_ site: Site) {
        fileSystem = site.fileSystem
        openImages = site.openImages
    }

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

    func hasChanged(
        _ inode: InodeIdentifier, since generation: Generation
    ) throws(BtrfsError) -> Bool {
        try fileSystem.hasChangedExtents(inode, since: generation)
    }

    func inode(_ identifier: InodeIdentifier) throws(BtrfsError) -> InodeItem? {
        try fileSystem.inode(identifier)
    }

    func age(ofSubvolume tree: TreeIdentifier) throws(BtrfsError) -> SubvolumeAge? {
        try fileSystem.age(ofSubvolume: tree)
    }

    /// The engine says itself what it will read: what the kernel would read ahead besides is
    /// mostly not wanted, and would have to be let go of before anything is shared from it.
    func open(
        _ inode: InodeIdentifier, generation: Generation
    ) throws(BtrfsError) -> any OpenFile {
        try open(inode, generation: generation, mayBeSent: false)
    }

    /// - Parameter mayBeSent: its subvolume is read-only; of no account where nothing is shared.
    func open(
        _ inode: InodeIdentifier, generation: Generation, mayBeSent: Bool
    ) throws(BtrfsError) -> any OpenFile {
        let image = OpenImage(
            try fileSystem.openInode(inode, generation: generation), inode, mayBeSent: mayBeSent)
        image.shared.descriptor.adviseRandomReads()
        openImages.add(image)
        return image
    }

    func read(
        _ file: any OpenFile, at offset: FileOffset, into buffer: UnsafeMutableRawBufferPointer
    ) throws(BtrfsError) -> Int {
        try whileOpen(file) { (shared) throws(BtrfsError) in
            try named("read", "an image") { () throws(Errno) in
                unsafe try shared.descriptor.read(into: buffer, atOffset: offset.rawValue)
            }
        }
    }

    func readEncoded(
        _ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount
    ) throws(BtrfsError) -> EncodedExtent? {
        try whileOpen(file) { (shared) throws(BtrfsError) in
            try EncodedIO.read(from: shared.descriptor, at: offset, lengthBytes: lengthBytes)
        }
    }

    func prefetch(_ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount) {
        advise(file, .willNeed, at: offset, lengthBytes)
    }

    func forget(_ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount) {
        advise(file, .doNotNeed, at: offset, lengthBytes)
    }

    private func advise(
        _ file: any OpenFile, _ advice: CacheAdvice, at offset: FileOffset, _ lengthBytes: ByteCount
    ) {
        try? shared(file).descriptor.advise(
            advice, offset: offset.rawValue, lengthBytes: lengthBytes.rawValue)
    }

    func cachedBytes(
        _ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount
    ) throws(BtrfsError) -> ByteCount {
        try whileOpen(file) { (shared) throws(BtrfsError) in
            try named("cachestat", "an image") { () throws(Errno) in
                ByteCount(
                    try shared.descriptor.cachedBytes(
                        offset: offset.rawValue, lengthBytes: lengthBytes.rawValue))
            }
        }
    }

    func flush(_ file: any OpenFile) throws(BtrfsError) {
        try whileOpen(file) { (shared) throws(BtrfsError) in
            try named("fdatasync", "an image") { () throws(Errno) in
                try shared.descriptor.synchronizeData()
            }
        }
    }

    func share(
        _ source: any OpenFile, at sourceOffset: FileOffset, lengthBytes: ByteCount,
        with destination: any OpenFile, at destinationOffset: FileOffset
    ) throws(BtrfsError) -> DedupeOutcome {
        try whileOpen(source) { (from) throws(BtrfsError) in
            try whileOpen(destination) { (to) throws(BtrfsError) in
                let outcome = try DedupeRange.share(
                    from.descriptor, at: sourceOffset, lengthBytes: lengthBytes,
                    with: to.descriptor, at: destinationOffset)
                // Of the destination the kernel tells in its answer.
                if case .failed = outcome, (destination as? OpenImage)?.isLetGo == true {
                    return .failed(OpenImage.gone.reason)
                }
                return outcome
            }
        }
    }

    func generation() throws(BtrfsError) -> Generation { try fileSystem.generation() }

    func writePlain(
        _ bytes: UnsafeRawBufferPointer, to scratch: any ScratchFile, at offset: FileOffset
    ) throws(BtrfsError) {
        let own = try own(scratch)
        try named("write", "the scratch file") { () throws(Errno) in
            unsafe try own.shared.descriptor.write(bytes, atOffset: offset.rawValue)
        }
    }

    func writePacked(
        _ packed: UnsafeRawBufferPointer, contentBytes: ByteCount, lengthBytes: ByteCount,
        to scratch: any ScratchFile, at offset: FileOffset
    ) throws(BtrfsError) {
        unsafe try EncodedIO.write(
            packed, contentBytes: contentBytes, lengthBytes: lengthBytes, compression: .zstd,
            to: own(scratch).shared.descriptor, at: offset)
    }

    /// A file without a name writes no log: `fdatasync(2)` waits for its own data and no more.
    func settle(_ scratch: any ScratchFile) throws(BtrfsError) -> SettledScratch {
        let scratch = try own(scratch)
        do throws(Errno) {
            try scratch.shared.descriptor.synchronizeData()
        } catch {
            throw .refusedWrite("fdatasync", error)
        }
        try letGo(of: scratch)
        var extents: [FileExtent] = []
        try forEachFileExtent(of: scratch.inode, from: .start, through: FileOffset(.max)) {
            (extent) throws(BtrfsError) in extents.append(extent)
        }
        return SettledScratch(file: SettledFile(scratch), extents: extents)
    }

    /// All its pages are clean, and nobody else's.
    private func letGo(of scratch: BtrfsScratch) throws(BtrfsError) {
        try named("posix_fadvise", "the scratch file") { () throws(Errno) in
            let length = try scratch.shared.descriptor.status().sizeBytes
            let isGone = try scratch.shared.descriptor.letGoOfPages(offset: 0, lengthBytes: length)
            if !isGone { throw Errno.resourceBusy }
        }
    }

    func clear(_ scratch: any ScratchFile) throws(BtrfsError) {
        let own = try own(scratch)
        try named("ftruncate", "the scratch file") { () throws(Errno) in
            try own.shared.descriptor.truncate(toBytes: 0)
        }
    }

    func synchronize() throws(BtrfsError) { try fileSystem.synchronize() }

    /// The engine hands back what it was given, and a worker has stores of this kind alone: any
    /// other file is a mistake in the code, with which nothing is written, and no reference moved.
    private func own(_ scratch: any ScratchFile) throws(BtrfsError) -> BtrfsScratch {
        guard let own = scratch as? BtrfsScratch else { throw Self.stranger }
        return own
    }

    private func shared(_ file: any OpenFile) throws(BtrfsError) -> SharedDescriptor {
        guard let shared = (file as? any StoredFile)?.shared ?? file as? SharedDescriptor else {
            throw Self.stranger
        }
        return shared
    }

    private static let stranger = BtrfsError("use", "a file of another store", .badFileDescriptor)

    /// Asks an image something.
    /// - Throws: ESTALE where it was let go of, before or meanwhile.
    private func whileOpen<Result>(
        _ file: any OpenFile, _ body: (SharedDescriptor) throws(BtrfsError) -> Result
    ) throws(BtrfsError) -> Result {
        let shared = try shared(file)
        guard let image = file as? OpenImage else { return try body(shared) }
        if image.isLetGo { throw OpenImage.gone }
        do throws(BtrfsError) {
            return try body(shared)
        } catch {
            throw image.isLetGo ? OpenImage.gone : error
        }
    }

    func named<Result>(
        _ call: String, _ subject: String, _ body: () throws(Errno) -> Result
    ) throws(BtrfsError) -> Result {
        do throws(Errno) {
            return try body()
        } catch {
            throw BtrfsError(call, subject, error)
        }
    }
}
