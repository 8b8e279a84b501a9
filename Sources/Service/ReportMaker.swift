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
        guard case .report(let report) = try ending(of: order) else {
            throw .failed("The report's worker failed.", detail: "it gave something else")
        }
        var redacted = redaction.report(report, order)
        redacted.problems += problems
        return redacted
    }

    /// Whether the selected volumes, and for the machine itself all beneath them, are fit.
    func check(_ selection: Selection) throws(Refusal) -> CheckReport {
        try takePlace()
        defer { running.withLock { $0.places -= 1 } }
        let (order, problems) = selection.order(.check)
        guard case .check(var check) = try ending(of: order) else {
            throw .failed("The check's worker failed.", detail: "it gave something else")
        }
        check.findings = selection.findings(problems) + check.findings
        return check
    }

    /// What becomes of new data of the selected volumes, after setting what new images inherit.
    func newData(
        _ selection: Selection, _ setting: NewDataSetting?
    ) throws(Refusal) -> NewDataReply {
        try takePlace()
        defer { running.withLock { $0.places -= 1 } }
        guard case .newData(let reply) = try ending(of: selection.order(.newData(setting)).order)
        else { throw .failed("The worker failed.", detail: "it gave something else") }
        return reply
    }

    /// What a worker gave, unless it failed.
    private func ending(of order: WorkerOrder) throws(Refusal) -> WorkerEnding {
        let ending = try run(order)
        switch ending {
        case .failure(let kind, let message, let detail):
            throw Refusal(kind, message, detail: detail)
        case .interrupted(let detail):
            throw .failed("The report's worker ended before its work did.", detail: detail)
        case .malformed(let detail):
            throw .failed("The report's worker failed.", detail: detail)
        case .report, .check, .newData, .result, .cancelled:
            return ending
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
