// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

@testable import Zstd

@Suite struct FrameTests {
    static let limitBytes = FrameCompressor.contentLimitBytes

    /// Text-like: words in an order that no window of its own predicts.
    static let text: [UInt8] = {
        var state: UInt64 = 1
        var bytes: [UInt8] = []
        while bytes.count < limitBytes {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            bytes += Array("word\(state >> 54) ".utf8)
        }
        return Array(bytes.prefix(limitBytes))
    }()

    static let noise: [UInt8] = {
        var state: UInt64 = 7
        return (0..<limitBytes).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 56)
        }
    }()

    static func pack(
        _ content: [UInt8], level: Int = 3, capacity: Int = limitBytes
    ) throws -> [UInt8]? {
        let compressor = try FrameCompressor(level: level)
        var frame = [UInt8](repeating: 0, count: capacity)
        let length = unsafe try frame.withUnsafeMutableBytes { frame in
            unsafe try content.withUnsafeBytes { unsafe try compressor.compress($0, into: frame) }
        }
        return length.map { Array(frame.prefix($0)) }
    }

    /// The bytes of window that a frame asks of whoever unpacks it (RFC 8878, 3.1.1.1).
    static func windowBytes(_ frame: [UInt8]) throws -> UInt64 {
        try #require(frame.count > 13 && Array(frame.prefix(4)) == [0x28, 0xb5, 0x2f, 0xfd])
        let descriptor = frame[4]
        let isSingleSegment = descriptor & 0x20 != 0
        if !isSingleSegment {
            let base = UInt64(1) << (10 + UInt64(frame[5] >> 3))
            return base + base / 8 * UInt64(frame[5] & 7)
        }
        // A single segment's window is its content; the size of the field stands in the flags.
        let dictionaryBytes = [0, 1, 2, 4][Int(descriptor & 3)]
        let sizeBytes = [1, 2, 4, 8][Int(descriptor >> 6)]
        let field = frame[(5 + dictionaryBytes)...].prefix(sizeBytes)
        let size = field.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return sizeBytes == 2 ? size + 256 : size
    }

    @Test(arguments: FrameCompressor.levels) func `A frame of any level unpacks to its content`(
        level: Int
    ) throws {
        let frame = try #require(try Self.pack(Self.text, level: level))
        // The fast ones pack less.
        #expect(frame.count < Self.limitBytes / (level > 0 ? 2 : 1))
        #expect(
            try FrameDecompressor().decompress(frame, limitBytes: Self.limitBytes) == Self.text)
    }

    @Test(arguments: FrameCompressor.levels) func `No frame asks for a window above 128 KiB`(
        level: Int
    ) throws {
        for length in [Self.limitBytes, 131_071, 65536, 4096] {
            let content = Array(Self.text.prefix(length))
            let frame = try #require(try Self.pack(content, level: level))
            #expect(try Self.windowBytes(frame) <= 128 * 1024, "\(length) bytes")
        }
    }

    @Test func `A compressor makes one frame after the other`() throws {
        let compressor = try FrameCompressor(level: 3)
        for content in [Self.text, Array(Self.text.reversed()), Self.text] {
            var frame = [UInt8](repeating: 0, count: Self.limitBytes)
            let length = unsafe try frame.withUnsafeMutableBytes { frame in
                unsafe try content.withUnsafeBytes {
                    unsafe try compressor.compress($0, into: frame)
                }
            }
            let packed = Array(frame.prefix(try #require(length)))
            let unpacked = try FrameDecompressor().decompress(packed, limitBytes: Self.limitBytes)
            #expect(unpacked == content)
        }
    }

    @Test func `What does not fit gives nil, and the next frame is made all the same`() throws {
        #expect(try Self.pack(Self.noise, capacity: Self.limitBytes - 4096) == nil)
        let whole = try #require(try Self.pack(Self.text))
        #expect(try Self.pack(Self.text, capacity: whole.count - 1) == nil)
        #expect(try Self.pack(Self.text, capacity: 0) == nil)
    }

    @Test func `Content of more than 128 KiB is refused`() throws {
        #expect(throws: ZstdError.contentTooLong) { try Self.pack(Self.text + [0]) }
    }

    @Test(arguments: [Int.min, -16, 0, 20, 22, Int.max]) func `A level out of range is refused`(
        level: Int
    ) {
        #expect(throws: ZstdError.levelOutOfRange(level)) { try FrameCompressor(level: level) }
    }
}

@Suite struct FrameDecompressorTests {
    static func unpack(_ packed: [UInt8], limitBytes: Int = FrameTests.limitBytes) throws
        -> [UInt8]
    {
        try FrameDecompressor().decompress(packed, limitBytes: limitBytes)
    }

    @Test(arguments: [1, 4095, 4096, 100_000]) func `Zeroes behind a frame are no part of it`(
        zeroes: Int
    ) throws {
        let frame = try #require(try FrameTests.pack(FrameTests.text))
        let padded = frame + [UInt8](repeating: 0, count: zeroes)
        #expect(try Self.unpack(padded) == FrameTests.text)
    }

    @Test func `A frame that is cut at any of many places is refused`() throws {
        let frame = try #require(try FrameTests.pack(FrameTests.text))
        for length in stride(from: 0, to: frame.count, by: 97) {
            #expect(throws: ZstdError.self) { try Self.unpack(Array(frame.prefix(length))) }
        }
    }

    @Test func `What is no frame is refused`() {
        for bytes in [[], [0], [UInt8](repeating: 0, count: 4096), FrameTests.noise] {
            #expect(throws: ZstdError.self) { try Self.unpack(bytes) }
        }
    }

    @Test func `A frame that unpacks to more than the limit is refused`() throws {
        let zeroes = [UInt8](repeating: 0, count: FrameTests.limitBytes)
        let frame = try #require(try FrameTests.pack(zeroes))
        #expect(frame.count < 100)
        #expect(try Self.unpack(frame).count == FrameTests.limitBytes)
        for limit in [0, 1, 4096, FrameTests.limitBytes - 1] {
            #expect(throws: ZstdError.self) { try Self.unpack(frame, limitBytes: limit) }
        }
    }

    @Test func `Bytes changed anywhere never give more than the limit`() throws {
        let frame = try #require(try FrameTests.pack(FrameTests.text))
        for place in stride(from: 0, to: frame.count, by: 131) {
            var broken = frame
            broken[place] ^= 0x55
            let content = try? Self.unpack(broken, limitBytes: FrameTests.limitBytes)
            #expect(content?.count ?? 0 <= FrameTests.limitBytes)
        }
    }
}
