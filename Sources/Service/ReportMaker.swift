// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import SystemCalls

/// Makes reports, a few at a time; jobs do not hold them up.
final class ReportMaker: Sendable {
    private let workers: WorkerProgram
    private let bounds: Bounds
    private let running = Monitor(Running())

    private struct Running {
        var processes: [ObjectIdentifier: WorkerProcess] = [:]
        var places = 0
        var isStopping = false
    }

    init(workers: WorkerProgram, bounds: Bounds) {
        self.workers = workers
        self.bounds = bounds
    }

    /// What the selected volumes take, as the caller may read it.
    func report(_ selection: Selection, redaction: Redaction) throws(Refusal) -> Report {
        try takePlace()
        defer { running.withLock { $0.places -= 1 } }
        let (order, problems) = selection.order(.report)
        switch try run(order) {
        case .report(let report):
            var report = redaction.report(report, order)
            report.problems += problems
            return report
        case .failure(let kind, let message, let detail):
            throw Refusal(kind, message, detail: detail)
        case .interrupted(let detail):
            throw .failed("The report's worker ended before its work did.", detail: detail)
        case .malformed(let detail):
            throw .failed("The report's worker failed.", detail: detail)
        case .result:
            throw .failed("The report's worker failed.", detail: "it gave a job's result")
        }
    }

    /// Ends all reports that are being made; their callers are told that the worker ended.
    func stop() {
        let processes = running.withLock { state in
            state.isStopping = true
            return Array(state.processes.values)
        }
        for process in processes { process.kill() }
    }

    private func takePlace() throws(Refusal) {
        let most = bounds.reportWorkers
        let place: Bool? = running.wait(timeoutSeconds: bounds.reportWaitSeconds) { state in
            guard state.places < most else { return nil }
            state.places += 1
            return true
        }
        guard place != nil else {
            throw Refusal(
                .busy, "Other reports are still being made; try again in a few minutes.")
        }
    }

    private func run(_ order: WorkerOrder) throws(Refusal) -> WorkerEnding {
        let process = try workers.start(order)
        let key = ObjectIdentifier(process)
        let isStopping = running.withLock { state in
            state.processes[key] = process
            return state.isStopping
        }
        if isStopping { process.kill() }
        defer { _ = running.withLock { $0.processes.removeValue(forKey: key) } }
        return process.finish(
            lineBytes: Limits.replyBytes, limitSeconds: bounds.reportSeconds
        ) { _ in }
    }
}
