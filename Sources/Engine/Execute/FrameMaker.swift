// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemPackage

/// Content, ready to be written.
struct Frame: Sendable {
    /// Where in its chain.
    let range: Range<ByteCount>
    let bytes: [UInt8]
    let isPacked: Bool
}

/// A chain cannot be made because of one target.
struct ChainFailure: Error {
    let target: Int
    let failure: RewriteFailure
}

/// Reads content through whichever references hold it, packs it, and writes it.
struct FrameMaker: Sendable {
    let store: any ExtentStore
    let scratch: any ScratchFile
    let encoder: any FrameEncoder
    let limits: ExecutionLimits

    /// The frames of a chain, in order.
    func make(
        _ chain: Chain, of targets: [ReplacementTarget]
    ) throws(ChainFailure) -> [Frame] {
        var made: [Frame] = []
        let whole = ByteCount.zero..<chain.lengthBytes
        for range in Ranges.cut([whole], atMultiplesOf: limits.frameContent) {
            let content = try read(range, of: chain, targets)
            guard case .packed(let level) = chain.rewriting else {
                made.append(Frame(range: range, bytes: content, isPacked: false))
                continue
            }
            made.append(frame(range, content, level: level))
            if made.count == 1, let slice = chain.slices.first, chain.slices.count == 1,
                disappoints(made[0], targets[slice.target], [slice.range], level: level)
            {
                throw ChainFailure(target: slice.target, failure: .doesNotShrink)
            }
        }
        return made
    }

    /// What a frame takes on the device.
    func diskBytes(_ frame: Frame) -> ByteCount {
        ByteCount(frame.bytes.count).roundedUp(to: store.sectorBytes)
    }

    // MARK: Packing

    private func frame(_ range: Range<ByteCount>, _ content: [UInt8], level: Int) -> Frame {
        let length = (range.upperBound - range.lowerBound).roundedUp(to: store.sectorBytes)
        // One sector less than the content, or it is not worth it.
        guard length > store.sectorBytes,
            let packed = pack(content, limit: length - store.sectorBytes, level: level)
        else { return Frame(range: range, bytes: content, isPacked: false) }
        return Frame(range: range, bytes: packed, isPacked: true)
    }

    private func pack(_ content: [UInt8], limit: ByteCount, level: Int) -> [UInt8]? {
        var padded = content
        // What a tail lacks to a whole sector reads as zeroes.
        let lacking = ByteCount(content.count).roundedUp(to: store.sectorBytes).count
        if lacking > content.count {
            padded += [UInt8](repeating: 0, count: lacking - content.count)
        }
        var packedBytes: Int?
        let packed = unsafe [UInt8](unsafeUninitializedCapacity: limit.count) { buffer, count in
            packedBytes = unsafe padded.withUnsafeBytes {
                unsafe encoder.encode($0, into: UnsafeMutableRawBufferPointer(buffer), level: level)
            }
            count = packedBytes ?? 0
        }
        return packedBytes == nil ? nil : packed
    }

    /// Whether the rest is not worth packing, after the first frame of what is large and has
    /// nothing to gain but by packing: most of what shrinks shows it there, and costs no more than
    /// its frames; of what does not, samples are asked.
    func disappoints(
        _ first: Frame, _ target: ReplacementTarget, _ ranges: [Range<ByteCount>],
        level: Int
    ) -> Bool {
        let replacement = target.replacement
        guard replacement.aim == .space, replacement.isWrittenWhole,
            Ranges.totalBytes(ranges) >= limits.sampledContent
        else { return false }
        let length = first.range.upperBound - first.range.lowerBound
        return !limits.isWorth(diskBytes(first), of: length)
            && !shrinksInSamples(target, ranges, level: level)
    }

    /// Whether samples, spread over the content and packed together, shrink by as much as the whole
    /// would have to. What cannot be read is for the real attempt to find out.
    private func shrinksInSamples(
        _ target: ReplacementTarget, _ ranges: [Range<ByteCount>], level: Int
    ) -> Bool {
        let places = Self.samples(of: ranges, sectorBytes: store.sectorBytes)
        var disk = ByteCount.zero
        var length = ByteCount.zero
        for start in stride(from: 0, to: places.count, by: Self.samplesInFrame) {
            var content: [UInt8] = []
            for range in places[start..<min(start + Self.samplesInFrame, places.count)] {
                guard let piece = try? read(range, of: target) else { return true }
                content += piece
            }
            let whole = ByteCount(content.count).roundedUp(to: store.sectorBytes)
            guard whole > store.sectorBytes else { return true }
            let packed = pack(content, limit: whole - store.sectorBytes, level: level)
            disk += packed.map { ByteCount($0.count).roundedUp(to: store.sectorBytes) } ?? whole
            length += whole
        }
        return limits.isWorth(disk, of: length)
    }

