// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemPackage

/// A stretch of an extent's content, as one file shows it.
struct ContentPart: Sendable {
    /// In the content.
    let range: Range<ByteCount>
    let file: any OpenFile
    let inode: InodeIdentifier
    /// Where in the file the stretch starts.
    let offset: FileOffset
    /// A qube may be writing to the file now.
    let isLive: Bool

    var lengthBytes: ByteCount { range.upperBound - range.lowerBound }
}

/// The content of an extent, with files that show it.
protocol ShownContent {
    /// The stretch from a position on, as far as whichever reference holds it goes; nil where none
    /// can be had.
    func part(from position: ByteCount) -> ContentPart?
}

extension ShownContent {
    /// Goes through a range by whichever references hold it.
    /// - Returns: whether all of it could be had.
    @discardableResult
    func forEachPart(
        of range: Range<ByteCount>, _ body: (ContentPart) throws(ContentFailure) -> Void
    ) throws(ContentFailure) -> Bool {
        var position = range.lowerBound
        while position < range.upperBound {
            guard let rest = part(from: position) else { return false }
            let end = min(range.upperBound, rest.range.upperBound)
            try body(
                ContentPart(
                    range: position..<end, file: rest.file, inode: rest.inode, offset: rest.offset,
                    isLive: rest.isLive))
            position = end
        }
        return true
    }
}

/// Why content could not be read.
enum ContentFailure: Error {
    /// The device does not give a range of a file back.
    case unreadable(BtrfsError, InodeIdentifier, Range<FileOffset>)
    case store(BtrfsError)
}

/// Reads the content of extents through whichever references hold it.
struct ContentReader: Sendable {
    /// What it means that a file ends within what one reference shows.
    enum EarlyEnd: Sendable {
        /// It has become shorter.
        case isFailure
        /// References were taken in whole sectors: what lies behind the end reads as zeroes.
        case isZeroes
    }

    let store: any ContentStore
    let earlyEnd: EarlyEnd

    /// Starts the reads of a range, as far as it can be had.
    func prefetch(_ range: Range<ByteCount>, of content: some ShownContent) {
        _ = try? content.forEachPart(of: range) { part in
            store.prefetch(part.file, at: part.offset, lengthBytes: part.lengthBytes)
        }
    }

    /// Lets a range go from memory, but for what a running qube works with.
    func forget(_ range: Range<ByteCount>, of content: some ShownContent) {
        _ = try? content.forEachPart(of: range) { part in
            if !part.isLive {
                store.forget(part.file, at: part.offset, lengthBytes: part.lengthBytes)
            }
        }
    }

    /// Reads a range of content.
    /// - Parameter buffer: as long as the range.
    func read(
        _ content: some ShownContent, _ range: Range<ByteCount>,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(ContentFailure) {
        let isWhole = try content.forEachPart(of: range) { (part) throws(ContentFailure) in
            let start = (part.range.lowerBound - range.lowerBound).count
            unsafe try read(
                part,
                into: UnsafeMutableRawBufferPointer(
                    rebasing: buffer[start..<(start + part.lengthBytes.count)]))
        }
        guard isWhole else {
            throw .store(BtrfsError("read", "a part nobody uses", .invalidArgument))
        }
    }

    private func read(
        _ part: ContentPart, into buffer: UnsafeMutableRawBufferPointer
    ) throws(ContentFailure) {
        let count: Int
        do throws(BtrfsError) {
            count = unsafe try store.read(part.file, at: part.offset, into: buffer)
        } catch {
            guard error.reason == .ioError else { throw .store(error) }
            throw .unreadable(
                error, part.inode, part.offset..<(part.offset + part.lengthBytes))
        }
        if count == buffer.count { return }
        switch earlyEnd {
        case .isFailure:
            throw .store(BtrfsError("read", "a file that became shorter", .staleNFSFileHandle))
        case .isZeroes:
            unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
                .initializeMemory(as: UInt8.self, repeating: 0)
        }
    }
}
