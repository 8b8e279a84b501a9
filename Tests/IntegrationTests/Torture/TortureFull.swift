// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation

/// Rounds in which there is no room.
extension TortureWorld {
    private static let witness = "home/witness"
    private static let witnessBytes = 1 << 20
    /// With less the kernel may refuse a qube, whoever else is there.
    private static let treeRoomOfQubes: Int64 = 16 << 20

    /// The file system is full before a job, or becomes so in the middle of one: of data, or of all
    /// that the trees have. Nobody writes but a qube whose image needs no room, and what was full
    /// is free again in the end.
    func full(_ random: inout TortureRandom) throws {
        for _ in 0..<24 { try driver.writer.change(random.pick(model.writable)) }
        try driver.writer.makeWitness(Self.witness, bytes: Self.witnessBytes)
        for _ in 0..<random.number(1..<4) {
            let job = TortureJob(&random, random.pick([.left, .left, .killed, .cancelled]))
            let isBefore = random.chance(60)
            let fillsTrees = random.chance(35)
            let left = random.pick([0, 0, 16, 56, 120]) << 20
            let before = try disk.usedBytes()
            let ballast = try TortureBallast(on: disk)
            defer { try? ballast.remove() }
            func fill() throws {
                let taken = try ballast.fillData(leavingBytes: left)
                let links = fillsTrees ? try ballast.fillTrees() : 0
                driver.writer.note("full: \(taken) bytes and \(links) links, but for \(left)")
            }
            if isBefore { try fill() }
            try begin(job)
            if !isBefore {
                usleep(job.microseconds / 2)
                try fill()
            }
            counts.fullDisks += 1
            let isFullOfTrees = try fillsTrees || disk.treeRoomBytes() < Self.treeRoomOfQubes
            try write(beside: job, isFullOfTrees: isFullOfTrees, &random)
            try ballast.remove()
            let ending = try finish(mayLackRoom: true)
            try demandNoGrowth(before, ending)
        }
        try driver.writer.remove(Self.witness)
    }

    /// A qube writes in place until the job is over, or holds for want of room.
    private func write(
        beside job: TortureJob, isFullOfTrees: Bool, _ random: inout TortureRandom
    ) throws {
        let moment = ContinuousClock.now + .microseconds(Int(job.microseconds))
        var hasMet = job.fate == .left
        let end = ContinuousClock.now + .seconds(TortureWorker.patienceSeconds)
        while let worker, worker.isRunning, ContinuousClock.now < end {
            if !hasMet, ContinuousClock.now > moment {
                try meet(job)
                hasMet = true
            }
            if hasMet, try worker.isHeldForRoom { return driver.writer.note("the job holds") }
            // Each change of a file changes a tree, too.
            if !isFullOfTrees {
                try driver.writer.overwrite(Self.witness, random.number(0..<256) << 12)
            }
            usleep(5000)
        }
    }
}
