// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol

/// What happens between two looks at everything.
enum TortureRound: CaseIterable {
    case quiet, killed, busy, races, full, quota, daemon, cuts

    /// One by chance, of those that its file system is there for.
    static func pick(_ random: inout TortureRandom, isRecorded: Bool) -> TortureRound {
        if isRecorded { return random.pick([.cuts, .cuts, .cuts, .killed]) }
        return switch random.number(0..<20) {
        case 0...1: .quiet
        case 2...3: .killed
        case 4...8: .races
        case 9...10: .full
        case 11: .quota
        case 12...13: .daemon
        default: .busy
        }
    }
}

extension TortureWorld {
    /// A batch for each lane: what a kill may leave twice.
    private static let bytesOfAKill: Int64 = 5 * 16 << 20
    /// What the trees may differ by for reasons of their own: one path through each of them.
    private static let treesBytes: Int64 = 1 << 20

    private enum Beside: CaseIterable {
        case nobody, nobodyEither, balance, scrub, defragment, send
    }

    /// What counts as data has trees in it: always where groups are mixed; and a free space cache
    /// of the old kind, which changes with what is full and becomes free again.
    private var hasTreesInData: Bool {
        disk.isMixed
            || (disk.kind.name.contains("^free-space-tree") && counts.fullDisks > 0)
    }

    /// Disk use is no more than before a job, but for what a kill leaves.
    func demandNoGrowth(
        _ before: (data: Int64, all: Int64), _ ending: TortureEnding?
    ) throws {
        let after = try disk.usedBytes()
        let slack = hasTreesInData ? Self.treesBytes : 0
        guard case .killed? = ending else {
            try demand(after.data - before.data, atMost: slack, "data")
            try demand(after.all - before.all, atMost: Self.treesBytes, "disk use")
            counts.grownBytes = max(counts.grownBytes ?? .min, after.all - before.all)
            driver.writer.note("disk use: \(after.all - before.all)")
            return
        }
        let copies: Int64 = disk.kind.name.contains("--data single") ? 1 : 2
        try demand(after.data - before.data, atMost: copies * Self.bytesOfAKill + slack, "data")
    }

    private func demand(_ grown: Int64, atMost bound: Int64, _ what: String) throws {
        guard grown > bound else { return }
        throw TortureModel.Broken(
            description: "\(what) has grown by \(grown) bytes, at most \(bound)")
    }

    /// Nobody writes: disk use does not grow.
    func quiet(_ random: inout TortureRandom) throws {
        for _ in 0..<random.number(1..<4) {
            let job = TortureJob(&random, random.pick([.left, .left, .cancelled, .held]))
            let before = try disk.usedBytes()
            try demandNoGrowth(before, try run(job))
        }
    }

    /// Nobody writes, and workers are killed: each may leave a batch a lane twice.
    func killed(_ random: inout TortureRandom) throws {
        for _ in 0..<random.number(3..<9) {
            let job = TortureJob(&random, .killed)
            let before = try disk.usedBytes()
            try demandNoGrowth(before, try run(job))
        }
    }

    /// Qubes run, start and stop, and others are at work beside the jobs.
    func busy(_ random: inout TortureRandom) throws {
        let steps = random.number(20..<90)
        let beside = try start(random.pick(Beside.allCases))
        var jobs = random
        try besideJobs(steps: steps, pause: 0..<1, &jobs) {
            try driver.step()
            usleep(UInt32(random.number(0..<30_000)))
        }
        _ = beside?.wait()
    }

    /// qubesd's driver alone, as fast as it can: nothing that it does may be refused. Between two
    /// jobs it has the disk for itself now and then, to have something to compare its times with.
    func races(_ random: inout TortureRandom) throws {
        // Something for the jobs to do.
        for _ in 0..<8 { try driver.writer.change(random.pick(model.writable)) }
        let steps = random.number(200..<400)
        try besideJobs(steps: steps, pause: 0..<30, &random) { try driver.drive() }
    }

    /// Steps beside one job after another.
    /// - Parameter pause: how many steps there are between two jobs.
    private func besideJobs(
        steps: Int, pause: Range<Int>, _ random: inout TortureRandom, _ act: () throws -> Void
    ) throws {
        var job = TortureJob(&random)
        var turn = random.number(1..<steps)
        var next: Int?
        try begin(job)
        for step in 0..<steps {
            if step == turn, worker != nil { try meet(job) }
            if worker?.isRunning == false {
                try finish()
                next = step + random.number(pause)
            }
            if next == step {
                job = TortureJob(&random)
                turn = step + random.number(1..<steps)
                try begin(job)
                next = nil
            }
            try act()
        }
        worker?.say(.resume)
        if job.fate == .killed { kill() }
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
}
