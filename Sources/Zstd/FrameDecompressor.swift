// SPDX-License-Identifier: GPL-2.0-or-later
internal import CZstd

/// Unpacks the zstd frames of Btrfs extents. For one thread at a time.
/// Sendable unchecked: an instance is handed from owner to owner, never used by two at once.
@safe public final class FrameDecompressor: @unchecked Sendable {
    private let context: OpaquePointer

    /// With a context of its own.
    public init() throws(ZstdError) {
        guard let context = unsafe ZSTD_createDCtx() else { throw .outOfMemory }
        unsafe self.context = context
    }

    deinit { unsafe ZSTD_freeDCtx(context) }

    /// Unpacks the first frame of `packed`; Btrfs fills the last sector of an extent with zeroes
    /// behind it. A frame of more than `limitBytes` is refused.
    public func decompress(_ packed: [UInt8], limitBytes: Int) throws(ZstdError) -> [UInt8] {
        let frameBytes = unsafe packed.withUnsafeBytes {
            unsafe ZSTD_findFrameCompressedSize($0.baseAddress, $0.count)
        }
        if ZSTD_isError(frameBytes) != 0 { throw Self.error(frameBytes) }
        var status = 0
        let content = unsafe [UInt8](unsafeUninitializedCapacity: limitBytes) { buffer, count in
            status = unsafe packed.withUnsafeBytes {
                unsafe ZSTD_decompressDCtx(
                    context, buffer.baseAddress, limitBytes, $0.baseAddress, frameBytes)
            }
            count = ZSTD_isError(status) == 0 ? status : 0
        }
        if ZSTD_isError(status) != 0 { throw Self.error(status) }
        return content
    }

    private static func error(_ status: Int) -> ZstdError {
        unsafe .library(String(cString: ZSTD_getErrorName(status)))
    }
}
