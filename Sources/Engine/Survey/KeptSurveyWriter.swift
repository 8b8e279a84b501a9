// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// Keeps the file extents that a survey reads for the next one, file by file. Nothing is written as
/// long as all files are those that were kept, unchanged.
///
/// It writes a file of its own. Until that is whole the old one stands, and serves.
public struct KeptSurveyWriter: Sendable {
    /// Files with fewer extents are not kept: to ask whether they have changed costs what reading
    /// them does.
    static let leastExtents = 256
    /// What is copied at a time.
    private static let copyBytes = 1 << 20

    /// The file whose extents come.
    private struct Current: Sendable {
        let inode: InodeIdentifier
        let item: InodeItem
        var mappedBytes = ByteCount.zero
        var extents: UInt64 = 0
        var isKeepable = true
        /// The pieces that were not written yet.
        var bytes: [UInt8] = []
        /// Where the first that was written stands.
        var start: UInt64?
        var lengthBytes: UInt64 = 0
    }

    private let sink: any CacheSink
    private let fileSystem: FileSystem.Identity
    private let old: KeptSurvey?
    private let since: Generation
    private let limitBytes: UInt64
    /// The files of `old` that have come so far and are the same; only until something is not.
    private var same: [KeptSurvey.Entry] = []
    private var hasBegun = false
    private var entries: [KeptSurvey.Entry] = []
    private var end = KeptSurvey.Head.placeBytes
    private var current: Current?
    private var encoder = FileExtentEncoder()

    /// - Parameters:
    ///   - old: what was kept before.
    ///   - since: the newest transaction when the survey began: what it reads may be of that one.
    ///   - limitBytes: the most that the file may take; what has no room is read anew each time.
    public init(
        to sink: any CacheSink, fileSystem: FileSystem.Identity, joining old: KeptSurvey?,
        since: Generation, limitBytes: UInt64
    ) {
        self.sink = sink
        self.fileSystem = fileSystem
        self.old = old
        self.since = since
        self.limitBytes = limitBytes
    }

    /// A file that is the same as it was.
    mutating func keep(_ entry: KeptSurvey.Entry) throws(BtrfsError) {
        guard hasBegun else {
            same.append(entry)
            return
        }
        try copy(entry)
    }

    /// What follows is of this file.
    mutating func begin(_ inode: InodeIdentifier, _ item: InodeItem) {
        current = Current(inode: inode, item: item)
        encoder = FileExtentEncoder()
    }

    /// Takes an item of the file that was begun last.
    mutating func add(_ extent: FileExtent) throws(BtrfsError) {
        guard current?.isKeepable == true else { return }
        switch extent.storage {
        case .hole: return
        // What the inode counts of it is the kernel's affair.
        case .inline:
            current?.isKeepable = false
            return
        case .regular, .preallocated: break
        }
        encoder.append(extent)
        current?.extents += 1
        current?.mappedBytes += extent.lengthBytes
        if encoder.isFull { try flush() }
    }

    /// The file that was begun last was read to its end.
    mutating func endFile() throws(BtrfsError) {
        try flush()
        guard let file = current, file.isKeepable, file.extents >= Self.leastExtents,
            file.mappedBytes == file.item.mappedBytes,
            entries.count < KeptSurvey.Head.entryLimit, let start = file.start
        else {
            drop()
            return
        }
        current = nil
        entries.append(
            KeptSurvey.Entry(
                inode: file.inode, generation: file.item.generation, since: since,
                mappedBytes: file.mappedBytes, extents: file.extents, start: start,
                lengthBytes: file.lengthBytes))
    }

    /// The file that was begun last could not be read.
    mutating func drop() {
        // What was written of it is written over.
        if let start = current?.start { end = start }
        current = nil
    }

    /// Writes what is left.
    /// - Returns: false when nothing has changed, and nothing was written.
    public mutating func finish() throws(BtrfsError) -> Bool {
        if !hasBegun, same.count == old?.entries.count ?? 0 { return false }
        try begin()
        var index: [UInt8] = []
        for entry in entries { entry.add(to: &index) }
        try sink.write(index, at: end)
        // Whatever fails until now leaves a file that is none.
        try sink.synchronize()
        let head = KeptSurvey.Head(
            sequence: (old?.sequence ?? 0) &+ 1, indexStart: end, index: index)
        try sink.write(head.encoded(fileSystem), at: 0)
        try sink.synchronize()
        return true
    }

    /// From here on it is otherwise than it was: what is the same is written first.
    private mutating func begin() throws(BtrfsError) {
        if hasBegun { return }
        hasBegun = true
        // Whatever an older one has left is no longer one.
        try sink.write([UInt8](repeating: 0, count: KeptSurvey.Head.lengthBytes), at: 0)
        for entry in same { try copy(entry) }
        same = []
    }

    private mutating func copy(_ entry: KeptSurvey.Entry) throws(BtrfsError) {
        guard let old, end &+ entry.lengthBytes <= limitBytes,
            entries.count < KeptSurvey.Head.entryLimit
        else { return }
        var copied: UInt64 = 0
        while copied < entry.lengthBytes {
            let count = min(UInt64(Self.copyBytes), entry.lengthBytes - copied)
            let bytes = old.bytes(of: entry, from: copied, count: Int(count))
            // It will be read anew the next time.
            guard bytes.count == Int(count) else { return }
            try sink.write(bytes, at: end + copied)
            copied += count
        }
        var entry = entry
        entry.start = end
        end += entry.lengthBytes
        entries.append(entry)
    }

    /// Makes a piece of what has come. A file with few extents is written when it has more.
    private mutating func flush() throws(BtrfsError) {
        guard var file = current, file.isKeepable, !encoder.isEmpty else { return }
        file.bytes += encoder.piece()
        defer { current = file }
        guard file.extents >= Self.leastExtents else { return }
        try begin()
        if file.start == nil { file.start = end }
        guard end &+ UInt64(file.bytes.count) <= limitBytes else {
            file.isKeepable = false
            return
        }
        try sink.write(file.bytes, at: end)
        end += UInt64(file.bytes.count)
        file.lengthBytes += UInt64(file.bytes.count)
        file.bytes = []
    }
}
