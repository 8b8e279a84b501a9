// SPDX-License-Identifier: GPL-2.0-or-later
@testable import Btrfs
import Engine
import SystemCalls
import SystemPackage

/// The engine's verbs on a model, with faults on request.
final class ModelStore: ExtentStore {
    final class File: OpenFile {
        let inode: InodeIdentifier

        init(_ inode: InodeIdentifier) { self.inode = inode }
    }

    final class Scratch: ScratchFile {
        let inode: InodeIdentifier

        init(_ inode: InodeIdentifier) { self.inode = inode }
    }

    /// A call of `share`, as it came.
    struct Request: Equatable, Sendable {
        let source: InodeIdentifier
        let destination: InodeIdentifier
        let destinationOffset: UInt64
        let lengthBytes: UInt64
    }

    /// What a request shall answer instead of doing its work.
    enum ShareFault: Sendable {
        case answer(DedupeOutcome)
        case refuse(Errno)
        /// Only so many bytes of it are done.
        case shorten(UInt64)
    }

    /// What goes wrong; each is told the number of the call, from 1.
    struct Faults: Sendable {
        /// Before each request; may change files as their owners would.
        var onShare: @Sendable (Int, Request, inout ModelState) -> ShareFault? = { _, _, _ in nil }
        /// Before each write to a scratch file.
        var onWrite: @Sendable (Int, inout ModelState) -> Errno? = { _, _ in nil }
        /// At each write to a scratch file: it returns, and the device refuses it afterwards.
        var onLateWrite: @Sendable (Int) -> Errno? = { _ in nil }
        /// So many looks at what was written do not find the last of it, though it is there.
        var lateLooks = 0
        /// Before each read of an image.
        var onRead: @Sendable (Int, InodeIdentifier) -> Errno? = { _, _ in nil }
        /// Before pages of a file are let go of.
        var onForget: @Sendable () -> Void = {}
        /// At every read of an extent as it stands.
        var onReadEncoded: Errno?
        /// Before each look at an extent's uses.
        var onUses: @Sendable (Int, inout ModelState) -> Void = { _, _ in }
        /// More uses than this are too many.
        var usesLimit = 1000
        /// Inodes that no tree search can read.
        var unreadable: Set<InodeIdentifier> = []
    }

    /// What was asked for.
    struct Log: Sendable {
        var requests: [Request] = []
        var writes = 0
        var settlements = 0
        var reads = 0
        var encodedReads = 0
        var readBytes = 0
        /// What was read ahead, by the file, where it was not in the cache.
        var prefetchedBytes: [InodeIdentifier: UInt64] = [:]
        var forgotten: [InodeIdentifier] = []
        var uses = 0
        var synchronizations = 0
    }

    private struct Guarded {
        var state: ModelState
        var log = Log()
        var faults = Faults()
    }

    private let guarded: Monitor<Guarded>
    static let generation = Generation(7)
    let sectorBytes = ByteCount(ModelState.sector)

    init(_ state: ModelState) { guarded = Monitor(Guarded(state: state)) }

    var state: ModelState { guarded.withLock { $0.state } }
    var log: Log { guarded.withLock { $0.log } }
    func change(_ body: (inout ModelState) -> Void) { guarded.withLock { body(&$0.state) } }
    func set(_ faults: Faults) { guarded.withLock { $0.faults = faults } }

    /// An empty nameless file.
    func scratch(_ number: UInt64) -> any ScratchFile {
        change { $0.make(number) { $0.isScratch = true } }
        return Scratch(ModelState.inode(number))
    }

    static let zeroes = ModelState.inode(2_000_000)

    /// A nameless file of one hole.
    func zeroes() -> ZeroFile {
        let length = ExecutionLimits().request
        change {
            $0.make(Self.zeroes.number) { file in
                file.isScratch = true
                file.scratchBytes = length.rawValue
            }
        }
        return ZeroFile(file: File(Self.zeroes), lengthBytes: length)
    }

    // MARK: The catalog

    func forEachFileExtent(
        of inode: InodeIdentifier, from start: FileOffset, through end: FileOffset,
        _ body: (FileExtent) throws(BtrfsError) -> Void
    ) throws(BtrfsError) {
        let (state, unreadable) = guarded.withLock { ($0.state, $0.faults.unreadable) }
        if unreadable.contains(inode) { throw BtrfsError("TREE_SEARCH_V2", "the model", .ioError) }
        for extent in state.fileExtents(of: inode)
        where start <= extent.fileOffset && extent.fileOffset <= end { try body(extent) }
    }

