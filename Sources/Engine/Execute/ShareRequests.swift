// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// One dedupe request: a range of a source that a range of an image shall refer to.
struct ShareRequest<File: Sendable>: Sendable {
    /// The target's index in its batch.
    let target: Int
    /// The reference's index in its target.
    let reference: Int
    let source: File
    let sourceOffset: FileOffset
    let destination: File
    let destinationOffset: FileOffset
    /// The part of the extent's content.
    let range: Range<ByteCount>
    /// The source is an image, not our scratch file.
    let fromKeeper: Bool
    /// A qube may be writing to the destination.
    let isDestinationLive: Bool

    var lengthBytes: ByteCount { range.upperBound - range.lowerBound }

    /// Its first part.
    func prefix(_ length: ByteCount) -> ShareRequest {
        ShareRequest(
            target: target, reference: reference, source: source, sourceOffset: sourceOffset,
            destination: destination, destinationOffset: destinationOffset,
            range: range.lowerBound..<(range.lowerBound + length), fromKeeper: fromKeeper,
            isDestinationLive: isDestinationLive)
    }
}

/// Where a part of an extent's content is to be had.
struct Source<File: Sendable>: Sendable {
    let range: Range<ByteCount>
    let file: File
    /// Where in the file the part starts.
    let offset: FileOffset
    let isKeeper: Bool
    /// A qube may be writing to the file now: it is locked as well while the kernel compares.
    let isLive: Bool

    /// The sources without what is excluded and without what an earlier one has: no two overlap.
    static func disjoint(_ sources: [Source], excluding excluded: [Range<ByteCount>]) -> [Source] {
        var taken = Ranges.union(excluded)
        var result: [Source] = []
        for source in sources {
            for range in Ranges.subtract(taken, from: [source.range]) {
                result.append(
                    Source(
                        range: range, file: source.file,
                        offset: source.offset + (range.lowerBound - source.range.lowerBound),
                        isKeeper: source.isKeeper, isLive: source.isLive))
            }
            taken = Ranges.union(taken + [source.range])
        }
        return result
    }
}

/// Cuts what is to be shared into requests. Pure.
enum ShareRequests {
    /// The requests that move every reference of a target to its sources, in the references' order,
    /// none longer than the limits allow.
    static func make<File>(
        target index: Int, _ target: ReplacementTarget<File>, sources: [Source<File>],
        limits: ExecutionLimits
    ) -> [ShareRequest<File>] {
        var requests: [ShareRequest<File>] = []
        for (referenceIndex, reference) in target.references.enumerated() {
            for source in sources where source.range.overlaps(reference.range) {
                let isLive = reference.isLive || source.isLive
                let limit = isLive ? limits.liveRequest : limits.request
                var start = max(source.range.lowerBound, reference.range.lowerBound)
                let end = min(source.range.upperBound, reference.range.upperBound)
                while start < end {
                    let next = min(start + limit, end)
                    requests.append(
                        ShareRequest(
                            target: index, reference: referenceIndex, source: source.file,
                            sourceOffset: source.offset + (start - source.range.lowerBound),
                            destination: reference.file,
                            destinationOffset: reference.fileOffset(of: start),
                            range: start..<next, fromKeeper: source.isKeeper,
                            isDestinationLive: reference.isLive))
                    start = next
                }
            }
        }
        return requests
    }
}
