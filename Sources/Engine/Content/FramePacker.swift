// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// Packs frames that the kernel can unpack. One for each lane.
public protocol FrameEncoder: Sendable {
    /// Packs `content` into `frame`; nil when it does not fit, which says that it is not worth it.
    func encode(
        _ content: UnsafeRawBufferPointer, into frame: UnsafeMutableRawBufferPointer, level: Int
    ) -> Int?
}

/// Packs one frame after the other, by the rule of jobs and estimates: it takes whole sectors, one
/// less than its content at least, or it is not packed.
///
/// It keeps its buffers, for frames are many and all of a size: so it is for one thread.
final class FramePacker {
    private let encoder: any FrameEncoder
    private let sectorBytes: ByteCount
    /// The content in work; what it lacks to whole sectors is zeroes.
    private var content: [UInt8] = []
    /// What was packed last.
    private var frame: [UInt8] = []
    private var contentBytes = ByteCount.zero

    init(encoder: any FrameEncoder, sectorBytes: ByteCount) {
        self.encoder = encoder
        self.sectorBytes = sectorBytes
    }

    /// What the content takes as it is: whole sectors.
    var plainBytes: ByteCount { contentBytes.roundedUp(to: sectorBytes) }

    /// Takes other content: parts, one behind the other.
    /// - Parameters:
    ///   - parts: each with whose content it is a part of.
    ///   - read: fills a buffer with one part; it may hold anything before.
    func take<Owner, Failure>(
        _ parts: [(owner: Owner, range: Range<ByteCount>)],
        _ read: (Owner, Range<ByteCount>, UnsafeMutableRawBufferPointer) throws(Failure) -> Void
    ) throws(Failure) {
        contentBytes = Ranges.totalBytes(parts.map(\.range))
        let plainBytes = plainBytes
        Self.grow(&content, to: plainBytes)
        // What a tail lacks to a whole sector reads as zeroes.
        for index in contentBytes.count..<plainBytes.count { content[index] = 0 }
        unsafe try content.withUnsafeMutableBufferPointer { (buffer) throws(Failure) in
            let bytes = UnsafeMutableRawBufferPointer(buffer)
            var start = 0
            for part in parts {
                let end = start + (part.range.upperBound - part.range.lowerBound).count
                unsafe try read(
                    part.owner, part.range,
                    UnsafeMutableRawBufferPointer(rebasing: bytes[start..<end]))
                start = end
            }
        }
    }

    /// The content, as it is.
    func plain() -> [UInt8] { [UInt8](content[..<contentBytes.count]) }

    /// The content, packed; nil when that is not worth it.
    func packed(level: Int) -> [UInt8]? { pack(level: level).map { [UInt8](frame[..<$0]) } }

    /// What the content takes on the device when it is packed; nil when that is not worth it.
    func packedBytes(level: Int) -> ByteCount? {
        pack(level: level).map { ByteCount($0).roundedUp(to: sectorBytes) }
    }

    private func pack(level: Int) -> Int? {
        let length = plainBytes
        guard length > sectorBytes else { return nil }
        let limit = length - sectorBytes
        Self.grow(&frame, to: limit)
        return unsafe content.withUnsafeBytes { content in
            unsafe frame.withUnsafeMutableBytes { frame in
                unsafe encoder.encode(
                    UnsafeRawBufferPointer(rebasing: content[..<length.count]),
                    into: UnsafeMutableRawBufferPointer(rebasing: frame[..<limit.count]),
                    level: level)
            }
        }
    }

    private static func grow(_ buffer: inout [UInt8], to length: ByteCount) {
        if buffer.count < length.count { buffer = [UInt8](repeating: 0, count: length.count) }
    }
}
