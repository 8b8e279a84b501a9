// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import SystemCalls
internal import SystemPackage

/// The engine's verbs under a governor, for the time in which a job moves references: each kernel
/// call waits while the job is to hold, and is smaller while others need the disk.
///
/// When the time is over nothing changes here: who begins batches begins no more of them. After a
/// cancellation only what would begin something new fails: what takes back must work then
/// more than ever.
struct MovingStore: ExtentStore {
    let base: BtrfsStore
    let governor: Governor
    /// Shares into what may be sent; nil where there is none, and the lanes do it themselves.
    let foreground: ForegroundThread?
    /// Sees that what is shared into stays what it is; nil where nobody looks.
    let watch: StampWatch?

    /// Content is read for what would be new: that ends as it does while one looks.
    private var looking: LookingStore {
        LookingStore(base: base, governor: governor, isOfBegun: true)
    }

    var sectorBytes: ByteCount { base.sectorBytes }

    func forEachFileExtent(
        of inode: InodeIdentifier, from start: FileOffset, through end: FileOffset,
        _ body: (FileExtent) throws(BtrfsError) -> Void
    ) throws(BtrfsError) {
        governor.hold()
        try base.forEachFileExtent(of: inode, from: start, through: end, body)
    }

    func uses(ofExtentAt address: LogicalAddress) throws(BtrfsError) -> ExtentUses {
        governor.hold()
        return try base.uses(ofExtentAt: address)
    }

    func hasChanged(
        _ inode: InodeIdentifier, since generation: Generation
    ) throws(BtrfsError) -> Bool {
        governor.hold()
        return try base.hasChanged(inode, since: generation)
    }

    func inode(_ identifier: InodeIdentifier) throws(BtrfsError) -> InodeItem? {
        governor.hold()
        return try base.inode(identifier)
    }

    func age(ofSubvolume tree: TreeIdentifier) throws(BtrfsError) -> SubvolumeAge? {
        governor.hold()
        return try base.age(ofSubvolume: tree)
    }

    func open(
        _ inode: InodeIdentifier, generation: Generation
    ) throws(BtrfsError) -> any OpenFile {
        governor.hold()
        let mayBeSent = try base.fileSystem.isReadOnly(subvolume: inode.subvolume)
        return try base.open(inode, generation: generation, mayBeSent: mayBeSent)
    }

    func read(
        _ file: any OpenFile, at offset: FileOffset, into buffer: UnsafeMutableRawBufferPointer
    ) throws(BtrfsError) -> Int {
        unsafe try looking.read(file, at: offset, into: buffer)
    }

    func readEncoded(
        _ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount
    ) throws(BtrfsError) -> EncodedExtent? {
        try looking.readEncoded(file, at: offset, lengthBytes: lengthBytes)
    }

    func prefetch(_ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount) {
        looking.prefetch(file, at: offset, lengthBytes: lengthBytes)
    }

    func forget(_ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount) {
        looking.forget(file, at: offset, lengthBytes: lengthBytes)
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
        var refusals = 0
        let mayBeSent = (destination as? OpenImage)?.mayBeSent == true
        var steps: ShareSteps?
        while done < lengthBytes {
            governor.hold()
            var length = lengthBytes - done
            if mayBeSent || governor.isHindered {
                let known = steps ?? base.steps(source, at: sourceOffset, lengthBytes: lengthBytes)
                steps = known
                length = known.lengthBytes(at: sourceOffset + done, atMost: length)
            }
            let request = ShareRequest(
                source: source, sourceOffset: sourceOffset + done, lengthBytes: length,
                destination: destination, destinationOffset: destinationOffset + done)
            if !mayBeSent, governor.isHindered, length > ShareSteps.wantedBytes { warm(request) }
            let stamps = watch?.stamps(destination)
            defer { watch?.compare(stamps, destination) }
            let outcome: DedupeOutcome
            do throws(BtrfsError) {
                outcome = try mayBeSent ? shareWhatMayBeSent(request) : request.make(base)
            } catch {
                // What was done counts; whoever goes on from there meets the error again.
                if done > .zero { return .shared(done) }
                throw error
            }
            if outcome == .failed(.resourceTemporarilyUnavailable) {
                // Somebody has begun to send. If it is over as one looks, it is asked once more.
                refusals += 1
                if governor.waitForOthers() { refusals = 0 }
                if refusals < 2, !governor.isCancelled { continue }
            }
            guard case .shared(let count) = outcome, count > .zero else {
                return done > .zero ? .shared(done) : outcome
            }
            done += count
            if count < request.lengthBytes { break }
        }
        return .shared(done)
    }

