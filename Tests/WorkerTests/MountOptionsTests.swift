// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Worker

@Suite("What the mount says of levels")
struct MountOptionsTests {
    @Test(
        "Others pack at the level of the option, or at 3",
        arguments: [
            ([], 3), (["rw", "compress=zstd:1"], 1), (["compress-force=zstd:15", "rw"], 15),
            (["compress=zstd:-5"], -5), (["compress=zstd"], 3), (["compress=zstd:"], 3),
            (["compress=lzo"], 3), (["compress=zlib:9"], 3), (["nocompress"], 3),
        ])
    func level(options: [String], expected: Int) {
        #expect(MountOptions.levelOfOthers(options) == expected)
    }

    @Test("Only compress and optimize pack again")
    func works() {
        #expect(WorkerOrder.Work.compress(level: nil, running: false).packsAgain)
        #expect(WorkerOrder.Work.optimize(level: 3, running: true).packsAgain)
        let others: [WorkerOrder.Work] = [
            .report, .check, .estimate(running: false), .dedupe(running: false),
            .defragment(running: false), .sparsify(running: false),
        ]
        #expect(others.allSatisfy { !$0.packsAgain })
    }
}
