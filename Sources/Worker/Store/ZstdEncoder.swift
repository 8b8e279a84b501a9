// SPDX-License-Identifier: GPL-2.0-or-later
internal import Engine
internal import SystemCalls
internal import Zstd

/// The engine's encoder by libzstd, with one context for each level that is asked for.
final class ZstdEncoder: FrameEncoder {
    private let compressors = Monitor<[Int: FrameCompressor]>([:])

    func encode(
        _ content: UnsafeRawBufferPointer, into frame: UnsafeMutableRawBufferPointer, level: Int
    ) -> Int? {
        let compressor = compressors.withLock { known -> FrameCompressor? in
            if known[level] == nil { known[level] = try? FrameCompressor(level: level) }
            return known[level]
        }
        // No memory for a context, or a level out of range: what cannot be packed stays plain.
        return unsafe try? compressor?.compress(content, into: frame)
    }
}
