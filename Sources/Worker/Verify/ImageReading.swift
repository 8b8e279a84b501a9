// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import SystemCalls
internal import SystemPackage

/// Reads one image from its first byte to its last, from the disk.
struct ImageReading {
    /// What came of it.
    enum Outcome {
        case read(digest: [UInt8], stamps: ImageStamps, identity: ImageIdentity)
        /// Somebody else has pages of it, or has written to it meanwhile, or it is gone.
        case inUse
        case unreadable(Engine.UnreadablePlace)
    }

    /// Whoever may resize a volume may give it any size, and to hash the hole that it is then would
    /// take for ever: larger ones are left out.
    static let mostBytes: UInt64 = 64 << 40

    /// How much is let go of, asked for and read at a time, in bytes.
    private static let windowBytes: UInt64 = 1 << 20
    /// How much of a hole goes by between two looks at whether to go on, in bytes.
    private static let holeBytes: UInt64 = 16 << 20
    /// The slowest clocks that kernels are built with tick every 10 ms.
    private static let twoTicksMilliseconds = 20

    let store: LookingStore
    /// Seconds since 1970.
    let now: Int64
    let governor: Governor
    /// Told how far it is in the image, and how much of that was read from the disk, in bytes.
    let progress: (_ done: UInt64, _ read: UInt64) -> Void

    /// - Throws: the end of the job alone.
    func read(_ inode: InodeIdentifier) throws(BtrfsError) -> Outcome {
        var offset: UInt64 = 0
        do throws(BtrfsError) {
            guard let item = try store.inode(inode) else { return .inUse }
            let file = try store.open(inode, generation: item.generation)
            guard let shared = (file as? any StoredFile)?.shared else { return .inUse }
            let before = try status(shared)
            // What is written now must not have the time stamp that is noted.
            if max(before.modified.seconds, before.changed.seconds) >= now - 1 {
                Pause.milliseconds(Self.twoTicksMilliseconds)
            }
            guard let digest = try digest(file, shared, before.sizeBytes, &offset) else {
                return .inUse
            }
            let after = try status(shared)
            let stamps = ImageStamps(before)
            guard ImageStamps(after) == stamps, after.links > 0 else { return .inUse }
            return .read(
                digest: digest, stamps: stamps,
                identity: ImageIdentity(inode, item.generation))
        } catch {
            if error.isCancellation { throw error }
            let isGone = [.staleNFSFileHandle, .noSuchFileOrDirectory].contains(error.reason)
            if !isGone { Log.note("verify: \(inode) at \(offset): \(error)") }
            return isGone ? .inUse : .unreadable(place(inode, offset))
        }
    }

    /// - Parameter offset: how far it is; where it throws, the first sector that cannot be read.
    /// - Returns: nil where somebody else has a hand on it.
    private func digest(
        _ file: any OpenFile, _ shared: SharedDescriptor, _ sizeBytes: UInt64,
        _ offset: inout UInt64
    ) throws(BtrfsError) -> [UInt8]? {
        guard let digest = ContentDigest() else {
            throw BtrfsError("gcry_md_open", "an image", .noMemory)
        }
        var buffer = [UInt8](repeating: 0, count: Int(Self.windowBytes))
        var readBytes: UInt64 = 0
        var prepared = try prepare(nextWindow(shared, from: 0, sizeBytes), file, shared)
        while let window = prepared {
            guard window.isOurs else { return nil }
            try takeHole(offset..<window.range.lowerBound, into: digest, readBytes)
            offset = window.range.lowerBound
            // The next one is on its way while this one is read and reckoned with.
            prepared = try prepare(
                nextWindow(shared, from: window.range.upperBound, sizeBytes), file, shared)
            let count = window.range.count
            guard try read(file, window.range, &buffer, &offset) == count else { return nil }
            unsafe buffer.withUnsafeBytes { unsafe digest.take(.init(rebasing: $0[..<count])) }
            offset = window.range.upperBound
            store.forget(
                file, at: FileOffset(window.range.lowerBound), lengthBytes: ByteCount(count))
            readBytes += UInt64(count)
            progress(offset, readBytes)
        }
        try takeHole(offset..<sizeBytes, into: digest, readBytes)
        return digest.finish()
    }

