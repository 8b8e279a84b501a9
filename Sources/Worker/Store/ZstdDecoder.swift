// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import SystemCalls
internal import Zstd

/// Unpacks zstd extents; the kernel does so with the others. As many contexts as threads work at a
/// time are kept: making one costs a thirtieth of what unpacking a frame does.
final class ZstdDecoder: FrameDecoder {
    private let idle = Monitor<[FrameDecompressor]>([])

    func decode(_ extent: EncodedExtent) -> [UInt8]? {
        guard extent.compression == .zstd,
            let decompressor = idle.withLock({ $0.popLast() }) ?? (try? FrameDecompressor())
        else { return nil }
        defer { idle.withLock { $0.append(decompressor) } }
        guard
            var content = try? decompressor.decompress(
                extent.bytes, limitBytes: extent.contentBytes.count)
        else { return nil }
        // What a frame lacks to the extent's content reads as zeroes.
        content += [UInt8](repeating: 0, count: extent.contentBytes.count - content.count)
        return content
    }
}
