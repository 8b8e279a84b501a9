// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// Where what is to be kept is written to.
public protocol CacheSink: Sendable {
    /// Writes there.
    func write(_ bytes: [UInt8], at offset: UInt64) throws(BtrfsError)
    /// Waits until all of it is on the device.
    func synchronize() throws(BtrfsError)
}

/// Keeps fingerprints for the next run: those that come, in the order of their addresses, joined
/// with what was kept before. Nothing is written as long as they are the same.
///
/// It writes a file of its own. Until that is whole the old one stands, and serves.
public struct KeptFingerprintsWriter: Sendable {
    /// Whether an extent that was kept and does not come again is gone; it may only not have been
    /// asked for this time.
    public typealias IsGone = @Sendable (LogicalAddress, Generation) -> Bool

    private let sink: any CacheSink
    private let fileSystem: FileSystem.Identity
    private let checksumKind: ChecksumKind
    private let sequence: UInt64
    private let isGone: IsGone
    private let segmentLimit: Int
    private var old: EntryCursor
    private var segment: FingerprintSegment
    private var segments = 0
    private var hasBegun = false

    /// - Parameters:
    ///   - old: what was kept before.
    ///   - limitBytes: the most that the file may take; what has no room is unpacked anew each
    ///     time.
    public init(
        to sink: any CacheSink, fileSystem: FileSystem.Identity, checksumKind: ChecksumKind,
        joining old: KeptFingerprints?, limitBytes: UInt64, isGone: @escaping IsGone
    ) {
        self.sink = sink
        self.fileSystem = fileSystem
        self.checksumKind = checksumKind
        self.isGone = isGone
        self.old = EntryCursor(old)
        sequence = (old?.sequence ?? 0) &+ 1
        segmentLimit = Int(clamping: limitBytes / UInt64(KeptFingerprints.placeBytes))
        segment = FingerprintSegment(fileSystem: fileSystem, checksumKind: checksumKind)
    }

    /// Takes an extent's.
    public mutating func add(_ entry: FingerprintSegment.Entry) throws(BtrfsError) {
        try pass(until: entry.address)
        let known = old.current?.address == entry.address ? old.current : nil
        if known != entry { try begin() }
        if known != nil { old.advance() }
        try put(entry)
    }

    /// Writes what is left.
    /// - Returns: false when nothing has changed, and nothing was written.
    public mutating func finish() throws(BtrfsError) -> Bool {
        try pass(until: nil)
        guard hasBegun else { return false }
        if segment.count > 0 { try write() }
        // Whatever fails until now leaves a file that is none.
        try sink.synchronize()
        let head = KeptFingerprints.Head(sequence: sequence, segments: segments)
        try sink.write(head.encoded(fileSystem, checksumKind), at: 0)
        try sink.synchronize()
        return true
    }

    /// Goes through what was kept of extents in front of an address; of all, where it is nil.
    private mutating func pass(until address: LogicalAddress?) throws(BtrfsError) {
        while let entry = old.current, address.map({ entry.address < $0 }) ?? true {
            if isGone(entry.address, entry.generation) { try begin() } else { try put(entry) }
            old.advance()
        }
    }

    /// From here on it is otherwise than it was: what is the same is written first.
    private mutating func begin() throws(BtrfsError) {
        if hasBegun { return }
        hasBegun = true
        // Whatever an older one has left is no longer one.
        try sink.write([UInt8](repeating: 0, count: KeptFingerprints.Head.lengthBytes), at: 0)
        var same = old.restarted()
        while same.passed < old.passed, let entry = same.current {
            try put(entry)
            same.advance()
        }
    }

    private mutating func put(_ entry: FingerprintSegment.Entry) throws(BtrfsError) {
        guard hasBegun, segments < segmentLimit else { return }
        if segment.append(entry) { return }
        try write()
        if segments < segmentLimit { segment.append(entry) }
    }

    private mutating func write() throws(BtrfsError) {
        let encoded = segment.encoded()
        let label = KeptFingerprints.Label(
            segmentBytes: encoded.count, address: segment.entry(0).address)
        var bytes = label.encoded() + encoded
        bytes += [UInt8](repeating: 0, count: KeptFingerprints.placeBytes - bytes.count)
        try sink.write(bytes, at: KeptFingerprints.offset(of: segments))
        segments += 1
        segment = FingerprintSegment(fileSystem: fileSystem, checksumKind: checksumKind)
    }
}

/// Goes through what was kept, in order. What is damaged is passed over.
private struct EntryCursor: Sendable {
    private let kept: KeptFingerprints?
    private var number = -1
    private var segment: FingerprintSegment?
    private var index = 0
    /// How many entries lie behind.
    private(set) var passed = 0
    /// The entry that it is at; nil at the end.
    private(set) var current: FingerprintSegment.Entry?

    init(_ kept: KeptFingerprints?) {
        self.kept = kept
        settle()
    }

    func restarted() -> EntryCursor { EntryCursor(kept) }

    mutating func advance() {
        passed += 1
        index += 1
        settle()
    }

    private mutating func settle() {
        guard let kept else { return }
        while segment == nil || index >= segment?.count ?? 0 {
            number += 1
            index = 0
            guard number < kept.segmentCount else {
                current = nil
                return
            }
            segment = kept.segment(number)
        }
        current = segment?.entry(index)
    }
}
