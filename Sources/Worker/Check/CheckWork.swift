// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Protocol
internal import SystemCalls

/// Looks whether the machine and the images are fit; changes nothing.
struct CheckWork {
    let order: WorkerOrder
    let sites: Sites
    let governor: Governor
    /// What came of the worker's own first tie.
    let landlock: Landlock.Outcome
    /// What keeps jobs waiting while somebody holds it.
    let lock: JobLock

    func run() throws(BtrfsError) -> CheckReport {
        var findings = sites.problems.map {
            Self.finding(
                "pool.unsuitable", $0,
                reason: "Its qubes can be neither reported on nor worked on.")
        }
        findings += sites.still.map {
            StandstillRules.finding($0, isForMachine: self.order.wholeMachine)
        }
        let kernel = CheckFacts.kernel
        if order.wholeMachine, let kernel {
            findings += Self.all(
                CheckRules.kernel(kernel.release, kernel.version), about: .machine)
        }
        if order.wholeMachine {
            findings += Self.all(
                [SandboxRules.sandbox(landlock, modules: CheckFacts.securityModules)],
                about: .machine)
            findings += OtherPoolRules.findings(order.otherPools ?? [])
        }
        let levels = Levels(order)
        for site in sites.sites {
            let damage = DamageRules(site: site, order: order)
            let found = try damage.look()
            // A commit is a write: it may need what cannot be read.
            if found == nil, !site.fileSystem.isReadOnly { try site.fileSystem.synchronize() }
            let book = try AccountBook(
                site: site, order: order, levels: levels, governor: governor)
            if order.wholeMachine {
                findings += Self.all(
                    try fileSystem(site, book.list, kernel: kernel?.version),
                    about: .pools(site.pools.map(\.pool.name)))
            }
            findings += problems(book)
            findings += damage.findings(found, book.list)
            findings += ImageRules(order: order, book: book, site: site).findings(levels)
        }
        let order: [CheckReport.Finding.Level] = [.problem, .warning, .note, .good]
        return CheckReport(
            checkedAt: governor.clock.epochSeconds(),
            findings: order.flatMap { level in findings.filter { $0.level == level } })
    }

    private static func finding(
        _ topic: String, _ problem: Report.Problem, reason: String, command: String? = nil
    ) -> CheckReport.Finding {
        var finding = CheckReport.Finding(
            .problem, topic, problem.subject, problem.message, reason: reason, command: command)
        finding.about = problem.about
        return finding
    }

    /// The same findings, for whoever judges who may read them.
    private static func all(
        _ findings: [CheckReport.Finding], about: Subject
    ) -> [CheckReport.Finding] {
        findings.map { finding in
            var finding = finding
            finding.about = about
            return finding
        }
    }

    private func problems(_ book: AccountBook) -> [CheckReport.Finding] {
        let elsewhere = book.list.elsewhere
        let foreign = elsewhere.map {
            Self.finding(
                "pool.foreign", $0.problem,
                reason: "What lies there can be neither reported on nor worked on.",
                command: "findmnt -T \($0.path)")
        }
        let subjects = Set(elsewhere.map(\.problem.subject))
        let others = book.problems.filter { !subjects.contains($0.subject) }
        return foreign
            + others.map {
                Self.finding(
                    "pool.unreadable", $0, reason: "A disk that loses data loses more.",
                    command: "dmesg")
            }
    }

    private func fileSystem(
        _ site: Site, _ list: ImageList, kernel: KernelVersion?
    ) throws(BtrfsError) -> [CheckReport.Finding] {
        let space = try site.fileSystem.spaceInfo()
        let usage = FileSystemUsage(site, space)
        let subject = usage.pools.joined(separator: ", ")
        let point = site.point
        let devices = try site.fileSystem.devices()
        var findings = DeviceRules.devices(devices, subject, point)
        findings += CheckRules.mount(
            usage.mountOptions ?? [], subject, point,
            fstab: site.mount.map { MountOptions.fstabLine($0, site.fileSystem.identity.text) })
        findings += CheckRules.space(usage, subject, point)
        findings += LayoutRules.profiles(space, subject, point)
        findings += LayoutRules.conversion(try site.fileSystem.subvolumes(), subject, point)
        findings += LayoutRules.discards(
            CheckFacts.devices(of: site.fileSystem), usage.mountOptions ?? [], subject)
        findings += CheckRules.checksums(site.fileSystem.checksumKind, subject)
        if let features = CheckFacts.features(of: site.fileSystem) {
            findings += CheckRules.features(features, subject, point)
        }
        findings += UpkeepRules.scrub(
            startedAt: ScrubStatus.lastEnded(
                devices: devices.map(\.identifier), of: site.fileSystem),
            now: site.clock.epochSeconds(), subject, point)
        findings += UpkeepRules.quotas(
            CheckFacts.quotaMode(of: site.fileSystem), subject, point)
        findings += UpkeepRules.operation(
            OthersAtWork(fileSystem: site.fileSystem).work ?? lock.holder, subject, point)
        let directories = Set(site.pools.compactMap(\.identity))
        let loops = CheckFacts.loops.filter { $0.isBelow(directories) }
        findings += CheckRules.discards(loops, subject)
        let mayPassCache = kernel.map(CheckRules.mayWritePastCache) == true
        findings += CheckRules.loops(
            loops,
            written: mayPassCache
                ? try written(through: loops.filter(\.isDirect), list, site) : nil,
            isCompressing: usage.mountOptions?.contains { $0.hasPrefix("compress") } == true,
            subject)
        return findings + nocowDirectories(site)
    }

    private func written(
        through loops: [LoopDevice], _ list: ImageList, _ site: Site
    ) throws(BtrfsError) -> WrittenDirectly {
        let files = Set(loops.compactMap(\.backingIdentity))
        var written = WrittenDirectly()
        for image in list.images where files.contains(image.status.identity) {
            written = written + (try site.writtenSinceMade(image))
        }
        return written
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
