// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import SystemCalls

/// Has workers look at disks: reports, checks and looks at new data. dom0 has workers of its own;
/// of qubes one is served at a time, each in turn, and what one account has found a moment ago
/// answers them as far as it goes.
final class AccountMaker: Sendable {
    private let workers: WorkerProgram
    private let bounds: Bounds
    private let clock: MachineClock
    private let spacing: Spacing
    private let state = Monitor(State())

    private struct State {
        var processes: [ObjectIdentifier: WorkerProcess] = [:]
        var ofDom0 = 0
        var turns = AccountTurns()
        var kept: [Kept] = []
        var isStopping = false
    }

    /// What a worker has found, and when.
    private struct Kept {
        let order: WorkerOrder
        let ending: WorkerEnding
        let at: ContinuousClock.Instant
    }

    /// How many of them are kept: each may be as large as a reply.
    private static let mostKept = 4

    init(workers: WorkerProgram, bounds: Bounds, clock: MachineClock) {
        self.workers = workers
        self.bounds = bounds
        self.clock = clock
        spacing = Spacing(seconds: bounds.accountSpacingSeconds)
    }

    /// What the selected volumes take.
    func report(_ order: WorkerOrder, for caller: Caller) throws(Refusal) -> Report {
        let ending = try account(order, for: caller)
        guard case .report(let report) = ending else {
            throw .failed("The report's worker failed.", detail: "it gave something else")
        }
        return report
    }

    /// Whether the selected volumes, and for the machine itself all beneath them, are fit.
    func check(_ order: WorkerOrder, for caller: Caller) throws(Refusal) -> CheckReport {
        let ending = try account(order, for: caller)
        guard case .check(let check) = ending else {
            throw .failed("The check's worker failed.", detail: "it gave something else")
        }
        return check
    }

    /// What becomes of new data of the selected volumes, after setting what new images inherit.
    func newData(_ order: WorkerOrder, for caller: Caller) throws(Refusal) -> NewDataReply {
        try takePlace(caller)
        defer { leavePlace(caller) }
        // What it sets, accounts tell.
        defer { forget() }
        guard case .newData(let reply) = try ending(of: order, for: caller) else {
            throw .failed("The worker failed.", detail: "it gave something else")
        }
        return reply
    }

    /// What was found so far counts no more.
    func forget() { state.withLock { $0.kept = [] } }

    /// Ends all that is being made; callers are told that the worker ended.
    func stop() {
        let processes = state.withLock { state in
            state.isStopping = true
            return Array(state.processes.values)
        }
        for process in processes { process.kill() }
    }

    // MARK: What is known already

    /// An account that a worker makes now; a qube gets one of a moment ago where there is one.
    private func account(
        _ order: WorkerOrder, for caller: Caller
    ) throws(Refusal) -> WorkerEnding {
        if !caller.isMachine {
            spacing.wait(caller.name)
            if let known = known(order) { return known }
        }
        try takePlace(caller)
        defer { leavePlace(caller) }
        // Whoever was served meanwhile may have asked the same.
        if !caller.isMachine, let known = known(order) { return known }
        let ending = try ending(of: order, for: caller)
        state.withLock { state in
            state.kept = state.kept.filter(isFresh).suffix(Self.mostKept - 1)
            state.kept.append(Kept(order: order, ending: ending, at: clock.now()))
        }
        return ending
    }

    private func isFresh(_ kept: Kept) -> Bool {
        (clock.now() - kept.at).inSeconds < bounds.accountSeconds
    }

    private func known(_ order: WorkerOrder) -> WorkerEnding? {
        let kept = state.withLock { $0.kept }.reversed().filter(isFresh)
        for account in kept {
            if account.order == order { return account.ending }
            if case .report(let report) = account.ending,
                let part = report.part(for: order, of: account.order)
            {
                return .report(part)
            }
        }
        return nil
    }

    // MARK: Turns

    private func takePlace(_ caller: Caller) throws(Refusal) {
        let name = caller.name
        let isTaken: Bool
        if caller.isMachine {
            let most = bounds.accountWorkersOfDom0
            isTaken =
                state.wait(timeoutSeconds: bounds.reportWaitSeconds) { state -> Bool? in
                    guard state.ofDom0 < most else { return nil }
                    state.ofDom0 += 1
                    return true
                } == true
        } else {
            isTaken = takeTurn(name)
        }
        guard isTaken else {
            throw Refusal(
                .busy, "Other reports are still being made; try again in a few minutes.")
        }
    }

