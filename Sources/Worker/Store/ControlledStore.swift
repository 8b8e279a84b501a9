// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import SystemCalls

/// The engine's verbs under a governor: each kernel call waits while the job is to hold, and is
/// smaller while others need the disk.
///
/// While a job only looks, a cancellation ends it at the next call. While it moves references, only
/// what would begin something new fails: what takes back must work then more than ever.
struct ControlledStore: ExtentStore {
    let base: BtrfsStore
    let governor: Governor
    /// The job moves references.
    let isExecuting: Bool

    var sectorBytes: ByteCount { base.sectorBytes }

    func forEachFileExtent(
        of inode: InodeIdentifier, from start: FileOffset, through end: FileOffset,
        _ body: (FileExtent) throws(BtrfsError) -> Void
    ) throws(BtrfsError) {
        try ask()
        try base.forEachFileExtent(of: inode, from: start, through: end) {
            (extent) throws(BtrfsError) in
            if !isExecuting { try governor.checkpoint() }
            try body(extent)
        }
    }

    func uses(ofExtentAt address: LogicalAddress) throws(BtrfsError) -> ExtentUses {
        try ask()
        return try base.uses(ofExtentAt: address)
    }

    func inode(_ identifier: InodeIdentifier) throws(BtrfsError) -> InodeItem? {
        try ask()
        return try base.inode(identifier)
    }

    func age(ofSubvolume tree: TreeIdentifier) throws(BtrfsError) -> SubvolumeAge? {
        try ask()
        return try base.age(ofSubvolume: tree)
    }

    func open(
        _ inode: InodeIdentifier, generation: Generation
    ) throws(BtrfsError) -> any OpenFile {
        try ask()
        return try base.open(inode, generation: generation)
    }

    func read(
        _ file: any OpenFile, at offset: FileOffset, into buffer: UnsafeMutableRawBufferPointer
    ) throws(BtrfsError) -> Int {
        try governor.checkpoint()
        return unsafe try base.read(file, at: offset, into: buffer)
    }

    func readEncoded(
        _ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount
    ) throws(BtrfsError) -> EncodedExtent? {
        try governor.checkpoint()
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

    func cachedBytes(
        _ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount
    ) throws(BtrfsError) -> ByteCount {
        try base.cachedBytes(file, at: offset, lengthBytes: lengthBytes)
    }

    func flush(_ file: any OpenFile) throws(BtrfsError) {
        governor.hold()
        try base.flush(file)
    }

    func share(
        _ source: any OpenFile, at sourceOffset: FileOffset, lengthBytes: ByteCount,
        with destination: any OpenFile, at destinationOffset: FileOffset
    ) throws(BtrfsError) -> DedupeOutcome {
        var done = ByteCount.zero
        while done < lengthBytes {
            governor.hold()
            let left = lengthBytes - done
            let step = governor.isHindered ? min(left, Governor.hinderedRequest) : left
            let outcome: DedupeOutcome
            do throws(BtrfsError) {
                outcome = try base.share(
                    source, at: sourceOffset + done, lengthBytes: step, with: destination,
                    at: destinationOffset + done)
            } catch {
                // What was done counts; whoever goes on from there meets the error again.
                if done > .zero { return .shared(done) }
                throw error
            }
            guard case .shared(let count) = outcome, count > .zero else {
                return done > .zero ? .shared(done) : outcome
            }
            done += count
            if count < step { break }
        }
        return .shared(done)
    }

    func generation() throws(BtrfsError) -> Generation { try base.generation() }

    func writePlain(
        _ bytes: UnsafeRawBufferPointer, to scratch: any ScratchFile, at offset: FileOffset
    ) throws(BtrfsError) {
        try governor.checkpoint()
        unsafe try base.writePlain(bytes, to: scratch, at: offset)
    }

    func writePacked(
        _ packed: UnsafeRawBufferPointer, contentBytes: ByteCount, lengthBytes: ByteCount,
        to scratch: any ScratchFile, at offset: FileOffset
    ) throws(BtrfsError) {
        try governor.checkpoint()
        unsafe try base.writePacked(
            packed, contentBytes: contentBytes, lengthBytes: lengthBytes, to: scratch, at: offset)
    }

    func settle(_ scratch: any ScratchFile) throws(BtrfsError) -> SettledScratch {
        try governor.checkpoint()
        return try base.settle(scratch)
    }

    func clear(_ scratch: any ScratchFile) throws(BtrfsError) { try base.clear(scratch) }

    func synchronize() throws(BtrfsError) {
        governor.hold()
        try base.synchronize()
    }

    private func ask() throws(BtrfsError) {
        if isExecuting { governor.hold() } else { try governor.checkpoint() }
    }
}