    func uses(ofExtentAt address: LogicalAddress) throws(BtrfsError) -> ExtentUses {
        guarded.withLock { guarded in
            guarded.log.uses += 1
            guarded.faults.onUses(guarded.log.uses, &guarded.state)
            let uses = guarded.state.files.flatMap { inode, file in
                file.items.filter { $0.address == address.rawValue }.map {
                    ExtentUse(inode: inode, fileOffset: FileOffset($0.fileOffset))
                }
            }
            if uses.count > guarded.faults.usesLimit { return .tooMany }
            return .all(
                uses.sorted { ($0.inode, $0.fileOffset) < ($1.inode, $1.fileOffset) })
        }
    }

    func inode(_ identifier: InodeIdentifier) throws(BtrfsError) -> InodeItem? {
        state.files[identifier].map { file in
            InodeItem(
                generation: Self.generation, sizeBytes: ByteCount(file.sizeBytes),
                links: file.links, hasNoChecksums: file.hasNoChecksums,
                isImmutable: file.isImmutable)
        }
    }

    func age(ofSubvolume tree: TreeIdentifier) throws(BtrfsError) -> SubvolumeAge? { state.age }

    // MARK: Images

    private func inode(of file: any OpenFile) -> InodeIdentifier {
        // Only a mistake in a test leads here, and it has to end that test.
        guard let file = file as? File else { preconditionFailure("a file of another store") }
        return file.inode
    }

    func open(_ inode: InodeIdentifier, generation: Generation) throws(BtrfsError) -> any OpenFile {
        guard state.files[inode] != nil, generation == Self.generation else {
            throw BtrfsError("open_by_handle_at", "the model", .staleNFSFileHandle)
        }
        return File(inode)
    }

    func read(
        _ file: any OpenFile, at offset: FileOffset, into buffer: UnsafeMutableRawBufferPointer
    ) throws(BtrfsError) -> Int {
        let inode = inode(of: file)
        let (fault, bytes) = guarded.withLock { guarded -> (Errno?, [UInt8]) in
            guarded.log.reads += 1
            if let fault = guarded.faults.onRead(guarded.log.reads, inode) { return (fault, []) }
            let size = guarded.state.files[inode]?.sizeBytes ?? 0
            let start = min(offset.rawValue, size)
            let end = min(size, start + UInt64(buffer.count))
            guard let bytes = guarded.state.read(inode, start..<end) else { return (.ioError, []) }
            guarded.log.readBytes += bytes.count
            return (nil, bytes)
        }
        if let fault { throw BtrfsError("read", "the model", fault) }
        unsafe buffer.copyBytes(from: bytes)
        return bytes.count
    }

    func readEncoded(
        _ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount
    ) throws(BtrfsError) -> EncodedExtent? {
        let (state, fault) = guarded.withLock { guarded in
            guarded.log.encodedReads += 1
            return (guarded.state, guarded.faults.onReadEncoded)
        }
        if let fault { throw BtrfsError("ENCODED_READ", "the model", fault) }
        guard
            let item = state.files[inode(of: file)]?.items.first(where: {
                $0.fileOffset <= offset.rawValue && offset.rawValue < $0.end
            }), let extent = state.extents[item.address]
        else { return nil }
        if state.device.badSectors[item.address]?.isEmpty == false {
            throw BtrfsError("ENCODED_READ", "the model", .ioError)
        }
        let skipped = offset.rawValue - item.fileOffset
        return EncodedExtent(
            offsetInContent: ByteCount(item.offsetInExtent + skipped),
            lengthBytes: ByteCount(item.length - skipped),
            contentBytes: ByteCount(extent.content.count), compression: extent.compression,
            bytes: extent.content)
    }

    func prefetch(_ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount) {
        let inode = inode(of: file)
        guarded.withLock { guarded in
            let size = guarded.state.files[inode]?.sizeBytes ?? 0
            let end = min(size, offset.rawValue + lengthBytes.rawValue)
            for page in stride(from: offset.rawValue, to: end, by: Int(ModelState.sector)) {
                let isCached = guarded.state.device.pages[inode]?[page] != nil
                if !isCached {
                    guarded.log.prefetchedBytes[inode, default: 0] += ModelState.sector
                }
                _ = guarded.state.page(of: inode, at: page)
            }
        }
    }

    func forget(_ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount) {
        let inode = inode(of: file)
        let range = offset.rawValue..<(offset.rawValue + lengthBytes.rawValue)
        guarded.withLock { $0.faults.onForget }()
        guarded.withLock { guarded in
            guarded.log.forgotten.append(inode)
            guarded.state.device.letGo(of: inode, in: range)
        }
    }

    func cachedBytes(
        _ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount
    ) throws(BtrfsError) -> ByteCount {
        let range = offset.rawValue..<(offset.rawValue + lengthBytes.rawValue)
        let pages = state.device.cachedPages(of: inode(of: file), in: range)
        return ByteCount(UInt64(pages) * ModelState.sector)
    }

