// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs
public import Engine
public import SystemCalls
public import SystemPackage

/// The nameless files of a job or an estimate, for what has no room in memory.
struct JobSpills: Sendable {
    /// For the sort of anchors by their hash.
    let anchors: Spill
    /// For the sort of pairs by rank and place.
    let pairs: Spill
    /// For checksums of sectors.
    let fingerprints: Spill

    init(in directory: SharedDescriptor) throws(Errno) {
        anchors = try Spill(in: directory)
        pairs = try Spill(in: directory)
        fingerprints = try Spill(in: directory)
    }

    /// Gives back the space of what was spilled.
    func clear() {
        anchors.clear()
        pairs.clear()
        fingerprints.clear()
    }
}

/// A nameless file for what a sort cannot hold in memory, opened before the worker has forbidden
/// itself to write.
public final class Spill: SpillFile {
    /// What errors say they are about.
    static let subject = "a spill file"

    private let file: SharedDescriptor
    private let length = Monitor(UInt64(0))

    /// In a directory of ours, or of the pool where there is none.
    public init(in directory: SharedDescriptor) throws(Errno) {
        file = SharedDescriptor(
            try directory.descriptor.open(beneath: ".", [.readWrite, .temporary, .exclusive]))
    }

    /// Adds bytes at the end.
    public func append(_ bytes: UnsafeRawBufferPointer) throws(BtrfsError) {
        let count = UInt64(bytes.count)
        let offset = length.withLock { length in
            defer { length += count }
            return length
        }
        do throws(Errno) {
            unsafe try file.descriptor.write(bytes, atOffset: offset)
        } catch {
            throw BtrfsError("write", Self.subject, error)
        }
    }

    /// Gives back the space of all that was added. A failure costs space and nothing else.
    func clear() {
        length.withLock { length in
            length = 0
            try? file.descriptor.truncate(toBytes: 0)
        }
    }

    /// Reads bytes that were added, until the buffer is full.
    public func read(
        at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(BtrfsError) {
        do throws(Errno) {
            let count = unsafe try file.descriptor.read(into: buffer, atOffset: offset)
            guard count == buffer.count else { throw .ioError }
        } catch {
            throw BtrfsError("read", Self.subject, error)
        }
    }
}
