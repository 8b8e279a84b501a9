// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import FoundationEssentials
internal import Protocol
internal import SystemCalls

/// Looks whether the machine and the images are fit; changes nothing.
struct CheckWork {
    let order: WorkerOrder
    let sites: Sites
    /// What came of the worker's own first tie.
    let landlock: Landlock.Outcome

    func run() throws(BtrfsError) -> CheckReport {
        var findings = sites.problems.map {
            CheckReport.Finding(
                .problem, "pool.unsuitable", $0.subject, $0.message,
                reason: "Its qubes can be neither reported on nor worked on.")
        }
        let kernel = CheckFacts.kernel
        if order.wholeMachine, let kernel {
            findings += CheckRules.kernel(kernel.release, kernel.version)
        }
        if order.wholeMachine {
            findings.append(SandboxRules.sandbox(landlock, modules: CheckFacts.securityModules))
        }
        let levels = Levels(order)
        for site in sites.sites {
            let damage = DamageRules(site: site, order: order)
            let found = try damage.look()
            // A commit is a write: it may need what cannot be read.
            if found == nil { try site.fileSystem.synchronize() }
            if order.wholeMachine {
                findings += try fileSystem(site, kernel: kernel?.version)
            }
            let book = try AccountBook(site: site, order: order, levels: levels)
            findings += problems(book)
            findings += damage.findings(found, book.list)
            findings += ImageRules(order: order, book: book, site: site).findings(levels)
        }
        let order: [CheckReport.Finding.Level] = [.problem, .warning, .note, .good]
        return CheckReport(
            checkedAt: Int64(Date().timeIntervalSince1970),
            findings: order.flatMap { level in findings.filter { $0.level == level } })
    }

    private func problems(_ book: AccountBook) -> [CheckReport.Finding] {
        let elsewhere = book.list.elsewhere
        let foreign = elsewhere.map {
            CheckReport.Finding(
                .problem, "pool.foreign", $0.problem.subject, $0.problem.message,
                reason: "What lies there can be neither reported on nor worked on.",
                command: "findmnt -T \($0.path)")
        }
        let subjects = Set(elsewhere.map(\.problem.subject))
        let others = book.problems.filter { !subjects.contains($0.subject) }
        return foreign
            + others.map {
                CheckReport.Finding(
                    .problem, "pool.unreadable", $0.subject, $0.message,
                    reason: "A disk that loses data loses more.", command: "dmesg")
            }
    }

    private func fileSystem(
        _ site: Site, kernel: KernelVersion?
    ) throws(BtrfsError) -> [CheckReport.Finding] {
        let usage = try FileSystemUsage(site)
        let subject = usage.pools.joined(separator: ", ")
        let point = site.point
        var findings = DeviceRules.devices(try site.fileSystem.devices(), subject, point)
        findings += CheckRules.mount(usage.mountOptions ?? [], subject, point)
        findings += CheckRules.space(usage, subject, point)
        findings += CheckRules.checksums(site.fileSystem.checksumKind, subject)
        if let features = CheckFacts.features(of: site.fileSystem) {
            findings += CheckRules.features(features, subject, point)
        }
        let directories = Set(site.pools.compactMap(\.identity))
        let loops = CheckFacts.loops.filter { $0.isBelow(directories) }
        return findings + CheckRules.loops(loops, kernel, subject) + nocowDirectories(site)
    }

    /// A directory hands its NOCOW down to every image that is made in it.
    private func nocowDirectories(_ site: Site) -> [CheckReport.Finding] {
        site.pools.compactMap { pool in
            guard let flags = try? FileFlags.of(pool.directory.descriptor),
                flags.contains(.noCopyOnWrite)
            else { return nil }
            return CheckReport.Finding(
                .problem, "pool.nocow", pool.pool.name,
                "the directory \(pool.pool.directory) is NOCOW",
                reason: "Every new image in it can be neither compressed nor shared, and has no"
                    + " checksums.", command: "chattr -C \(pool.pool.directory)")
        }
    }
}