    /// Whoever sends finds nothing that is just being shared into: a request that was begun waits
    /// for no disk and hardly for the CPU, and is over before the program that was started asks the
    /// kernel to send.
    private func shareWhatMayBeSent(
        _ request: ShareRequest
    ) throws(BtrfsError) -> DedupeOutcome {
        warm(request)
        let make = { @Sendable [base, governor] in
            governor.holdForStarts()
            return Result { () throws(BtrfsError) in try request.make(base) }
        }
        let result = foreground.map { $0.run(make) } ?? make()
        return try result.get()
    }

    /// Reads what a request will compare, in small steps that others have their turns between.
    private func warm(_ request: ShareRequest) {
        warm(request.source, at: request.sourceOffset, lengthBytes: request.lengthBytes)
        warm(request.destination, at: request.destinationOffset, lengthBytes: request.lengthBytes)
    }

    /// Whatever cannot be read the request meets itself.
    private func warm(_ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount) {
        prefetch(file, at: offset, lengthBytes: lengthBytes)
        let length = Int(lengthBytes.rawValue)
        // Of the stack, for the time of the call; nobody looks at what is read into it.
        unsafe withUnsafeTemporaryAllocation(byteCount: 64 << 10, alignment: 16) { buffer in
            var done = 0
            while done < length,
                let count = unsafe try? read(
                    file, at: offset + ByteCount(UInt64(done)),
                    into: .init(rebasing: buffer[..<min(buffer.count, length - done)])),
                count > 0
            { done += count }
        }
    }

    func generation() throws(BtrfsError) -> Generation { try base.generation() }

    func writePlain(
        _ bytes: UnsafeRawBufferPointer, to scratch: any ScratchFile, at offset: FileOffset
    ) throws(BtrfsError) {
        try governor.checkpointOfBegun()
        unsafe try base.writePlain(bytes, to: scratch, at: offset)
    }

    func writePacked(
        _ packed: UnsafeRawBufferPointer, contentBytes: ByteCount, lengthBytes: ByteCount,
        to scratch: any ScratchFile, at offset: FileOffset
    ) throws(BtrfsError) {
        try governor.checkpointOfBegun()
        unsafe try base.writePacked(
            packed, contentBytes: contentBytes, lengthBytes: lengthBytes, to: scratch, at: offset)
    }

    func settle(_ scratch: any ScratchFile) throws(BtrfsError) -> SettledScratch {
        try governor.checkpointOfBegun()
        return try base.settle(scratch)
    }

    func clear(_ scratch: any ScratchFile) throws(BtrfsError) { try base.clear(scratch) }

    /// While a transaction is committed a request that shares waits in the kernel for the next one,
    /// and whoever begins to send then is refused: there is none of ours beside a commit of ours.
    func synchronize() throws(BtrfsError) {
        governor.hold()
        guard let foreground else { return try base.synchronize() }
        try foreground.run { [base] in
            Result { () throws(BtrfsError) in try base.synchronize() }
        }.get()
    }
}

/// One call to the kernel.
private struct ShareRequest: Sendable {
    let source: any OpenFile
    let sourceOffset: FileOffset
    let lengthBytes: ByteCount
    let destination: any OpenFile
    let destinationOffset: FileOffset

    func make(_ store: BtrfsStore) throws(BtrfsError) -> DedupeOutcome {
        try store.share(
            source, at: sourceOffset, lengthBytes: lengthBytes, with: destination,
            at: destinationOffset)
    }
}
