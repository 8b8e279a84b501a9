// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

@Suite(
    "Power cuts with a lost write cache", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct PowerCutTests {
    static let cuts = FaultMatrix.isWhole ? 100 : 6
    private static let images = [
        "appvms/work/private.img", "appvms/copy/private.img",
        "appvms/work/private.img.1@2026-01-01T00:00:00Z",
    ]
    private static let volumes = [WorkerRun.volume("work"), WorkerRun.volume("copy")]

    @Test(
        "Whatever of a job's writes is on the disk, every image reads as before",
        arguments: Verb.allCases + [.sparsify])
    func cuts(verb: Verb) throws {
        // A commit each second, and batches of what is given back: more flushes than usual.
        let world = try FaultWorld(mebibytes: 256, mount: ["commit=1", "discard=async"])
        let zeroes = verb == .sparsify ? 4 << 20 : 0
        let content = Content.text(mebibytes: 8, seed: 1) + Data(count: zeroes)
        for image in Self.images.prefix(2) {
            try world.write(scattered: content, to: image)
        }
        try world.clone(Self.images[0], to: Self.images[2])
        try world.fileSystem.remount()
        let base = world.fileSystem.folder + "/base"
        try Command.check("cp", "--sparse=always", world.device.backing, base)
        world.device.set { $0.records = true }
        guard case .result(let result)? = try world.job(verb.work, Self.volumes) else {
            Issue.record("no result")
            return
        }
        #expect(result.extentsReplaced > 0)
        let cut = PowerCut(base: base, records: world.device.written)
        // Enough places to cut at; each is met with another fate of what was under way.
        #expect(cut.records.count > 24)
        // A mounted Btrfs is known by its UUID: the original must be gone before a cut is mounted.
        let contents = world.contents
        try Command.check("umount", world.fileSystem.path)
        var random = Content(seed: 7)
        for number in 0..<Self.cuts {
            let fate = PowerCut.Fate.allCases[number % PowerCut.Fate.allCases.count]
            let place = 1 + Int(random.next() >> 33) % cut.records.count
            let disk = world.fileSystem.folder + "/cut"
            try cut.replay(to: disk, place: place, fate, &random)
            let after = try LoopFileSystem(existing: disk)
            for (image, content) in contents {
                let found = try? Data(contentsOf: URL(fileURLWithPath: after.image(image)))
                #expect(found == content, "\(image) after \(place) requests, \(fate)")
            }
        }
    }
}