    func flush(_ file: any OpenFile) throws(BtrfsError) {
        let inode = inode(of: file)
        if let error = guarded.withLock({ $0.state.device.takeError(of: inode) }) {
            throw BtrfsError("fdatasync", "the model", error)
        }
    }

    func share(
        _ source: any OpenFile, at sourceOffset: FileOffset, lengthBytes: ByteCount,
        with destination: any OpenFile, at destinationOffset: FileOffset
    ) throws(BtrfsError) -> DedupeOutcome {
        let request = Request(
            source: inode(of: source), destination: inode(of: destination),
            destinationOffset: destinationOffset.rawValue, lengthBytes: lengthBytes.rawValue)
        let result = guarded.withLock { guarded -> Result<DedupeOutcome, Errno> in
            guarded.log.requests.append(request)
            let number = guarded.log.requests.count
            let fault = guarded.faults.onShare(number, request, &guarded.state)
            var shorter = lengthBytes.rawValue
            switch fault {
            case .answer(let outcome): return .success(outcome)
            case .refuse(let reason): return .failure(reason)
            case .shorten(let length): shorter = min(shorter, length)
            case nil: break
            }
            return .success(
                guarded.state.share(
                    inode(of: source), sourceOffset.rawValue, inode(of: destination),
                    destinationOffset.rawValue, shorter))
        }
        switch result {
        case .success(let outcome): return outcome
        case .failure(let reason): throw BtrfsError("FIDEDUPERANGE", "the model", reason)
        }
    }

    // MARK: Scratch files

    private func inode(of scratch: any ScratchFile) -> InodeIdentifier {
        // Only a mistake in a test leads here, and it has to end that test.
        guard let scratch = scratch as? Scratch else {
            preconditionFailure("a scratch file of another store")
        }
        return scratch.inode
    }

    func generation() throws(BtrfsError) -> Generation { state.newestGeneration }

    func writePlain(
        _ bytes: UnsafeRawBufferPointer, to scratch: any ScratchFile, at offset: FileOffset
    ) throws(BtrfsError) {
        unsafe try write(Array(bytes), lengthBytes: UInt64(bytes.count), nil, scratch, offset)
    }

    func writePacked(
        _ packed: UnsafeRawBufferPointer, contentBytes: ByteCount, lengthBytes: ByteCount,
        to scratch: any ScratchFile, at offset: FileOffset
    ) throws(BtrfsError) {
        let content = unsafe ModelCodec.unpack(Array(packed))
        guard content.count == contentBytes.count, contentBytes <= .kibibytes(128) else {
            throw BtrfsError("ENCODED_WRITE", "the model", .invalidArgument)
        }
        let disk = ModelState.roundUp(UInt64(packed.count))
        try write(content, lengthBytes: lengthBytes.rawValue, disk, scratch, offset)
    }

    private func write(
        _ content: [UInt8], lengthBytes: UInt64, _ diskBytes: UInt64?,
        _ scratch: any ScratchFile, _ offset: FileOffset
    ) throws(BtrfsError) {
        let inode = inode(of: scratch)
        let fault = guarded.withLock { guarded -> Errno? in
            guarded.log.writes += 1
            let number = guarded.log.writes
            if let fault = guarded.faults.onWrite(number, &guarded.state) { return fault }
            let late = guarded.faults.onLateWrite(number)
            guarded.state.writeScratch(
                content, lengthBytes: lengthBytes, diskBytes, inode, at: offset.rawValue,
                isRefused: late != nil)
            if let late { guarded.state.device.untoldErrors[inode] = late }
            return nil
        }
        if let fault { throw BtrfsError("write", "the model's scratch file", fault) }
    }

    func settle(_ scratch: any ScratchFile) throws(BtrfsError) -> SettledScratch {
        let inode = inode(of: scratch)
        let (error, extents) = guarded.withLock { guarded -> (Errno?, [FileExtent]) in
            guarded.log.settlements += 1
            if let error = guarded.state.device.takeError(of: inode) { return (error, []) }
            guarded.state.device.letGo(of: inode, in: 0..<UInt64.max)
            var extents = guarded.state.fileExtents(of: inode)
            if guarded.faults.lateLooks > 0 {
                guarded.faults.lateLooks -= 1
                extents.removeLast()
            }
            return (nil, extents)
        }
        if let error { throw .refusedWrite("fdatasync", error) }
        return SettledScratch(file: File(inode), extents: extents)
    }

    func clear(_ scratch: any ScratchFile) throws(BtrfsError) {
        change { $0.clear(inode(of: scratch)) }
    }

    func synchronize() throws(BtrfsError) { guarded.withLock { $0.log.synchronizations += 1 } }
}
