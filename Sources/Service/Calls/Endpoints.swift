// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import Qubes
internal import SystemCalls

/// What disks hold, and whether they are fit.
extension CallHandler {
    var report: Endpoint<ReportRequest, Report> {
        Endpoint { [self] (request, open) throws(Refusal) in
            let filter = try QubeFilter(request, open.target, qubes)
            let orders = try OrderMaker(
                open.target, open.call.argument, only: filter.names, excluding: filter.excluded)
            open.accept()
            let (order, problems) = orders.order(.report)
            open.ask(about: Set(order.volumes.filter(\.selected).map(\.qube)))
            var report = try accounts.report(order, for: open.target.caller)
            report.problems += problems
            report.describe(open.target, running: try? qubes.running(visibleTo: open.target.caller))
            report.addSettings(open.target)
            growth.note(&report, open.target.inventory)
            let jobs = runner.jobs.records(for: open.target.caller)
            report.addEstimates(jobs, for: open.target.caller)
            if open.target.qube == nil {
                note(report)
                report.history = history.all(with: jobs)
            }
            return report
        }
    }

    /// Keeps the machine's totals.
    private func note(_ report: Report) {
        guard !report.fileSystems.isEmpty else { return }
        var point = HistoryPoint(at: report.generatedAt, report.fileSystems)
        point.referencedBytes = report.machine?.everything.dataBytes
        history.add(point)
    }

    var check: Endpoint<CheckRequest, CheckReport> {
        Endpoint { [self] (request, open) throws(Refusal) in
            let orders = try OrderMaker(
                open.target, open.call.argument,
                excluding: open.target.excluded(untrusted: request.exclude))
            open.accept()
            let (order, _) = orders.order(.check)
            open.ask(about: Set(order.volumes.filter(\.selected).map(\.qube)))
            var check = try accounts.check(order, for: open.target.caller)
            check.findings =
                orders.findings() + unlisted(order, in: open.target.inventory)
                + check.findings + growing(order, open.target) + orders.settingFindings()
            return check
        }
    }

    /// Features that ask for a dedupe group, and have no effect.
    private func unlisted(
        _ order: WorkerOrder, in inventory: Inventory
    ) -> [CheckReport.Finding] {
        let names = Set(order.volumes.filter(\.selected).map(\.qube)).sorted()
        return names.compactMap { inventory.qube(named: $0) }.compactMap { qube in
            guard let group = inventory.unlistedGroup(of: qube) else { return nil }
            let feature = DedupeGroup.listFeature + group
            return CheckReport.Finding(
                .note, "feature", about: .qube(qube.name),
                "its feature \(SettingsFeature.dedupeGroup.rawValue) has no effect: dom0 does not"
                    + " list it in the group \(group)",
                reason: "Sharing tells members what the others hold, so that dom0 alone lets a qube"
                    + " into a group.",
                command: "qvm-features dom0 \(feature) '\(qube.name) ...'  # all its members")
        }
    }

    var newData: Endpoint<NewDataRequest, NewDataReply> {
        Endpoint { [self] (request, open) throws(Refusal) in
            let orders = try OrderMaker(open.target, open.call.argument)
            open.accept(detail: request.compress?.rawValue ?? "")
            return try accounts.newData(
                orders.order(.newData(request.compress)).order, for: open.target.caller)
        }
    }
}

/// What starts a job.
extension CallHandler {
    var estimate: Endpoint<EstimateRequest, JobAccepted> {
        Endpoint(startsJob: true) { [self] (request, open) throws(Refusal) in
            // Somebody waits for it, and it is over soon.
            try submit(
                .estimate, .estimate(running: request.running), untrustedExclude: request.exclude,
                onBattery: true, open)
        }
    }

    var verify: Endpoint<VerifyRequest, JobAccepted> {
        Endpoint(startsJob: true) { [self] (request, open) throws(Refusal) in
            // Whoever may have an image looked at may not have said that nothing was found.
            guard !request.accept || open.target.caller.isMachine else {
                throw Refusal(.badRequest, "Only dom0 may ask for accept (--accept).")
            }
            return try submit(
                .verify, .verify(accepts: request.accept), untrustedExclude: request.exclude,
                onBattery: request.battery, open)
        }
    }

    /// What packs: at a level, or at that of each qube's settings.
    func packing(
        _ operation: Operation, _ work: @escaping (Int?, Bool) -> WorkerOrder.Work
    ) -> Endpoint<CompressRequest, JobAccepted> {
        Endpoint(startsJob: true) { [self] (request, open) throws(Refusal) in
            guard operation == .compress || request.level != CompressRequest.plainLevel else {
                throw Refusal(.badRequest, "Level 0 (--plain) is for btrfs.Compress alone.")
            }
            return try submit(
                operation, work(request.level, request.running), untrustedExclude: request.exclude,
                onBattery: request.battery, risksReadOnly: request.riskReadOnly ?? false,
                time: request.time, open)
        }
    }

