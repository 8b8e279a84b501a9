// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import Qubes

/// What the daemon's end interrupts goes on with the next daemon, once.
///
/// That is so for whatever was waiting or running when it was told to end, by a shutdown or a
/// restart: who has asked for it wants it done, and is not there to ask again. It is not so for
/// what a death has ended, for the job may be what the daemon has died of; nor for a job that has
/// gone on once already, so that no job can come back for ever.
extension JobRunner {
    /// What a job that was interrupted says when it has gone on, and when it does not.
    private static func outcome(_ text: String) -> String { "\(daemonEnded) \(text)" }

    /// Ends what runs, and keeps for the next daemon what that interrupts.
    func stop(_ store: ContinuationStore?) {
        let left = jobs.beginStop().map { ContinuedJob($0.record, $0.request, now: jobs.now) }
        // Before the workers end: whatever kills the daemon meanwhile, they go on.
        keep(left, store)
        jobs.stop()
        self.store.writeRest()
        let interrupted = left.filter { job in
            guard let record = jobs.record(job.job, for: .machine) else { return false }
            return !record.isOver || record.state == .interrupted
        }
        if interrupted != left { keep(interrupted, store) }
    }

    private func keep(_ left: [ContinuedJob], _ store: ContinuationStore?) {
        do {
            try store?.write(left)
        } catch {
            audit.trouble("jobs that are interrupted will not go on by themselves: \(error)")
        }
    }

    /// Asks once more for what the daemon before has left. To be called before any call is
    /// answered, and before any job is run.
    func goOn(_ store: ContinuationStore?) {
        let left = store?.read { audit.trouble("\(ContinuationStore.name) is left unread: \($0)") }
        guard let left, !left.isEmpty else { return }
        var asked: [JobRequest] = []
        for old in left {
            guard var record = jobs.record(old.job, for: .machine), record.state == .interrupted,
                // A daemon that died before it had removed the file has asked for it already.
                !jobs.records(for: .machine).contains(where: { $0.continues == old.job })
            else { continue }
            do throws(Refusal) {
                let (job, request) = try goOn(old, besides: asked)
                asked.append(request)
                record.error = Self.outcome("It goes on as job \(job).")
            } catch {
                record.error = Self.outcome("It does not go on: \(error.exception.message)")
                audit.trouble(
                    "job \(old.job) does not go on: \(error.detail ?? error.exception.message)")
            }
            write(record)
            jobs.finish(record)
        }
        // Each is in the history by now, and says what it continues.
        keep([], store)
    }

    private func goOn(
        _ old: ContinuedJob, besides asked: [JobRequest]
    ) throws(Refusal) -> (job: String, JobRequest) {
        guard let request = try old.request(jobs.clock) else {
            throw Refusal(.badRequest, "The time that it was given is over.")
        }
        do throws(Refusal) {
            let target = try qubes.target(request.target, for: request.caller)
            guard target.qube?.uuid == request.uuid else { throw .noSuchQube }
        } catch {
            // What cannot be told now is looked up when its turn comes.
            if error.exception.kind != .failed { throw error }
        }
        guard !asked.contains(where: { $0.asksTheSame(as: request) }) else {
            throw Refusal(.badRequest, "The same goes on already.")
        }
        let job = try submit(request, targetName: old.target, continues: old.job)
        if old.isPaused { _ = try jobs.change(job, .pause) }
        writeRequest(request, old, job)
        jobs.enqueue(job)
        return (job, request)
    }

    /// As the log has every request: of whom it is, and that dom0 has asked in their stead.
    private func writeRequest(_ request: JobRequest, _ old: ContinuedJob, _ job: String) {
        var line = AuditRecord(.request)
        line.caller = request.caller
        line.service = request.operation.service?.rawValue ?? request.operation.rawValue
        line.argument = old.argument
        line.target = old.target
        line.job = job
        line.outcome = AuditLog.accepted
        line.detail = "\(AuditRecord.goesOn), as job \(old.job) was interrupted"
        audit.write(line)
    }
}
