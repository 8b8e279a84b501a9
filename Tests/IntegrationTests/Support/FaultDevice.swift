// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Glibc
import SystemCalls
import SystemPackage

/// What goes wrong with a device. Ranges are in bytes of the device.
struct Faults: Sendable {
    /// Writes that are refused.
    struct Refusal: Sendable {
        /// Where.
        var ranges: [Range<UInt64>]
        /// With what.
        var error: Errno = .ioError
        /// What may be written there before it begins, in bytes.
        var roomBytes: UInt64 = 0
        /// Blocks of 4 KiB that have been written before may be written again: so does a thin
        /// volume, or a file on a full file system.
        var onlyNewBlocks = false
        /// So many writes are refused, and then all is well again; nil for ever.
        var countBeforeMended: Int?
    }

    var refusals: [Refusal] = []
    /// Reads that touch these fail with EIO, until they are written to: a disk then gives a sector
    /// another place.
    var unreadable: [Range<UInt64>] = []
    /// Reads of these come back with each byte changed, until they are written to.
    var rotten: [Range<UInt64>] = []
    /// How long each mebibyte takes, in seconds.
    var secondsOfMebibyte = 0.0
    /// Requests wait until this is false again.
    var hangs = false
    /// Writes, flushes and what is given back are kept for `PowerCut`.
    var records = false
}

/// A block device whose faults a test chooses, from one request to the next: a loop device over a
/// file that this process serves. It needs root and /dev/fuse.
final class FaultDevice {
    /// The loop device.
    let path: String
    /// What is on it, as long as nobody writes: to be looked at behind the kernel's back.
    let backing: String
    private let folder: String
    private let content: FaultContent
    private var file: FuseFile?

