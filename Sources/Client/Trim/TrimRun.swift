// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemCalls

/// Trims qubes, one after the other: no two of them press on one disk.
final class TrimRun {
    private let wish: TrimWish
    private let context: CommandContext
    private let door: GuestDoor
    private let starter: TrimStarter
    private let display: TrimDisplay
    /// An account that is older than this answers nobody any more. dom0 gets a new one each time.
    private let accountAge: Duration
    private var uncounted: [Asked] = []
    private var sum = TrimSum()
    private var status = ExitStatus.done
    /// The jobs of which was said that they are at work.
    private var saidJobs: Set<String> = []

    init(
        _ wish: TrimWish, _ context: CommandContext, door: GuestDoor, admin: AdminCalls,
        display: TrimDisplay
    ) {
        self.wish = wish
        self.context = context
        self.door = door
        self.display = display
        accountAge =
            door.isDom0 ? .zero : .seconds(Limits.accountAgeSeconds) + .milliseconds(500)
        let families = TrimFamilies(context.client)
        starter = TrimStarter(
            admin: admin, limitSeconds: wish.limitSeconds, children: families.running)
    }

    /// Does it.
    func run() throws(ClientError) -> ExitStatus {
        let found = try select()
        let halted = try startable(found.halted)
        let qubes = found.running.map { ($0, false) } + halted.map { ($0, true) }
        for (index, (qube, starts)) in qubes.enumerated() {
            do throws(ClientError) {
                display.begins(qube.text, index + 1, of: qubes.count, starts: starts)
                try starts ? startAndTrim(qube) : trimOne(qube)
                try countUp(toLast: index + 1 == qubes.count)
            } catch {
                if error == .interrupted { leave(qubes[(index + 1)...].map(\.0.text)) }
                throw error
            }
        }
        try display.ends(sum, halted: found.skippedHalted, others: found.skippedOthers)
        return status
    }

    /// A qube that was asked to trim.
    private struct Asked {
        let qube: QubeName
        let record: TrimRecord
        /// dom0's account of before.
        let before: Report.Qube
        /// What it was asked to trim lies on these.
        let volumes: Set<String>
        /// When it was done with.
        let at: ContinuousClock.Instant

        /// Something may have come of it.
        var isToBeCounted: Bool { record.trims.contains { $0.reached } }
    }

    private func select() throws(ClientError) -> TrimSelection {
        let selection = try TrimSelection(
            wish, context.client, fail: fail,
            take: { (error, name) throws(ClientError) in
                try take(error, TrimRecord(qube: name, outcome: "failed"))
            })
        sum.skippedQubes = selection.skippedHalted + selection.skippedOthers
        return selection
    }

    /// Of halted qubes those that may be started, when that is wanted.
    private func startable(_ halted: [QubeName]) throws(ClientError) -> [QubeName] {
        var free: [QubeName] = []
        for qube in halted {
            if let obstacle = try starter.obstacle(qube) {
                try fail(
                    TrimRecord(
                        qube: qube.text, outcome: obstacle.word,
                        reason: obstacle.reason(context.message)))
            } else {
                free.append(qube)
            }
        }
        if free.isEmpty || wish.isSure { return free }
        let names = free.map(\.text).joined(separator: ", ")
        for line in Line.wrapped(
            "To be started, trimmed and shut down again, with all that is done in them meanwhile: "
                + names, indent: 2)
        { context.console.note(line) }
        guard let answer = context.console.ask("Start them? [y/N] ") else {
            throw .nobodyToAsk(option: "--yes")
        }
        if ["y", "yes"].contains(answer.lowercased()) { return free }
        if context.client.interruption.isInterrupted { throw .interrupted }
        sum.skippedQubes += free.count
        return []
    }

