// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol

/// What was tried so far.
struct TortureCounts {
    var worlds = 0
    var rounds = 0
    var operations = 0
    var jobs = 0
    var kills = 0
    var cancels = 0
    var comparedBytes = 0
    /// How much more the devices held after a job beside which nobody wrote, at most; nil before
    /// the first.
    var grownBytes: Int64?

    var description: String {
        "\(worlds) file systems, \(rounds) rounds, \(operations) operations of qubesd and qubes,"
            + " \(jobs) jobs, \(kills) of them killed and \(cancels) cancelled,"
            + " \(comparedBytes >> 20) MiB compared, grown by"
            + " \(grownBytes.map { "at most \($0) bytes" } ?? "nothing that was measured")"
    }
}

/// One file system, and rounds of jobs on it. After each of them all is looked at.
final class TortureWorld {
    /// A batch for each lane: what a kill may leave twice.
    private static let bytesOfAKill: Int64 = 5 * 16 << 20
    /// What the trees may differ by for reasons of their own: one path through each of them.
    private static let treesBytes: Int64 = 1 << 20

    private enum Beside: CaseIterable {
        case nobody, nobodyEither, balance, scrub, defragment, send
    }

    private let seed: UInt64
    private let disk: TortureDisk
    private let driver: TortureDriver
    private var worker: TortureWorker?
    private(set) var counts = TortureCounts()
    private(set) var log: [String] = []
    private var jobs = 0
    private var round: UInt64 = 0

    init(seed: UInt64) throws {
        self.seed = seed
        var random = TortureRandom(seed: seed, 1)
        disk = try TortureDisk(TortureDisk.kind(&random))
        driver = try TortureDriver(disk, TortureRandom(seed: seed, 2))
        try driver.writer.model.compare()
        counts.worlds = 1
        log.append("mkfs.btrfs \(disk.kind.name)")
    }

    var model: TortureModel { driver.writer.model }

    /// One round by chance, and then the look at everything.
    func goOn() throws {
        round += 1
        var random = TortureRandom(seed: seed, 3, round)
        log = [log[0]]
        driver.writer.begin(TortureRandom(seed: seed, 4, round))
        defer {
            log += driver.writer.log
            counts.rounds += 1
            counts.operations = driver.writer.count
            counts.comparedBytes = model.comparedBytes
        }
        if random.chance(15) { try damageKept(&random) }
        switch random.number(0..<4) {
        case 0: try quiet(&random)
        case 1: try killed(&random)
        default: try busy(&random)
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

    /// In mixed groups nobody can tell data from trees.
    private var treesInDataBytes: Int64 {
        disk.kind.name.contains("--mixed") ? Self.treesBytes : 0
    }

    private func demand(_ grown: Int64, atMost bound: Int64, _ what: String) throws {
        guard grown > bound else { return }
        throw TortureModel.Broken(
            description: "\(what) has grown by \(grown) bytes, at most \(bound)")
    }

    // MARK: Rounds

    /// Nobody writes: disk use does not grow.
    private func quiet(_ random: inout TortureRandom) throws {
        for _ in 0..<random.number(1..<4) {
            let job = TortureJob(&random, random.pick([.left, .left, .cancelled, .held]))
            let before = try disk.usedBytes()
            try run(job)
            let after = try disk.usedBytes()
            try demand(after.data - before.data, atMost: treesInDataBytes, "data")
            try demand(after.all - before.all, atMost: Self.treesBytes, "disk use")
            counts.grownBytes = max(counts.grownBytes ?? .min, after.all - before.all)
            driver.writer.note("disk use: \(after.all - before.all)")
        }
    }

    /// Nobody writes, and workers are killed: each may leave a batch a lane twice.
    private func killed(_ random: inout TortureRandom) throws {
        for _ in 0..<random.number(3..<9) {
            let job = TortureJob(&random, .killed)
            let before = try disk.usedBytes()
            try run(job)
            let after = try disk.usedBytes()
            let copies: Int64 = disk.kind.name.contains("--data single") ? 1 : 2
            try demand(
                after.data - before.data,
                atMost: copies * Self.bytesOfAKill + treesInDataBytes, "data")
        }
    }

    /// Qubes run, start and stop, and others are at work beside the jobs.
    private func busy(_ random: inout TortureRandom) throws {
        let steps = random.number(20..<90)
        let beside = try start(random.pick(Beside.allCases))
        var jobs = random
        var job = TortureJob(&jobs)
        var turn = jobs.number(1..<steps)
        try begin(job)
        for step in 0..<steps {
            if step == turn { try meet(job) }
            if worker?.isRunning == false {
                try finish()
                job = TortureJob(&jobs)
                turn = step + jobs.number(1..<steps)
                try begin(job)
            }
            try driver.step()
            usleep(UInt32(random.number(0..<30_000)))
        }
        worker?.say(.resume)
        if job.fate == .killed { kill() }
        try finish()
        _ = beside?.wait()
    }

    // MARK: Jobs

    private func begin(_ job: TortureJob) throws {
        driver.writer.note("job \(job)")
        worker = try TortureWorker(job.order(on: disk), in: disk.folder)
        counts.jobs += 1
    }

    /// What was to become of it happens.
    private func meet(_ job: TortureJob) throws {
        driver.writer.note("the job is \(job.fate)")
        switch job.fate {
        case .left: break
        case .killed: kill()
        case .cancelled: worker?.say(.cancel)
        case .held: worker?.say(.pause)
        }
    }

    private func kill() { worker?.kill() }

    private func finish() throws {
        guard let ending = try worker?.ending() else { return }
        switch ending {
        case .done(let result):
            driver.writer.note("done: \(result.extentsReplaced) extents, \(result.savedBytes) B")
        case .cancelled: counts.cancels += 1
        case .killed: counts.kills += 1
        }
        worker = nil
    }

    private func run(_ job: TortureJob) throws {
        try begin(job)
        if job.fate != .left {
            usleep(job.microseconds)
            try meet(job)
            if job.fate == .held {
                usleep(200_000)
                worker?.say(.resume)
            }
        }
        try finish()
    }

    // MARK: Others

    private func start(_ beside: Beside) throws -> ProgramBeside? {
        driver.writer.note("beside: \(beside)")
        let words: [String]
        switch beside {
        case .nobody, .nobodyEither: return nil
        case .balance: words = ["btrfs", "-q", "balance", "start", "--full-balance", disk.path]
        case .scrub: words = ["btrfs", "-q", "scrub", "start", "-B", disk.path]
        case .defragment:
            words = ["btrfs", "-q", "filesystem", "defragment", "-r", "-czstd", disk.path]
        case .send:
            guard let name = model.readOnly.sorted().first else { return nil }
            words = ["btrfs", "-q", "send", "-f", "/dev/null", model.path(name)]
        }
        // Refused now and then, as when what it goes through is deleted.
        return try ProgramBeside(["sh", "-c", "exec \"$@\" 2>/dev/null", "sh"] + words)
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