    init(mebibytes: Int) throws {
        folder =
            FileManager.default.temporaryDirectory.path
            + "/qubes-btrfs-device-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        backing = folder + "/backing"
        try Command.check("truncate", "-s", "\(mebibytes)M", backing)
        try Data().write(to: URL(fileURLWithPath: folder + "/disk"))
        content = try FaultContent(backing: backing, sizeBytes: UInt64(mebibytes) << 20)
        let file = try FuseFile(at: folder + "/disk", content: content)
        self.file = file
        let loop = try Command.check("losetup", "--find", "--show", file.path)
        path = loop.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    deinit {
        mend()
        _ = try? Command.run(["losetup", "--detach", path])
        // Unmounted first: what lies below a mount cannot be removed.
        file = nil
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Changes what goes wrong, for every request from now on.
    func set(_ change: (inout Faults) -> Void) { content.state.withLock { change(&$0.faults) } }

    /// All is well again, for whatever is written or read from now on.
    func mend() { set { $0 = Faults() } }

    /// Writes that were refused so far, and reads that were refused or came back changed.
    var troubles: (writes: Int, reads: Int) {
        content.state.withLock { ($0.refusedWrites, $0.badReads) }
    }

    /// Forgets what was written so far.
    func forgetWritten() { content.state.withLock { $0.records = [] } }

    /// What was written, in order, while `records` was set.
    var written: [WrittenRecord] { content.state.withLock { $0.records } }
}

/// One request that a device has carried out.
enum WrittenRecord: Sendable {
    case write(offset: UInt64, Data)
    case punch(Range<UInt64>)
    case flush
}

/// A file's bytes, with faults.
final class FaultContent: FileContent {
    struct State {
        var faults = Faults()
        var isWritten: [Bool]
        var refusedWrites = 0
        var badReads = 0
        var records: [WrittenRecord] = []
    }

    private static let blockBytes: UInt64 = 4096
    private static let zeroes = [UInt8](repeating: 0, count: 1 << 20)
    let sizeBytes: UInt64
    let state: Monitor<State>
    private let handle: Int32

    init(backing: String, sizeBytes: UInt64) throws {
        handle = unsafe open(backing, O_RDWR | O_CLOEXEC)
        guard handle >= 0 else { throw Errno(rawValue: errno) }
        self.sizeBytes = sizeBytes
        state = Monitor(
            State(isWritten: Array(repeating: false, count: Int(sizeBytes / Self.blockBytes) + 1)))
    }

    deinit { close(handle) }

    /// Waits as long as the faults say, and gives them.
    private func turn(_ lengthBytes: Int) -> Faults {
        let faults = state.wait { $0.faults.hangs ? nil : $0.faults } ?? Faults()
        let seconds = faults.secondsOfMebibyte * Double(lengthBytes) / Double(1 << 20)
        if seconds > 0 { usleep(UInt32(seconds * 1_000_000)) }
        return faults
    }

    func read(_ buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Errno) {
        let faults = turn(buffer.count)
        let range = offset..<(offset + UInt64(buffer.count))
        if faults.unreadable.contains(where: { $0.overlaps(range) }) {
            state.withLock { $0.badReads += 1 }
            throw .ioError
        }
        var done = 0
        while done < buffer.count {
            let count = unsafe pread(
                handle, buffer.baseAddress?.advanced(by: done), buffer.count - done,
                off_t(offset) + off_t(done))
            if count <= 0 { throw count < 0 ? Errno(rawValue: errno) : .ioError }
            done += count
        }
        for rot in faults.rotten where rot.overlaps(range) {
            state.withLock { $0.badReads += 1 }
            for position in rot.clamped(to: range) {
                unsafe buffer[Int(position - offset)] ^= 0x5a
            }
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(Errno) {
        _ = turn(bytes.count)
        let range = offset..<(offset + UInt64(bytes.count))
        if let error = state.withLock({ $0.refusal(of: range, Self.blockBytes) }) { throw error }
        var done = 0
        while done < bytes.count {
            let count = unsafe pwrite(
                handle, bytes.baseAddress?.advanced(by: done), bytes.count - done,
                off_t(offset) + off_t(done))
            if count < 0 { throw Errno(rawValue: errno) }
            done += count
        }
        state.withLock { state in
            for block
                in (range.lowerBound / Self.blockBytes)...((range.upperBound - 1) / Self.blockBytes)
            {
                state.isWritten[Int(block)] = true
            }
            state.faults.unreadable.removeAll { $0.overlaps(range) }
            state.faults.rotten.removeAll { $0.overlaps(range) }
            if state.faults.records {
                unsafe state.records.append(.write(offset: offset, Data(bytes)))
            }
        }
    }

    func flush() throws(Errno) {
        _ = turn(0)
        state.withLock { if $0.faults.records { $0.records.append(.flush) } }
    }

    func punch(_ range: Range<UInt64>) throws(Errno) {
        _ = turn(0)
        var position = range.lowerBound
        while position < range.upperBound {
            let length = min(Int(range.upperBound - position), Self.zeroes.count)
            let count = unsafe pwrite(handle, Self.zeroes, length, off_t(position))
            if count <= 0 { throw Errno(rawValue: errno) }
            position += UInt64(count)
        }
        state.withLock { if $0.faults.records { $0.records.append(.punch(range)) } }
    }
}

extension FaultContent.State {
    /// The error of a write, which uses up room where there is some.
    mutating func refusal(of range: Range<UInt64>, _ blockBytes: UInt64) -> Errno? {
        for index in faults.refusals.indices {
            let refusal = faults.refusals[index]
            guard refusal.ranges.contains(where: { $0.overlaps(range) }) else { continue }
            let blocks = (range.lowerBound / blockBytes)...((range.upperBound - 1) / blockBytes)
            let counted =
                refusal.onlyNewBlocks ? blocks.count { !isWritten[Int($0)] } : blocks.count
            let wanted = UInt64(counted) * blockBytes
            if wanted > refusal.roomBytes {
                if let left = refusal.countBeforeMended {
                    if left == 0 { continue }
                    faults.refusals[index].countBeforeMended = left - 1
                }
                refusedWrites += 1
                return refusal.error
            }
            faults.refusals[index].roomBytes -= wanted
        }
        return nil
    }
}
