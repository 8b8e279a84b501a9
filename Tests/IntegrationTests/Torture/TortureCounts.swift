// SPDX-License-Identifier: GPL-2.0-or-later

/// What was tried so far.
struct TortureCounts {
    var worlds = 0
    var rounds: [TortureRound: Int] = [:]
    /// Of what qubesd's driver has done.
    var times = TortureTimes()
    /// What qubes, backups and people have done.
    var operations = 0
    var jobs = 0
    var kills = 0
    /// Moments at which the power was cut.
    var powerCuts = 0
    /// Daemons that were killed.
    var daemonKills = 0
    var cancels = 0
    /// Jobs that a file system without room was full of, before or in the middle of them.
    var fullDisks = 0
    /// Rounds with subvolumes that could not grow.
    var quotas = 0
    /// Jobs that said that there was no room.
    var lackedRoom = 0
    var comparedBytes = 0
    /// How much more the devices held after a job beside which nobody wrote, at most; nil before
    /// the first.
    var grownBytes: Int64?

    mutating func add(_ other: TortureCounts) {
        worlds += other.worlds
        rounds.merge(other.rounds) { $0 + $1 }
        times.add(other.times)
        operations += other.operations
        jobs += other.jobs
        kills += other.kills
        powerCuts += other.powerCuts
        daemonKills += other.daemonKills
        cancels += other.cancels
        fullDisks += other.fullDisks
        quotas += other.quotas
        lackedRoom += other.lackedRoom
        comparedBytes += other.comparedBytes
        if let grown = other.grownBytes { grownBytes = max(grownBytes ?? .min, grown) }
    }

    var allRounds: Int { rounds.values.reduce(0, +) }

    var description: String {
        let kinds = TortureRound.allCases.compactMap { kind in
            rounds[kind].map { "\($0) \(kind)" }
        }
        return "\(worlds) file systems, \(allRounds) rounds (\(kinds.joined(separator: ", "))),"
            + " \(times.count) operations of qubesd's driver, \(times.countBesideJobs) of them"
            + " beside jobs, \(operations) of qubes and others,"
            + " \(jobs) jobs, \(kills) of them killed and \(cancels) cancelled,"
            + " \(daemonKills) daemons killed, \(powerCuts) power cuts,"
            + " \(fullDisks) full disks, \(quotas) rounds of quotas, \(lackedRoom) jobs that"
            + " lacked room,"
            + " \(comparedBytes >> 20) MiB compared, grown by"
            + " \(grownBytes.map { "at most \($0) bytes" } ?? "nothing that was measured")"
    }
}
