// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation

extension TortureDisk {
    private var base: String { folder + "/base" }

    /// From now on all that is written is kept, beginning with the mount.
    func beginRecording() throws {
        try unmount()
        if let recorder {
            try Command.check("cp", "--sparse=always", recorder.backing, base)
            recorder.set { $0.records = true }
        }
        try mount()
    }

    /// Unmounts, and gives what was written since.
    func endRecording() throws -> PowerCut {
        try unmount()
        let records = recorder?.written ?? []
        recorder?.set { $0.records = false }
        recorder?.forgetWritten()
        return PowerCut(base: base, records: records)
    }

    /// Mounts what the device has held at a moment, in its own place, where it must be sound.
    func withReplayed(
        _ cut: PowerCut, place: Int, _ fate: PowerCut.Fate, _ random: inout Content,
        _ look: () throws -> Void
    ) throws {
        let copy = folder + "/cut"
        try cut.replay(to: copy, place: place, fate, &random)
        let device = try Command.check("losetup", "--find", "--show", copy).output
            .trimmingCharacters(in: .whitespacesAndNewlines)
        defer {
            // Of two devices with one file system the kernel would take the newer one.
            _ = try? Command.run(["btrfs", "device", "scan", "--forget", device])
            _ = try? Command.run(["losetup", "--detach", device])
            try? FileManager.default.removeItem(atPath: copy)
        }
        try mount(device)
        do {
            try look()
        } catch {
            try? unmount()
            throw error
        }
        try unmount()
        try checkTrees(on: device)
    }
}

/// Rounds at the end of which the power was cut.
extension TortureWorld {
    /// Jobs alone. Then the device is made as it was at some moments of them, each with another
    /// part of what no flush had followed, and looked at as everything is.
    func cuts(_ random: inout TortureRandom) throws {
        for _ in 0..<random.number(8..<20) { try driver.step() }
        try disk.beginRecording()
        for _ in 0..<random.number(1..<4) {
            try run(TortureJob(&random, random.pick([.left, .left, .left, .killed, .cancelled])))
            if random.chance(50) { try disk.synchronize() }
        }
        let cut = try disk.endRecording()
        guard !cut.records.isEmpty else {
            throw TortureModel.Broken(description: "nothing was recorded")
        }
        var content = Content(seed: random.next())
        for _ in 0..<random.number(3..<7) {
            let fate = random.pick(PowerCut.Fate.allCases)
            let place = random.number(1..<cut.records.count + 1)
            driver.writer.note("power cut after \(place) of \(cut.records.count), \(fate)")
            try disk.withReplayed(cut, place: place, fate, &content) { try model.compare() }
            counts.powerCuts += 1
        }
        try disk.mount()
    }
}
