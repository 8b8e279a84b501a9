// SPDX-License-Identifier: GPL-2.0-or-later
internal import CZstd

/// Makes zstd frames that the kernel's Btrfs can unpack.
///
/// The kernel gives its decompressor memory for a window of 128 KiB (ZSTD_BTRFS_MAX_WINDOWLOG in
/// fs/btrfs/zstd.c), whatever the level, so that any level may be used here as long as the window
/// stays within. For one thread at a time.
/// Sendable unchecked: an instance is handed from owner to owner, never used by two at once.
@safe public final class FrameCompressor: @unchecked Sendable {
    private let context: OpaquePointer

    /// The levels that can be asked for.
    public static let levels = Array(-15 ... -1) + Array(1...19)
    /// The longest content of a frame in bytes.
    public static let contentLimitBytes = 128 * 1024
    /// log2 of the largest window that the kernel takes.
    public static let windowLog = 17

    /// With a level within `levels`.
    public init(level: Int) throws(ZstdError) {
        guard Self.levels.contains(level) else { throw .levelOutOfRange(level) }
        guard let context = unsafe ZSTD_createCCtx() else { throw .outOfMemory }
        unsafe self.context = context
        let parameters: [(ZSTD_cParameter, Int)] = [
            (ZSTD_c_compressionLevel, level), (ZSTD_c_windowLog, Self.windowLog),
            (ZSTD_c_checksumFlag, 0), (ZSTD_c_contentSizeFlag, 1),
        ]
        for (parameter, value) in parameters {
            let status = unsafe ZSTD_CCtx_setParameter(context, parameter, Int32(value))
            if ZSTD_isError(status) != 0 { throw Self.error(status) }
        }
    }

    deinit { unsafe ZSTD_freeCCtx(context) }

    /// Packs `content` (at most `contentLimitBytes`) into one frame.
    /// - Returns: the frame's length, or nil when it does not fit into `frame`: the caller says by
    ///   its size how much it must shrink to be worth it.
    public func compress(
        _ content: UnsafeRawBufferPointer, into frame: UnsafeMutableRawBufferPointer
    ) throws(ZstdError) -> Int? {
        guard content.count <= Self.contentLimitBytes else { throw .contentTooLong }
        let status = unsafe ZSTD_compress2(
            context, frame.baseAddress, frame.count, content.baseAddress, content.count)
        if ZSTD_isError(status) == 0 { return status }
        if ZSTD_getErrorCode(status) == ZSTD_error_dstSize_tooSmall { return nil }
        throw Self.error(status)
    }

    private static func error(_ status: Int) -> ZstdError {
        unsafe .library(String(cString: ZSTD_getErrorName(status)))
    }
}

/// Why a frame could not be made or read.
public enum ZstdError: Error, Equatable, Sendable {
    /// This level is none of `levels`.
    case levelOutOfRange(Int)
    /// The content is longer than a frame may hold.
    case contentTooLong
    /// No memory for a context.
    case outOfMemory
    /// What the library says.
    case library(String)
}
