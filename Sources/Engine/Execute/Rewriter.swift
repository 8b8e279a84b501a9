// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemPackage

/// Packs frames that the kernel can unpack. One for each lane.
public protocol FrameEncoder: Sendable {
    /// Packs `content` into `frame`; nil when it does not fit, which says that it is not worth it.
    func encode(
        _ content: UnsafeRawBufferPointer, into frame: UnsafeMutableRawBufferPointer, level: Int
    ) -> Int?
}

/// Why an extent's content was not written anew.
enum RewriteFailure: Error {
    /// Written anew it would take as much as it does.
    case doesNotShrink
    case store(BtrfsError)
}

/// Writes parts of an extent's content into a scratch file, packed where they shrink.
struct Rewriter<Store: ExtentStore>: Sendable {
    let store: Store
    let scratch: Store.File
    let encoder: any FrameEncoder
    let limits: ExecutionLimits

    /// A frame, ready to be written.
    private struct Frame {
        let range: Range<ByteCount>
        let bytes: [UInt8]
        let isPacked: Bool
    }

    /// Writes `ranges` of a target's content at `base` plus their position in the extent.
    /// - Parameter spent: what was written for the same extent before, and may still be in use.
    /// - Returns: what that takes on the device.
    func rewrite(
        _ ranges: [Range<ByteCount>], of target: ReplacementTarget<Store.File>,
        at base: FileOffset, spent: ByteCount
    ) throws(RewriteFailure) -> ByteCount {
        let frames = Ranges.cut(ranges, atMultiplesOf: limits.frameContent)
        let total = Ranges.totalBytes(ranges)
        guard case .packed(let level) = target.replacement.rewriting else {
            try checkGain(spent + total, target.replacement)
            return try writeAll(frames, of: target, at: base, level: nil)
        }
        let isWhole = target.replacement.pieces.isEmpty
        if total <= limits.batchContent {
            // Pack first, decide, then write: what does not shrink costs no write.
            var packed: [Frame] = []
            for range in frames { packed.append(try frame(range, of: target, level: level)) }
            let disk = packed.reduce(ByteCount.zero) { $0 + diskBytes($1) }
            try checkGain(spent + disk, target.replacement)
            for frame in packed { try write(frame, at: base) }
            return disk
        }
        if isWhole { try trySample(frames, of: target, level: level) }
        let disk = try writeAll(frames, of: target, at: base, level: level)
        try checkGain(spent + disk, target.replacement)
        return disk
    }

    private func writeAll(
        _ frames: [Range<ByteCount>], of target: ReplacementTarget<Store.File>,
        at base: FileOffset, level: Int?
    ) throws(RewriteFailure) -> ByteCount {
        var disk = ByteCount.zero
        for range in frames {
            let frame = try frame(range, of: target, level: level)
            try write(frame, at: base)
            disk += diskBytes(frame)
        }
        return disk
    }

    /// Packs a few frames of a large extent, spread over it, to see whether the rest is worth it.
    private func trySample(
        _ frames: [Range<ByteCount>], of target: ReplacementTarget<Store.File>, level: Int
    ) throws(RewriteFailure) {
        let samples = 16
        var disk = ByteCount.zero
        var content = ByteCount.zero
        for index in stride(from: 0, to: frames.count, by: max(1, frames.count / samples)) {
            disk += diskBytes(try frame(frames[index], of: target, level: level))
            content += (frames[index].upperBound - frames[index].lowerBound)
        }
        if !isWorth(disk, of: content) { throw .doesNotShrink }
    }

    /// What is written must take less than what comes back; clearly so if nothing else is gained.
    private func checkGain(_ disk: ByteCount, _ replacement: Replacement) throws(RewriteFailure) {
        let isGain =
            replacement.pieces.isEmpty
            ? isWorth(disk, of: replacement.diskBytes) : disk < replacement.diskBytes
        if !isGain { throw .doesNotShrink }
    }

    private func isWorth(_ disk: ByteCount, of before: ByteCount) -> Bool {
        disk.rawValue * limits.worthwhileDenominator
            <= before.rawValue * limits.worthwhileNumerator
    }

    private func frame(
        _ range: Range<ByteCount>, of target: ReplacementTarget<Store.File>, level: Int?
    ) throws(RewriteFailure) -> Frame {
        let content = try read(range, of: target)
        let length = (range.upperBound - range.lowerBound).roundedUp(to: store.sectorBytes)
        guard let level, length > store.sectorBytes else {
            return Frame(range: range, bytes: content, isPacked: false)
        }
        // One sector less than the content, or it is not worth it. What a tail lacks to a whole
        // sector reads as zeroes.
        let padded = content + [UInt8](repeating: 0, count: length.count - content.count)
        let capacity = (length - store.sectorBytes).count
        var packedBytes: Int?
        let packed = unsafe [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            packedBytes = unsafe padded.withUnsafeBytes {
                unsafe encoder.encode($0, into: UnsafeMutableRawBufferPointer(buffer), level: level)
            }
            count = packedBytes ?? 0
        }
        if packedBytes == nil { return Frame(range: range, bytes: content, isPacked: false) }
        return Frame(range: range, bytes: packed, isPacked: true)
    }

    /// Reads a part of the content through whichever references hold it.
    private func read(
        _ range: Range<ByteCount>, of target: ReplacementTarget<Store.File>
    ) throws(RewriteFailure) -> [UInt8] {
        var content: [UInt8] = []
        var position = range.lowerBound
        while position < range.upperBound {
            guard
                let reference = target.references.first(where: { $0.range.contains(position) })
            else { throw .store(BtrfsError("read", "a part nobody uses", .invalidArgument)) }
            let end = min(range.upperBound, reference.range.upperBound)
            let piece = try read(
                reference.file, at: reference.fileOffset(of: position), lengthBytes: end - position)
            content = content.isEmpty ? piece : content + piece
            position = end
        }
        return content
    }

    private func read(
        _ file: Store.File, at offset: FileOffset, lengthBytes: ByteCount
    ) throws(RewriteFailure) -> [UInt8] {
        var failure: BtrfsError?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: lengthBytes.count) {
            buffer, count in
            do throws(BtrfsError) {
                count = unsafe try store.read(
                    file, at: offset,
                    into: UnsafeMutableRawBufferPointer(
                        start: buffer.baseAddress, count: lengthBytes.count))
            } catch {
                failure = error
            }
        }
        if let failure { throw .store(failure) }
        guard bytes.count == lengthBytes.count else {
            throw .store(BtrfsError("read", "a file that became shorter", .staleNFSFileHandle))
        }
        return bytes
    }

    private func write(_ frame: Frame, at base: FileOffset) throws(RewriteFailure) {
        let length = frame.range.upperBound - frame.range.lowerBound
        let offset = base + frame.range.lowerBound
        var failure: BtrfsError?
        unsafe frame.bytes.withUnsafeBytes { bytes in
            do throws(BtrfsError) {
                if frame.isPacked {
                    unsafe try store.writePacked(
                        bytes, contentBytes: length.roundedUp(to: store.sectorBytes),
                        lengthBytes: length, to: scratch, at: offset)
                } else {
                    unsafe try store.writePlain(bytes, to: scratch, at: offset)
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw .store(failure) }
    }

    private func diskBytes(_ frame: Frame) -> ByteCount {
        ByteCount(frame.bytes.count).roundedUp(to: store.sectorBytes)
    }
}
