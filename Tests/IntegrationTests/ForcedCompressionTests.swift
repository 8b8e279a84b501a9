// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// The mount option compress-force has the kernel pack what a job writes plain, whatever flags its
/// scratch file has. Plain is what was written before the option was set, or with direct I/O on
/// older kernels.
@Suite(
    "Jobs where the mount forces compression", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason)
)
struct ForcedCompressionTests {
    private static let volumes = [WorkerRun.volume("work"), WorkerRun.volume("copy")]

    @Test(
        "Every job does its work, and no file changes",
        arguments: Verb.allCases, ["compress-force=lzo", "compress-force=zstd:3"])
    func forced(verb: Verb, option: String) throws {
        let fileSystem = try LoopFileSystem(mebibytes: 512)
        let image = fileSystem.image("appvms/work/private.img")
        let copy = fileSystem.image("appvms/copy/private.img")
        let text = Content.text(mebibytes: 8, seed: 1)
        var other = Content.text(mebibytes: 8, seed: 2)
        // A half of each extent is in the other image, and what is left of it is written anew.
        for start in stride(from: 0, to: text.count, by: 64 << 10) {
            let half = start..<(start + 32 << 10)
            other.replaceSubrange(half, with: text[half])
        }
        for (content, path) in [(text, image), (other, copy)] {
            try Files.write(Data(), to: path)
            let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
            // In no order, which is what defragment works on.
            for number in 0..<128 {
                let start = (number * 37 % 128) << 16
                try file.seek(toOffset: UInt64(start))
                try file.write(contentsOf: content[start..<(start + 64 << 10)])
                try file.synchronize()
            }
            try file.close()
        }
        try Command.check("mount", "-o", "remount,\(option)", fileSystem.path)
        let before = try (fileSystem.dataUsedBytes(), fileSystem.inventory())
        let result = try WorkerRun.job(verb.work, Self.volumes, on: fileSystem)
        #expect(result.extentsReplaced > 0)
        #expect(try fileSystem.inventory() == before.1)
        #expect(try fileSystem.dataUsedBytes() <= before.0)
    }
}
