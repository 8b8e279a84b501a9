// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol

/// One file system, and rounds of jobs on it. After each of them all is looked at.
final class TortureWorld {
    let disk: TortureDisk
    let driver: TortureDriver
    private(set) var worker: TortureWorker?
    var counts = TortureCounts()
    private(set) var log: [String] = []
    private let seed: UInt64
    private var round: UInt64 = 0

    /// - Parameter isRecorded: see `TortureDisk.kind`.
    init(seed: UInt64, isRecorded: Bool? = nil) throws {
        self.seed = seed
        var random = TortureRandom(seed: seed, 1)
        disk = try TortureDisk(TortureDisk.kind(&random, isRecorded: isRecorded))
        driver = try TortureDriver(disk, TortureRandom(seed: seed, 2))
        try driver.writer.model.compare()
        counts.worlds = 1
        log.append("mkfs.btrfs \(disk.kind.name)")
        driver.isBesideJob = { [unowned self] in worker?.isRunning == true }
    }

    var model: TortureModel { driver.model }

    /// One round, by chance unless its kind is given, and then the look at everything.
    func goOn(_ kind: TortureRound? = nil) throws {
        round += 1
        var random = TortureRandom(seed: seed, 3, round)
        let chosen = TortureRound.pick(&random, isRecorded: disk.kind.isRecorded)
        let kind = kind ?? chosen
        log = [log[0], "a round of the kind \(kind)"]
        driver.writer.begin(TortureRandom(seed: seed, 4, round))
        defer {
            log += driver.writer.log
            counts.rounds[kind, default: 0] += 1
            counts.operations = driver.writer.count
            counts.times = driver.times
            counts.comparedBytes = model.comparedBytes
        }
        if random.chance(15) { try damageKept(&random) }
        switch kind {
        case .quiet: try quiet(&random)
        case .killed: try killed(&random)
        case .busy: try busy(&random)
        case .races: try races(&random)
        case .full: try full(&random)
        case .quota: try quota(&random)
        case .daemon: try daemon(&random)
        case .cuts: try cuts(&random)
        }
        try disk.synchronize()
        try disk.checkTrees()
        try model.compare()
        try disk.scrub()
    }

    /// The last look, at what only a file system that is left alone can be asked.
    func end() throws {
        let orphans = try disk.orphans()
        guard orphans == 0 else {
            throw TortureModel.Broken(description: "\(orphans) orphan inodes")
        }
    }

    // MARK: Jobs

    func begin(_ job: TortureJob) throws {
        driver.writer.note("job \(job)")
        worker = try TortureWorker(job.order(on: disk), in: disk.folder)
        counts.jobs += 1
    }

    /// What was to become of it happens.
    func meet(_ job: TortureJob) throws {
        driver.writer.note("the job is \(job.fate)")
        switch job.fate {
        case .left: break
        case .killed: kill()
        case .cancelled: worker?.say(.cancel)
        case .held: worker?.say(.pause)
        }
    }

    func kill() { worker?.kill() }

    /// - Parameter mayLackRoom: see `TortureWorker.ending`.
    @discardableResult
    func finish(mayLackRoom: Bool = false) throws -> TortureEnding? {
        guard let ending = try worker?.ending(mayLackRoom: mayLackRoom) else { return nil }
        switch ending {
        case .done(let result):
            driver.writer.note("done: \(result.extentsReplaced) extents, \(result.savedBytes) B")
            if result.lacksRoom == true { counts.lackedRoom += 1 }
        case .cancelled: counts.cancels += 1
        case .killed: counts.kills += 1
        case .lackedRoom(let message):
            driver.writer.note("refused: \(message)")
            counts.lackedRoom += 1
        }
        worker = nil
        return ending
    }

    @discardableResult
    func run(_ job: TortureJob, mayLackRoom: Bool = false) throws -> TortureEnding? {
        try begin(job)
        if job.fate != .left {
            usleep(job.microseconds)
            try meet(job)
            if job.fate == .held {
                usleep(200_000)
                worker?.say(.resume)
            }
        }
        return try finish(mayLackRoom: mayLackRoom)
    }

    /// A bit of what earlier jobs have kept turns.
    private func damageKept(_ random: inout TortureRandom) throws {
        let kept = try Command.check(
            "find", disk.folder + "/cache", disk.folder + "/state", "-type", "f", "-size", "+0"
        ).output.split(separator: "\n").map(String.init).sorted()
        guard !kept.isEmpty else { return }
        let path = random.pick(kept)
        let url = URL(fileURLWithPath: path)
        var data = try Data(contentsOf: url)
        let place = random.number(0..<data.count)
        data[place] ^= 1 << UInt8(random.number(0..<8))
        try data.write(to: url)
        driver.writer.note("bit of byte \(place) of \(url.lastPathComponent) turned")
    }
}
