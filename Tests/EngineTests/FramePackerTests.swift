// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Testing

@testable import Engine

@Suite struct FramePackerTests {
    static let sector = ByteCount.kibibytes(4)

    /// Packs to as many bytes as it is told, and keeps what it was given.
    final class FixedEncoder: FrameEncoder {
        let packedBytes: Int
        init(packedBytes: Int) { self.packedBytes = packedBytes }

        func encode(
            _ content: UnsafeRawBufferPointer, into frame: UnsafeMutableRawBufferPointer,
            level: Int
        ) -> Int? {
            guard packedBytes <= frame.count else { return nil }
            // The first and the last byte of the content are in the frame.
            for index in 0..<packedBytes {
                unsafe frame[index] = unsafe content[index % 2 == 0 ? 0 : content.count - 1]
            }
            return packedBytes
        }
    }

    static func packer(_ packedBytes: Int) -> FramePacker {
        FramePacker(encoder: FixedEncoder(packedBytes: packedBytes), sectorBytes: sector)
    }

    /// Takes parts of so many bytes, each filled with a number of its own.
    static func take(_ packer: FramePacker, _ lengths: [(fill: UInt8, bytes: UInt64)]) {
        unsafe packer.take(lengths.map { ($0.fill, ByteCount.zero..<ByteCount($0.bytes)) }) {
            fill, range, buffer in
            #expect(buffer.count == range.upperBound.count)
            unsafe buffer.initializeMemory(as: UInt8.self, repeating: fill)
        }
    }

    @Test(arguments: [(8192, 8192), (8193, nil), (4097, 8192), (4096, 4096), (1, 4096)])
    func `A frame takes whole sectors, one less than its content at least`(
        packed: Int, disk: Int?
    ) {
        let packer = Self.packer(packed)
        Self.take(packer, [(1, 12288)])
        #expect(packer.packedBytes(level: 3)?.count == disk)
        #expect(packer.packed(level: 3)?.count == (disk == nil ? nil : packed))
    }

    @Test func `A single sector is not packed`() {
        let packer = Self.packer(1)
        Self.take(packer, [(1, 4000)])
        #expect(packer.plainBytes == Self.sector)
        #expect(packer.packedBytes(level: 3) == nil)
        #expect(packer.plain() == [UInt8](repeating: 1, count: 4000))
    }

    @Test func `Nothing of earlier content is left in what is packed`() {
        let packer = Self.packer(2)
        Self.take(packer, [(7, 12288)])
        #expect(packer.packed(level: 3) == [7, 7])
        Self.take(packer, [(8, 4096), (9, 1000)])
        #expect(packer.plainBytes == .kibibytes(8))
        #expect(packer.packed(level: 3) == [8, 0])
        #expect(
            packer.plain()
                == [UInt8](repeating: 8, count: 4096) + [UInt8](repeating: 9, count: 1000))
    }
}
