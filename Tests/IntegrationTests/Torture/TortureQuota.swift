// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation

extension TortureDisk {
    /// How Btrfs knows what a subvolume takes.
    enum Quota: CaseIterable {
        /// It looks for all that share.
        case counted
        /// It knows who has written first; where btrfs(8) cannot ask for that, it counts.
        case simple
    }

    /// btrfs(8) can ask for the simple kind, and so look at it afterwards.
    private static let knowsSimple =
        (try? Command.run(["btrfs", "quota", "enable", "--help"]))?.output.contains("--simple")
        ?? false

    /// Keeps count from now on; what there is already is counted beside whatever comes.
    func enable(_ quota: Quota) throws {
        if quota == .simple, Self.knowsSimple {
            try Command.check("btrfs", "quota", "enable", "--simple", path)
        } else {
            try Command.check("btrfs", "quota", "enable", path)
        }
    }

    func disableQuota() throws { try Command.check("btrfs", "quota", "disable", path) }

    /// A subvolume that is full refuses to have its limit raised.
    private var outside: String { path + "/outside" }

    /// Has subvolumes grow by no more than this.
    /// - Returns: what they are to be given back their freedom with.
    func limit(_ subvolumes: [String], _ spareBytes: () -> Int) throws -> [String] {
        try Command.check("btrfs", "subvolume", "create", outside)
        return try subvolumes.map { try limit($0, spareBytes: spareBytes()) }
    }

    private func limit(_ subvolume: String, spareBytes: Int) throws -> String {
        let folder = path + "/" + subvolume
        let shown = try Command.check("btrfs", "qgroup", "show", "--raw", "--sync", "-f", folder)
        let words = shown.output.split(separator: "\n").last?.split(separator: " ") ?? []
        guard words.count >= 2, let bytes = Int(words[1]) else {
            throw Unsound(description: "btrfs qgroup show: \(shown.output)\(shown.errors)")
        }
        let group = String(words[0])
        try Command.check("btrfs", "qgroup", "limit", "\(bytes + spareBytes)", group, outside)
        return group
    }

    func unlimit(_ groups: [String]) throws {
        for group in groups {
            try Command.check("btrfs", "qgroup", "limit", "none", group, outside)
        }
        try Command.check("btrfs", "subvolume", "delete", outside)
    }
}

extension TortureWorld {
    /// Some subvolumes may not grow, or hardly. Nobody writes. Btrfs counts what there is beside
    /// the jobs, or before them. Quotas are there for the round alone: with them Linux 6.18 falls
    /// over snapshots that are made beside a balance, see docs/reliability.md.
    func quota(_ random: inout TortureRandom) throws {
        for _ in 0..<16 { try driver.writer.change(random.pick(model.writable)) }
        try disk.synchronize()
        try disk.enable(random.pick(TortureDisk.Quota.allCases))
        if random.chance(70) { try Command.check("btrfs", "quota", "rescan", "-W", disk.path) }
        let limited = model.subvolumes.filter {
            !model.readOnly.contains($0) && random.chance($0.isEmpty ? 35 : 70)
        }
        let groups = try disk.limit(limited) { random.pick([0, 0, 1 << 16, 4 << 20]) }
        driver.writer.note("limits of \(limited)")
        counts.quotas += 1
        for _ in 0..<random.number(1..<4) {
            let job = TortureJob(&random, random.pick([.left, .left, .killed, .cancelled, .held]))
            let before = try disk.usedBytes()
            try demandNoGrowth(before, try run(job, mayLackRoom: true))
        }
        try disk.unlimit(groups)
        try disk.disableQuota()
    }
}