    /// Starts a qube, trims it, and has it halted again, whatever happens on the way.
    private func startAndTrim(_ qube: QubeName) throws(ClientError) {
        // Somebody may have started it while others were trimmed: it is theirs then.
        if let obstacle = try starter.obstacle(qube) {
            return try fail(
                TrimRecord(
                    qube: qube.text, outcome: obstacle.word,
                    reason: obstacle.reason(context.message)))
        }
        let interruption = context.client.interruption
        var isHeld = true
        interruption.hold()
        defer { if isHeld { interruption.release() } }
        if interruption.isInterrupted { throw .interrupted }
        var failure: ClientError?
        var record = TrimRecord(qube: qube.text, outcome: "startFailed")
        do throws(ClientError) {
            try start(qube)
            // A report of before its start knows another image of it.
            try wait(since: .now)
            let asked = try ask(qube)
            record = asked.record
            record = try count(asked)
        } catch {
            failure = error
            if error == .interrupted { record.outcome = "interrupted" }
        }
        record.started = true
        display.shutsDown(qube.text, isInterrupted: interruption.isInterrupted)
        record.halted = starter.shutDown(qube) {
            // It goes down by itself now: whoever does not want to wait for that need not.
            interruption.release()
            isHeld = false
        }
        if record.halted == false {
            note(.notTrimmed)
            context.console.error(
                "\(qube): it was started for this, and has not shut down within "
                    + "\(ByteText.duration(seconds: Double(wish.limitSeconds))). 'qvm-shutdown "
                    + "--wait \(qube)' tries again; 'qvm-kill \(qube)' loses what it has not "
                    + "written."
            )
        }
        guard let failure else { return try end(record) }
        if failure.isOfOnePlace { return try take(failure, record) }
        try display.shows(record)
        throw failure
    }

    private func start(_ qube: QubeName) throws(ClientError) {
        do throws(AdminError) {
            try starter.start(qube)
        } catch {
            throw .admin(error)
        }
    }

    /// Has a qube that runs trimmed.
    private func ask(_ qube: QubeName) throws(ClientError) -> Asked {
        var record = TrimRecord(qube: qube.text, outcome: "trimmed")
        let before = try report(qube)
        let mounts = MountPoint.all(ofClass: before.kind).filter { mount in
            before.volumes.contains { $0.name == mount.volume }
                && wish.volumes[qube]?.contains(mount.volume) != false
        }
        if mounts.isEmpty {
            record.outcome = "noVolume"
            record.reason = "cannot trim: none of its volumes that last is on a Btrfs pool."
        }
        // For the trims alone: the account of what they bring may take long.
        let hold = mounts.isEmpty ? nil : try hold(jobsOn: qube)
        defer { hold?.release() }
        for mount in mounts {
            let answer = try door.trim(mount, in: qube, limitSeconds: wish.limitSeconds)
            record.trims.append(answer.record(mount))
            if record.reason == nil,
                let reason = answer.reason(mount, limitSeconds: wish.limitSeconds)
            {
                record.outcome = answer.word
                record.reason =
                    answer == .refused
                    ? context.message(.guestRefused(qube: qube.text)) : "cannot trim: \(reason)"
            }
            // What has kept one from being trimmed keeps the other from it.
            if !answer.isOfFileSystem { break }
        }
        return Asked(
            qube: qube, record: record, before: before,
            volumes: Set(mounts.prefix(record.trims.count).map(\.volume)), at: .now)
    }

    /// What a trim has brought. Whatever the qube has answered, it is counted what there is.
    private func count(_ asked: Asked) throws(ClientError) -> TrimRecord {
        var record = asked.record
        guard asked.isToBeCounted else { return record }
        try wait(since: asked.at)
        let after = try report(asked.qube)
        record.brought = TrimFigures(from: asked.before, to: after, volumes: asked.volumes)
        return record
    }

    /// Waits until no account of before that moment answers us any more.
    private func wait(since moment: ContinuousClock.Instant) throws(ClientError) {
        while ContinuousClock.now < moment + accountAge {
            if context.client.interruption.isInterrupted { throw .interrupted }
            Pause.milliseconds(TrimStarter.lookMilliseconds)
        }
    }

    /// Has the jobs on a qube hold while it trims. Neither harms the other, so that a trim without
    /// the right to that, or by a service that cannot do it, is done all the same.
    private func hold(jobsOn qube: QubeName) throws(ClientError) -> QubeHold? {
        do throws(ClientError) {
            return try context.client.hold(jobsOn: qube)
        } catch .interrupted {
            throw .interrupted
        } catch {
            noteJobs(on: qube)
            return nil
        }
    }

