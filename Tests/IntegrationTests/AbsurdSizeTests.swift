// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// Whoever may resize a volume may give it any size, and a sparse file takes no room.
@Suite("Images of absurd sizes", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct AbsurdSizeTests {
    @Test("Three images of 2^63 - 1 bytes, more than 64 bits hold, end no worker")
    func sums() throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let content = Content.text(mebibytes: 2, seed: 9)
        var volumes: [WorkerOrder.Volume] = []
        for name in ["work", "copy", "third"] {
            let image = fileSystem.image("appvms/\(name)/private.img")
            try Files.write(content, to: image)
            try Command.check("truncate", "--size", "\(Int64.max)", image)
            volumes.append(WorkerRun.volume(name))
        }
        try fileSystem.synchronize()
        let before = try WorkerRun.report(volumes, on: fileSystem)
        #expect(before.qubes.count == 3)
        for work in [WorkerRun.sparsify, WorkerRun.optimize, WorkerRun.defragment] {
            try WorkerRun.job(work, volumes, on: fileSystem)
        }
        let verified = try WorkerRun.job(.verify(accepts: false), volumes, on: fileSystem)
        #expect(verified.verification?.total.inUse == 3)
        #expect(verified.problems.count { $0.message.contains("larger than 64 TiB") } == 3)
        try fileSystem.synchronize()
        #expect(try fileSystem.dataUsedBytes() < 2 << 20)
        for name in ["work", "copy", "third"] {
            let file = try FileHandle(
                forReadingFrom: URL(
                    fileURLWithPath: fileSystem.image("appvms/\(name)/private.img")))
            #expect(try file.read(upToCount: content.count) == content)
        }
    }
}
