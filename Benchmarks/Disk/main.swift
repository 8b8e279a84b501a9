// SPDX-License-Identifier: GPL-2.0-or-later
//
// bench-disk-frames FILE: writes made-up content that packs into one sector for 128 KiB, as the
// lines of its standard input say: `packed|plain PLACE COUNT NUMBER SALT`, each a whole number of
// frames. Packed content is written as it is to stand on the disk (ENCODED_WRITE): real extents and
// real checksums, 300 GiB of them in minutes; plain content as a qube writes it.
import Btrfs
import Glibc
import SystemCalls
import SystemPackage
import Zstd

/// What is in a frame: each sector of it occurs once in all the world, but for the frames that are
/// copies.
struct MadeUpFrame {
    static let sectorBytes = 4096
    static let sectors = 32
    static let contentBytes = sectors * sectorBytes
    /// One frame in so many holds what an earlier one holds.
    static let copyEvery: UInt64 = 20

    /// - Parameters:
    ///   - number: of all frames of the disk.
    ///   - salt: other content for the same numbers; 0 is what the disk begins with.
    static func fill(_ content: inout [UInt8], number: UInt64, salt: UInt64) {
        // A copy is one of what the disk began with, whatever was written later.
        let isCopy = number % copyEvery == copyEvery - 1
        let source = isCopy ? mix(number ^ mix(salt)) % number / copyEvery * copyEvery : number
        let seed = mix(source &+ mix(isCopy ? 0 : salt))
        for sector in 0..<sectors {
            for word in 0..<4 {
                let value = mix(seed &+ UInt64(sector * 4 + word))
                for byte in 0..<8 {
                    content[sector * sectorBytes + word * 8 + byte] =
                        UInt8(truncatingIfNeeded: value >> UInt64(byte * 8))
                }
            }
        }
    }

    /// Spreads the bits (the finalizer of MurmurHash3, which is in the public domain).
    private static func mix(_ value: UInt64) -> UInt64 {
        var bits = value &+ 0x9e37_79b9_7f4a_7c15
        bits = (bits ^ (bits >> 33)) &* 0xff51_afd7_ed55_8ccd
        bits = (bits ^ (bits >> 33)) &* 0xc4ce_b9fe_1a85_ec53
        return bits ^ (bits >> 33)
    }
}

/// Writes frames to a file.
final class FrameWriter {
    let file: Descriptor
    let compressor: FrameCompressor
    private var content = [UInt8](repeating: 0x71, count: MadeUpFrame.contentBytes)
    private var frame = [UInt8](repeating: 0, count: MadeUpFrame.sectorBytes)

    init(_ path: String) throws {
        file = try Descriptor.open(FilePath(path), .readWrite)
        compressor = try FrameCompressor(level: 1)
    }

    func write(number: UInt64, salt: UInt64, at place: UInt64, isPacked: Bool) throws {
        MadeUpFrame.fill(&content, number: number, salt: salt)
        let offset = place * UInt64(MadeUpFrame.contentBytes)
        guard isPacked else {
            try unsafe content.withUnsafeBytes { unsafe try file.write($0, atOffset: offset) }
            return
        }
        let length = try unsafe content.withUnsafeBytes { content in
            try unsafe frame.withUnsafeMutableBytes {
                unsafe try compressor.compress(content, into: $0)
            }
        }
        guard let length else { throw Errno.noSpace }
        try unsafe frame.withUnsafeBytes { frame in
            unsafe try EncodedIO.write(
                UnsafeRawBufferPointer(rebasing: frame[..<length]),
                contentBytes: .kibibytes(128), lengthBytes: .kibibytes(128), compression: .zstd,
                to: file, at: FileOffset(offset))
        }
    }
}

guard CommandLine.arguments.count == 2 else {
    print("usage: bench-disk-frames FILE <LINES, each 'packed|plain PLACE COUNT NUMBER SALT'")
    exit(2)
}
let writer = try FrameWriter(CommandLine.arguments[1])
while let line = readLine() {
    let words = line.split(separator: " ")
    let numbers = words.dropFirst().compactMap { UInt64($0) }
    guard numbers.count == 4, words.count == 5, ["packed", "plain"].contains(words[0]) else {
        throw Errno.invalidArgument
    }
    for index in 0..<numbers[1] {
        try writer.write(
            number: numbers[2] + index, salt: numbers[3], at: numbers[0] + index,
            isPacked: words[0] == "packed")
    }
}