    /// What a job that does not hold frees meanwhile nobody can tell from what the trim brings. A
    /// qube is not asked for a right that it need not have.
    private func noteJobs(on qube: QubeName) {
        guard door.isDom0, let jobs = try? context.client.jobs().jobs else { return }
        for job in jobs
        where job.state == .running && !job.operation.changesNothing
            && [qube.text, ServiceClient.machine].contains(job.target)
            && saidJobs.insert(job.job).inserted
        {
            let lines = Line.wrapped(
                "Job \(job.job.sanitised) is at work there: what it frees is counted here, too.",
                indent: 0, style: .warning)
            for line in lines { context.console.note(line) }
        }
    }

    private func report(_ qube: QubeName) throws(ClientError) -> Report.Qube {
        let report = try context.client.report(target: qube.text, volume: "")
        guard let found = report.qubes.first(where: { $0.name == qube.text }) else {
            throw .unreadable("report")
        }
        return found
    }
}

// MARK: What is said and counted

extension TrimRun {
    /// A running one, of which a failure may be its own.
    private func trimOne(_ qube: QubeName) throws(ClientError) {
        do throws(ClientError) {
            let asked = try ask(qube)
            if !asked.isToBeCounted { return try end(asked.record) }
            uncounted.append(asked)
        } catch {
            try take(error, TrimRecord(qube: qube.text, outcome: "failed"))
        }
    }

    /// Counts what the first ones have brought: the others are trimmed while they wait for it.
    private func countUp(toLast: Bool) throws(ClientError) {
        while let first = uncounted.first,
            toLast || ContinuousClock.now >= first.at + accountAge
        {
            do throws(ClientError) {
                let record = try count(first)
                uncounted.removeFirst()
                try end(record)
            } catch  where error.isOfOnePlace {
                uncounted.removeFirst()
                try take(error, first.record)
            } catch {
                throw error
            }
        }
    }

    /// Somebody does not want to wait for the end.
    private func leave(_ notBegun: [String]) {
        let lists = [
            ("Asked to trim, and not counted", uncounted.map(\.qube.text)),
            ("Not begun", notBegun),
        ]
        for (says, names) in lists where !names.isEmpty {
            context.console.note(Line("\(says): \(names.joined(separator: ", ")).", .warning))
        }
    }

    /// A qube that was asked.
    private func end(_ record: TrimRecord) throws(ClientError) {
        if record.outcome != "trimmed" { return try fail(record) }
        sum.trimmedQubes += 1
        add(record)
        try display.shows(record)
    }

    private func add(_ record: TrimRecord) {
        if let brought = record.brought { sum.brought = sum.brought + brought }
    }

    /// A qube that was to be trimmed, and was not, or not all of it.
    private func fail(_ record: TrimRecord) throws(ClientError) {
        sum.failedQubes += 1
        add(record)
        note(record.outcome == GuestAnswer.refused.word ? .refused : .notTrimmed)
        try display.shows(record)
        context.console.error("\(record.qube): \(record.reason ?? "not trimmed.")")
    }

    /// An error that may be about one qube alone: the others are done all the same.
    private func take(_ error: ClientError, _ record: TrimRecord) throws(ClientError) {
        guard error.isOfOnePlace else { throw error }
        var record = record
        record.reason = context.message(error)
        sum.failedQubes += 1
        note(error.exitStatus)
        try display.shows(record)
        context.console.error("\(record.qube): \(record.reason ?? "not trimmed.")")
    }

    private func note(_ status: ExitStatus) {
        if self.status == .done { self.status = status }
    }
}

/// Which qubes run from which: asked for once, when the first wants to know.
private final class TrimFamilies {
    private let client: ServiceClient
    private var known: [Report.Qube]?

    init(_ client: ServiceClient) { self.client = client }

    /// The qubes that run from a template, as far as we may see.
    func running(from template: String) throws(ClientError) -> [String] {
        let qubes: [Report.Qube]
        if let known {
            qubes = known
        } else {
            qubes = try client.report(
                target: ServiceClient.machine, volume: "", request: ReportRequest(running: true)
            ).qubes
            known = qubes
        }
        return qubes.filter { $0.template == template && $0.isRunning != false }.map(\.name)
    }
}