    /// What takes no level.
    func sharing(
        _ operation: Operation, _ work: @escaping (Bool) -> WorkerOrder.Work
    ) -> Endpoint<DedupeRequest, JobAccepted> {
        Endpoint(startsJob: true) { [self] (request, open) throws(Refusal) in
            try submit(
                operation, work(request.running), untrustedExclude: request.exclude,
                onBattery: request.battery, risksReadOnly: request.riskReadOnly ?? false,
                time: request.time, open)
        }
    }

    private func submit(
        _ operation: Operation, _ work: WorkerOrder.Work, untrustedExclude: [String]?,
        onBattery: Bool, risksReadOnly: Bool = false, time: TimeLimit? = nil, _ open: OpenCall
    ) throws(Refusal) -> JobAccepted {
        let target = open.target
        guard !risksReadOnly || target.caller.isMachine else {
            throw Refusal(.badRequest, "Only dom0 may ask for riskReadOnly (--risk-read-only).")
        }
        let excluded = try target.excluded(untrusted: untrustedExclude)
        _ = try OrderMaker(target, open.call.argument, excluding: excluded)
        var named = CallTarget.machine
        if let qube = target.qube {
            guard let name = QubeName(qube.name) else { throw .noSuchQube }
            named = .qube(name)
        }
        let request = JobRequest(
            operation: operation, work: work, caller: target.caller.name, target: named,
            uuid: target.qube?.uuid, argument: open.call.argument, excluded: excluded,
            onBattery: onBattery, risksReadOnly: risksReadOnly, time: time,
            askedAt: runner.jobs.clock.now())
        let job = try runner.submit(request, targetName: target.name)
        open.accept(job: job, detail: [Self.limit(time), Self.without(excluded)].joinedWords)
        runner.jobs.enqueue(job)
        return JobAccepted(job: job)
    }
}

extension [String] {
    /// In one text, without those that say nothing.
    fileprivate var joinedWords: String { filter { !$0.isEmpty }.joined(separator: " ") }
}

extension CallHandler {
    /// The log's word for how long it may work.
    private static func limit(_ time: TimeLimit?) -> String {
        time.map { "for \($0.forSeconds) s" } ?? ""
    }

    /// The log's word for what is left out, the first names of it.
    private static func without(_ excluded: Set<String>) -> String {
        if excluded.isEmpty { return "" }
        let names = excluded.sorted().prefix(Limits.namedItems)
        let more = excluded.count > names.count ? " and \(excluded.count - names.count) more" : ""
        return "without \(names.joined(separator: " "))\(more)"
    }
}

/// What is about jobs.
extension CallHandler {
    var jobList: Endpoint<PlainRequest, JobList> {
        Endpoint { [self] (_, open) throws(Refusal) in
            let jobs = runner.jobs.records(for: open.target.caller)
                .filter { open.target.concerns($0) }
            open.accept()
            return JobList(jobs: jobs)
        }
    }

    var jobWatch: Endpoint<PlainRequest, JobWatch> {
        Endpoint { [self] (_, open) throws(Refusal) in
            let record = try job(of: open)
            open.accept(job: record.job)
            return JobWatch(
                record.job, open, jobs: runner.jobs, qubes: qubes, bounds: bounds)
        }
    }

    var jobHold: Endpoint<PlainRequest, JobHold> {
        Endpoint { [self] (_, open) throws(Refusal) in
            guard let qube = open.target.qube else { throw .noSuchQube }
            let hold = try JobHold(
                qube, open, jobs: runner.jobs, qubes: qubes, bounds: bounds)
            open.accept()
            return hold
        }
    }

    func change(_ word: WorkerControl) -> Endpoint<PlainRequest, JobRecord> {
        Endpoint { [self] (_, open) throws(Refusal) in
            let record = try job(of: open)
            guard open.target.mayChange(record) else { throw .othersJob }
            return try runner.change(record.job, word) { open.accept(job: record.job) }
        }
    }

    /// The job that a call names. One that is not there and one that is none of the caller's
    /// business look the same.
    private func job(of open: OpenCall) throws(Refusal) -> JobRecord {
        guard case .job(let job) = open.call.argument,
            let record = runner.jobs.record(job.text, for: open.target.caller),
            open.target.concerns(record)
        else { throw .noSuchJob }
        return record
    }
}