    /// A hole reads as zeroes: they are reckoned with, and need no reading.
    private func takeHole(
        _ range: Range<UInt64>, into digest: borrowing ContentDigest, _ readBytes: UInt64
    ) throws(BtrfsError) {
        var offset = range.lowerBound
        while offset < range.upperBound {
            try governor.checkpoint()
            let end = min(range.upperBound, offset + Self.holeBytes)
            digest.takeZeroes(end - offset)
            offset = end
            progress(offset, readBytes)
        }
    }

    /// The next stretch that is not all hole.
    private func nextWindow(
        _ shared: SharedDescriptor, from start: UInt64, _ sizeBytes: UInt64
    ) throws(BtrfsError) -> Range<UInt64>? {
        guard start < sizeBytes else { return nil }
        let data = try named("lseek") { () throws(Errno) in
            try shared.descriptor.nextData(from: start)
        }
        guard let data, data < sizeBytes else { return nil }
        let begin = max(start, data / Self.windowBytes * Self.windowBytes)
        return begin..<min(sizeBytes, (begin / Self.windowBytes + 1) * Self.windowBytes)
    }

    private struct Window {
        var range: Range<UInt64>
        /// Nothing of it is in memory any more: what is read next is what the disk has.
        var isOurs: Bool
    }

    private func prepare(
        _ range: Range<UInt64>?, _ file: any OpenFile, _ shared: SharedDescriptor
    ) throws(BtrfsError) -> Window? {
        guard let range else { return nil }
        let isOurs = try named("posix_fadvise") { () throws(Errno) in
            try shared.descriptor.letGoOfPages(
                offset: range.lowerBound, lengthBytes: UInt64(range.count))
        }
        if isOurs {
            store.prefetch(
                file, at: FileOffset(range.lowerBound), lengthBytes: ByteCount(range.count))
        }
        return Window(range: range, isOurs: isOurs)
    }

    /// Reads a window.
    /// - Parameter offset: where it throws, the first sector of it that cannot be read.
    private func read(
        _ file: any OpenFile, _ range: Range<UInt64>, _ buffer: inout [UInt8],
        _ offset: inout UInt64
    ) throws(BtrfsError) -> Int {
        func read(_ part: Range<UInt64>) throws(BtrfsError) -> Int {
            let start = FileOffset(part.lowerBound)
            let outcome = unsafe buffer.withUnsafeMutableBytes { bytes in
                Result { () throws(BtrfsError) in
                    unsafe try store.read(
                        file, at: start, into: .init(rebasing: bytes[..<part.count]))
                }
            }
            return try outcome.get()
        }
        do throws(BtrfsError) {
            return try read(range)
        } catch {
            guard error.reason == .ioError else { throw error }
            let sector = store.sectorBytes.rawValue
            while offset < range.upperBound {
                _ = try read(offset..<min(offset + sector, range.upperBound))
                offset += sector
            }
            // One sector after the other could be read: then all of it can.
            offset = range.lowerBound
            return try read(range)
        }
    }

    private func place(_ inode: InodeIdentifier, _ offset: UInt64) -> Engine.UnreadablePlace {
        let start = FileOffset(offset)
        return Engine.UnreadablePlace(inode: inode, range: start..<(start + store.sectorBytes))
    }

    private func status(_ shared: SharedDescriptor) throws(BtrfsError) -> FileStatus {
        try named("fstat") { () throws(Errno) in try shared.descriptor.status() }
    }

    private func named<Result>(
        _ call: String, _ body: () throws(Errno) -> Result
    ) throws(BtrfsError) -> Result {
        do throws(Errno) {
            return try body()
        } catch {
            throw BtrfsError(call, "an image", error)
        }
    }
}
