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

    var lengthBytes: ByteCount { range.upperBound - range.lowerBound }
}

/// Where a part of an extent's content is to be had.
struct Source<File: Sendable>: Sendable {
    let range: Range<ByteCount>
    let file: File
    /// Where in the file the part starts.
    let offset: FileOffset
    let isKeeper: Bool
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
            let limit = reference.isLive ? limits.liveRequest : limits.request
            for source in sources where source.range.overlaps(reference.range) {
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
                            range: start..<next, fromKeeper: source.isKeeper))
                    start = next
                }
            }
        }
        return requests
    }
}
