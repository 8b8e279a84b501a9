// SPDX-License-Identifier: GPL-2.0-or-later
import Engine
import Testing

@testable import Btrfs
@testable import Worker

@Suite("Where a range that is shared may be cut")
struct ShareStepsTests {
    private static let kibibyte: UInt64 = 1 << 10

    /// The ends of all steps through a range, in KiB.
    private func steps(_ endsKiB: [UInt64], from start: UInt64, lengthKiB: UInt64) -> [UInt64] {
        let steps = ShareSteps(ends: endsKiB.map { FileOffset($0 * Self.kibibyte) })
        var done = start
        var cuts: [UInt64] = []
        while done < start + lengthKiB, cuts.count < 1000 {
            let length = steps.lengthBytes(
                at: FileOffset(done * Self.kibibyte),
                atMost: ByteCount((start + lengthKiB - done) * Self.kibibyte))
            done += length.rawValue / Self.kibibyte
            cuts.append(done)
        }
        return cuts
    }

    @Test("Packed extents go a mebibyte at a time, and none is cut")
    func packed() {
        let ends = (1...32).map { UInt64($0) * 128 }
        #expect(steps(ends, from: 0, lengthKiB: 4096) == [1024, 2048, 3072, 4096])
        // From the middle of one on.
        #expect(steps(ends, from: 64, lengthKiB: 2048) == [1024, 2048, 2112])
    }

    @Test("A long extent goes whole, as far as the kernel takes it, and not with the next one")
    func plain() {
        #expect(steps([8192, 16384], from: 0, lengthKiB: 16384) == [8192, 16384])
        #expect(steps([24576], from: 0, lengthKiB: 24576) == [16384, 24576])
        #expect(steps([512, 8704, 8832], from: 0, lengthKiB: 8832) == [512, 8704, 8832])
    }

    @Test("Where no extent is known nothing is cut by small steps")
    func hole() {
        #expect(steps([], from: 0, lengthKiB: 2560) == [1024, 2048, 2560])
        #expect(steps([128], from: 0, lengthKiB: 1280) == [128, 1152, 1280])
    }
}
