// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol

/// Rounds in which jobs come through the daemon.
extension TortureWorld {
    /// What becomes of a job, its worker and its daemon.
    private enum End: CaseIterable { case left, cancelled, daemon, worker, both }

    /// qubesd's driver and qubes are at work, and of the daemon and its workers one or both die
    /// with SIGKILL. The next daemon says so.
    func daemon(_ random: inout TortureRandom) throws {
        let service = try TortureService(on: disk)
        defer { driver.isBesideJob = { [unowned self] in worker?.isRunning == true } }
        driver.isBesideJob = { !service.workers.isEmpty }
        for _ in 0..<random.number(2..<6) {
            let job = TortureJob(&random, .left)
            let qube = random.chance(70) ? nil : random.pick(job.volumes).qube
            let end = random.pick(End.allCases)
            driver.writer.note("job \(job.work) of \(qube ?? "all"): \(end)")
            let identifier = try service.submit(job.work, of: qube)
            counts.jobs += 1
            let moment = random.number(0..<40)
            for step in 0..<moment where step.isMultiple(of: 4) || random.chance(60) {
                try driver.step()
            }
            try meet(end, identifier, service)
            let record = try wait(for: identifier, service)
            driver.writer.note("it is \(record.state)")
            if record.state == .cancelled { counts.cancels += 1 }
            let mayBeInterrupted = [.daemon, .worker, .both].contains(end)
            guard TortureService.isTrue(record),
                mayBeInterrupted || record.state != .interrupted
            else {
                throw TortureModel.Broken(description: "\(end): \(record), \(service.said)")
            }
        }
        guard service.isRunning else {
            throw TortureModel.Broken(description: "the daemon has ended")
        }
        service.stop()
    }

    private func meet(_ end: End, _ job: String, _ service: TortureService) throws {
        switch end {
        case .left: return
        case .cancelled: return try service.cancel(job)
        case .worker, .both:
            let workers = service.workers
            for worker in workers { Foundation.kill(worker, SIGKILL) }
            counts.kills += workers.count
            if end == .worker { return }
        case .daemon: counts.kills += service.workers.count
        }
        let before = try end == .daemon ? service.record(job) : nil
        guard service.killAlone() else {
            throw TortureModel.Broken(description: "a worker has survived its daemon")
        }
        counts.daemonKills += 1
        try service.start()
        guard let after = try service.record(job), after.isOver else {
            throw TortureModel.Broken(description: "the next daemon does not know how a job ended")
        }
        // What was over stays what it was.
        if let before, before.isOver, before != after {
            throw TortureModel.Broken(description: "\(before) has become \(after)")
        }
    }

    private func wait(for job: String, _ service: TortureService) throws -> JobRecord {
        let end = ContinuousClock.now + .seconds(TortureWorker.patienceSeconds)
        while ContinuousClock.now < end {
            if let record = try service.record(job), record.isOver { return record }
            try driver.step()
        }
        throw TortureModel.Broken(description: "a job of the daemon does not come to an end")
    }
}