    private func takeTurn(_ name: String) -> Bool {
        let most = bounds.accountWorkers
        let number = state.withLock { $0.turns.enter(name) }
        let turn: Bool? = state.wait(timeoutSeconds: bounds.reportWaitSeconds) { state in
            state.turns.serve(number, most: most) ? true : nil
        }
        state.withLock { $0.turns.leaveQueue(number) }
        return turn == true
    }

    private func leavePlace(_ caller: Caller) {
        state.withLock { state in
            if caller.isMachine { state.ofDom0 -= 1 } else { state.turns.end(caller.name) }
        }
    }

    // MARK: Workers

    /// What a worker gave, unless it failed.
    private func ending(
        of order: WorkerOrder, for caller: Caller
    ) throws(Refusal) -> WorkerEnding {
        let ending = try run(order)
        switch ending {
        case .failure(let kind, let message, let detail):
            throw Refusal(
                kind, caller.isMachine ? message : message.withoutPaths,
                detail: "\(message) \(detail)")
        case .interrupted(let detail):
            throw .failed("The report's worker ended before its work did.", detail: detail)
        case .malformed(let detail):
            throw .failed("The report's worker failed.", detail: detail)
        case .report, .check, .newData, .result, .cancelled:
            return ending
        }
    }

    private func run(_ order: WorkerOrder) throws(Refusal) -> WorkerEnding {
        let process = try workers.start(order)
        let key = ObjectIdentifier(process)
        let isStopping = state.withLock { state in
            state.processes[key] = process
            return state.isStopping
        }
        if isStopping { process.kill() }
        defer { _ = state.withLock { $0.processes.removeValue(forKey: key) } }
        return process.finish(
            lineBytes: Limits.replyBytes, limitSeconds: bounds.reportSeconds
        ) { _ in }
    }
}

extension Report {
    /// The part of a report of the machine that answers a question about one qube, or about one of
    /// its volumes: their own figures are the same, whatever else was asked about.
    /// - Parameters:
    ///   - order: what is asked now.
    ///   - whole: what this report answers.
    /// - Returns: nil where it does not hold the answer.
    fileprivate func part(for order: WorkerOrder, of whole: WorkerOrder) -> Report? {
        let asked = order.volumes.filter(\.selected)
        guard order.work == .report, !order.wholeMachine, whole.wholeMachine,
            order.isOfTheSameVolumes(as: whole), let name = asked.first?.qube,
            asked.allSatisfy({ $0.qube == name }), let pool = asked.first?.pool,
            asked.allSatisfy({ $0.pool == pool }),
            var qube = qubes.first(where: { $0.name == name })
        else { return nil }
        let names = Set(asked.map(\.name))
        let volumes = qube.volumes.filter { names.contains($0.name) }
        guard volumes.count == names.count else { return nil }
        if volumes.count != qube.volumes.count {
            // What two of several volumes share is in no figure.
            guard volumes.count == 1 else { return nil }
            qube.figures = volumes[0].figures
            qube.volumes = volumes
        }
        var part = self
        part.qubes = [qube]
        part.total = qube.figures
        part.fileSystems = []
        part.machine = nil
        part.history = nil
        part.families = []
        // Groups are told to dom0 alone, which gets an account of its own.
        part.groups = []
        part.pools = [QubeSet(name: pool, qubes: [name], figures: qube.figures)]
        return part
    }
}

extension WorkerOrder {
    /// Nothing differs but which of them are asked about.
    fileprivate func isOfTheSameVolumes(as other: WorkerOrder) -> Bool {
        func plain(_ order: WorkerOrder) -> [Volume] {
            order.volumes.filter { !$0.isSystem }.map { volume in
                var volume = volume
                volume.selected = false
                volume.family = nil
                volume.dedupeGroup = ""
                volume.compressionLevel = nil
                return volume
            }
        }
        return pools == other.pools && plain(self) == plain(other)
    }
}
