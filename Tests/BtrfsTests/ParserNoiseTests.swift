// SPDX-License-Identifier: GPL-2.0-or-later
import Testing

@testable import Btrfs

/// No bytes from a kernel, however wrong, may end the process.
@Suite struct ParserNoiseTests {
    static let buffers = 20_000

    /// Noise with many bytes of nought and of all ones, so that counts and lengths are often small,
    /// and sums often too large.
    static func noise(_ generator: inout SeededGenerator) -> [UInt8] {
        let length = Int.random(in: 0...160, using: &generator)
        // Of sixteen bytes so many are nought.
        let noughts = Int.random(in: 0...15, using: &generator)
        return (0..<length).map { _ in
            let word = generator.next()
            if word % 16 < noughts { return 0 }
            return word % 16 == 15 ? .max : UInt8(truncatingIfNeeded: word >> 8)
        }
    }

    @Test func `No parser traps on noise, and each takes and refuses some of it`() {
        var generator = SeededGenerator(seed: 20_261_123)
        var taken = [Int](repeating: 0, count: 6)
        for _ in 0..<Self.buffers {
            let bytes = Self.noise(&generator)
            let span = unsafe bytes.span.bytes
            let key = ItemKey(objectIdentifier: 1, type: 108, offset: generator.next())
            let count = Int.random(in: -1...8, using: &generator)
            let items = SearchItems.forEach(in: span, count: count) {
                (_, _, _) throws(Never) in
            }
            if items { taken[0] += 1 }
            if let extent = FileExtent(key: key, item: span) {
                taken[1] += 1
                if case .regular(let reference) = extent.storage {
                    _ = reference.offsetInExtent + extent.lengthBytes
                    _ = extent.fileOffset + extent.lengthBytes
                    _ = reference.address + reference.diskBytes
                }
            }
            if InodeItem(item: span) != nil { taken[2] += 1 }
            if DataContainer.uses(span) != nil { taken[3] += 1 }
            if SpaceInfo.parse(span, count: count) != nil { taken[4] += 1 }
            let item = ChecksumItem(
                address: generator.next(), itemBytes: bytes.count, checksumBytes: 4,
                sectorBytes: 4096)
            let run = item.run(
                from: LogicalAddress(generator.next()), to: LogicalAddress(generator.next()))
            if let run {
                taken[5] += 1
                #expect(run.bytes.upperBound <= bytes.count)
            }
        }
        for parser in [0, 1, 2, 3, 4] {
            #expect(taken[parser] > 0 && taken[parser] < Self.buffers, "parser \(parser)")
        }
    }
}