    private static var samplesInFrame: Int { 8 }
    private static var framesOfSamples: Int { 4 }

    /// Two sectors each, at equal distances: eight, and eight more for every 4 MiB, up to 32.
    private static func samples(
        of ranges: [Range<ByteCount>], sectorBytes: ByteCount
    ) -> [Range<ByteCount>] {
        let total = Ranges.totalBytes(ranges)
        let frames = min(total.count / ByteCount.mebibytes(4).count + 1, framesOfSamples)
        let step = max(total.count / (frames * samplesInFrame), 2 * sectorBytes.count)
        let stepBytes = ByteCount(step).roundedDown(to: sectorBytes)
        var samples: [Range<ByteCount>] = []
        var skip = ByteCount.zero
        for range in ranges {
            var start = range.lowerBound + skip
            while start < range.upperBound {
                samples.append(start..<min(start + sectorBytes + sectorBytes, range.upperBound))
                start = start + stepBytes
            }
            skip = start - range.upperBound
        }
        return samples
    }

    // MARK: Reading

    /// Starts the reads of parts of the content, through the references that they will be read
    /// through.
    func prefetch(_ ranges: some Sequence<Range<ByteCount>>, of target: ReplacementTarget) {
        for range in ranges {
            var position = range.lowerBound
            while position < range.upperBound,
                let reference = target.reference(at: position)
            {
                let end = min(range.upperBound, reference.range.upperBound)
                store.prefetch(
                    reference.file, at: reference.fileOffset(of: position),
                    lengthBytes: end - position)
                position = end
            }
        }
    }

    private func read(
        _ range: Range<ByteCount>, of chain: Chain, _ targets: [ReplacementTarget]
    ) throws(ChainFailure) -> [UInt8] {
        var content: [UInt8] = []
        var start = ByteCount.zero
        for slice in chain.slices {
            let end = start + slice.lengthBytes
            let part = range.clamped(to: start..<end)
            if !part.isEmpty {
                let from = slice.range.lowerBound + (part.lowerBound - start)
                let to = slice.range.lowerBound + (part.upperBound - start)
                do throws(RewriteFailure) {
                    let piece = try read(from..<to, of: targets[slice.target])
                    content = content.isEmpty ? piece : content + piece
                } catch {
                    throw ChainFailure(target: slice.target, failure: error)
                }
            }
            start = end
        }
        return content
    }

    /// Reads a part of the content through whichever references hold it.
    private func read(
        _ range: Range<ByteCount>, of target: ReplacementTarget
    ) throws(RewriteFailure) -> [UInt8] {
        var content: [UInt8] = []
        var position = range.lowerBound
        while position < range.upperBound {
            guard let reference = target.reference(at: position) else {
                throw .store(BtrfsError("read", "a part nobody uses", .invalidArgument))
            }
            let end = min(range.upperBound, reference.range.upperBound)
            let piece = try read(
                reference, at: reference.fileOffset(of: position), lengthBytes: end - position)
            content = content.isEmpty ? piece : content + piece
            position = end
        }
        return content
    }

    private func read(
        _ reference: OpenReference, at offset: FileOffset, lengthBytes: ByteCount
    ) throws(RewriteFailure) -> [UInt8] {
        var failure: BtrfsError?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: lengthBytes.count) {
            buffer, count in
            do throws(BtrfsError) {
                count = unsafe try store.read(
                    reference.file, at: offset,
                    into: UnsafeMutableRawBufferPointer(
                        start: buffer.baseAddress, count: lengthBytes.count))
            } catch {
                failure = error
            }
        }
        if let failure {
            guard failure.reason == .ioError else { throw .store(failure) }
            throw .unreadable(failure, reference.inode, offset..<(offset + lengthBytes))
        }
        guard bytes.count == lengthBytes.count else {
            throw .store(BtrfsError("read", "a file that became shorter", .staleNFSFileHandle))
        }
        return bytes
    }

    // MARK: Writing

    /// Writes a frame of the chain that starts at `base`.
    func write(_ frame: Frame, at base: FileOffset) throws(BtrfsError) {
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
        if let failure { throw failure }
    }
}

extension ReplacementTarget {
    /// The one through which the content at a position is read.
    fileprivate func reference(at position: ByteCount) -> OpenReference? {
        references.first { $0.range.contains(position) }
    }
}
