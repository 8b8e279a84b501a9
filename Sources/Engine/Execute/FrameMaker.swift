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

/// Reads content, packs it, and writes it. For one thread.
struct FrameMaker {
    let store: any ExtentStore
    let fresh: FreshSources
    let scratch: any ScratchFile
    let packer: FramePacker
    let limits: ExecutionLimits

    private var reader: ContentReader { ContentReader(store: store, earlyEnd: .isFailure) }
    /// What decides on large extents.
    var look: FirstLook { FirstLook(limits: limits, sectorBytes: store.sectorBytes) }

    /// The frames of a chain, in order.
    func make(
        _ chain: Chain, of targets: [ReplacementTarget]
    ) throws(ChainFailure) -> [Frame] {
        var made: [Frame] = []
        let whole = ByteCount.zero..<chain.lengthBytes
        for range in Ranges.cut([whole], atMultiplesOf: limits.frameContent) {
            try read(range, of: chain, targets)
            guard case .packed(let level) = chain.rewriting else {
                made.append(Frame(range: range, bytes: packer.plain(), isPacked: false))
                continue
            }
            let packed = packer.packed(level: level)
            made.append(
                Frame(range: range, bytes: packed ?? packer.plain(), isPacked: packed != nil))
            if made.count == 1, let slice = chain.slices.first, chain.slices.count == 1 {
                let target = targets[slice.target]
                if disappoints(made[0], target, [slice.range], level: level) {
                    throw ChainFailure(target: slice.target, failure: .doesNotShrink)
                }
                if look.isDue(for: target, writing: [slice.range]) {
                    prefetch([slice.range], of: target)
                }
            }
        }
        return made
    }

    /// What a frame takes on the device.
    func diskBytes(_ frame: Frame) -> ByteCount {
        ByteCount(frame.bytes.count).roundedUp(to: store.sectorBytes)
    }

    // MARK: Packing

    /// Whether the rest is not worth packing, after the first frame of what is large and has
    /// nothing to gain but by packing: most of what shrinks shows it there, and costs no more than
    /// its frames; of what does not, samples are asked.
    func disappoints(
        _ first: Frame, _ target: ReplacementTarget, _ ranges: [Range<ByteCount>],
        level: Int
    ) -> Bool {
        guard look.isDue(for: target, writing: ranges) else { return false }
        let length = first.range.upperBound - first.range.lowerBound
        return !limits.isWorth(diskBytes(first), of: length)
            && !shrinksInSamples(target, ranges, level: level)
    }

    /// Whether samples, spread over the content and packed together, shrink by as much as the whole
    /// would have to. What cannot be read is for the real attempt to find out.
    private func shrinksInSamples(
        _ target: ReplacementTarget, _ ranges: [Range<ByteCount>], level: Int
    ) -> Bool {
        let places = look.samples(of: ranges)
        var disk = ByteCount.zero
        var length = ByteCount.zero
        for start in stride(from: 0, to: places.count, by: FirstLook.samplesInFrame) {
            let samples = places[start..<min(start + FirstLook.samplesInFrame, places.count)]
            do throws(ContentFailure) {
                unsafe try packer.take(samples.map { (target, $0) }, reader.read)
            } catch {
                return true
            }
            guard packer.plainBytes > store.sectorBytes else { return true }
            disk += packer.packedBytes(level: level) ?? packer.plainBytes
            length += packer.plainBytes
        }
        return limits.isWorth(disk, of: length)
    }

    // MARK: Reading

    /// Starts the reads of parts of the content, through the references that they will be read
    /// through.
    func prefetch(_ ranges: some Sequence<Range<ByteCount>>, of target: ReplacementTarget) {
        for range in ranges {
            _ = try? target.forEachPart(of: range) { part in
                let start = ByteCount(part.offset.rawValue)
                fresh.readAhead(
                    .init(
                        inode: part.inode, file: part.file,
                        range: start..<(start + part.lengthBytes)))
            }
        }
    }

    /// The same, of what is read first of parts: the rest follows when that shows that they shrink.
    func prefetchFirst(_ ranges: [Range<ByteCount>], of target: ReplacementTarget) {
        prefetch(look.ranges(ranges, of: target), of: target)
    }

    /// Reads a part of a chain for the packer.
    private func read(
        _ range: Range<ByteCount>, of chain: Chain, _ targets: [ReplacementTarget]
    ) throws(ChainFailure) {
        unsafe try packer.take(chain.slices(in: range).map { ($0.target, $0.range) }) {
            (index, part, buffer) throws(ChainFailure) in
            do throws(ContentFailure) {
                unsafe try reader.read(targets[index], part, into: buffer)
            } catch {
                throw ChainFailure(target: index, failure: RewriteFailure(error))
            }
        }
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

extension ReplacementTarget: ShownContent {
    func part(from position: ByteCount) -> ContentPart? {
        guard let reference = references.first(where: { $0.range.contains(position) }) else {
            return nil
        }
        return ContentPart(
            range: position..<reference.range.upperBound, file: reference.file,
            inode: reference.inode, offset: reference.fileOffset(of: position),
            isLive: reference.isLive)
    }
}

extension RewriteFailure {
    fileprivate init(_ failure: ContentFailure) {
        switch failure {
        case .unreadable(let error, let inode, let range): self = .unreadable(error, inode, range)
        case .store(let error): self = .store(error)
        }
    }
}
