// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine

/// What looking needs, under a governor: each kernel call waits while the job is to hold, and a
/// cancellation ends the job at the next call, as does the end of its time.
struct LookingStore: ContentStore {
    let base: any ContentStore
    let governor: Governor
    /// It looks for what comes to its end although the time is over.
    var isOfBegun = false

    private func checkpoint() throws(BtrfsError) {
        if isOfBegun { try governor.checkpointOfBegun() } else { try governor.checkpoint() }
    }

    var sectorBytes: ByteCount { base.sectorBytes }

    func forEachFileExtent(
        of inode: InodeIdentifier, from start: FileOffset, through end: FileOffset,
        _ body: (FileExtent) throws(BtrfsError) -> Void
    ) throws(BtrfsError) {
        try checkpoint()
        try base.forEachFileExtent(of: inode, from: start, through: end) {
            (extent) throws(BtrfsError) in
            try checkpoint()
            try body(extent)
        }
    }

    func hasChanged(
        _ inode: InodeIdentifier, since generation: Generation
    ) throws(BtrfsError) -> Bool {
        try governor.checkpoint()
        return try base.hasChanged(inode, since: generation)
    }

    func uses(ofExtentAt address: LogicalAddress) throws(BtrfsError) -> ExtentUses {
        try checkpoint()
        return try base.uses(ofExtentAt: address)
    }

    func inode(_ identifier: InodeIdentifier) throws(BtrfsError) -> InodeItem? {
        try checkpoint()
        return try base.inode(identifier)
    }

    func age(ofSubvolume tree: TreeIdentifier) throws(BtrfsError) -> SubvolumeAge? {
        try checkpoint()
        return try base.age(ofSubvolume: tree)
    }

    func generation() throws(BtrfsError) -> Generation { try base.generation() }

    func open(
        _ inode: InodeIdentifier, generation: Generation
    ) throws(BtrfsError) -> any OpenFile {
        try checkpoint()
        return try base.open(inode, generation: generation)
    }

    func read(
        _ file: any OpenFile, at offset: FileOffset, into buffer: UnsafeMutableRawBufferPointer
    ) throws(BtrfsError) -> Int {
        try checkpoint()
        return unsafe try base.read(file, at: offset, into: buffer)
    }

    func readEncoded(
        _ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount
    ) throws(BtrfsError) -> EncodedExtent? {
        try checkpoint()
        return try base.readEncoded(file, at: offset, lengthBytes: lengthBytes)
    }

    /// Waits for nothing: what is read ahead is not needed.
    func prefetch(_ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount) {
        if governor.isCancelled { return }
        let allowed = governor.readAheadBytes(lengthBytes.rawValue)
        guard allowed > 0 else { return }
        base.prefetch(file, at: offset, lengthBytes: ByteCount(allowed))
    }

    func forget(_ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount) {
        base.forget(file, at: offset, lengthBytes: lengthBytes)
    }
}
