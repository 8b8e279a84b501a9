// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol

/// Whose turn it is. Pure.
extension JobArchive {
    private var running: [JobEntry] { entries.filter { $0.running != nil } }

    /// The job to start now; nil when none may be.
    ///
    /// dom0's come first, in their order; then each qube in turn, so that none waits for all that
    /// another has asked for. A paused one keeps its place and lets the others by. One works at a
    /// time; those that are held, or were set aside, keep their workers, of which there are only so
    /// many, and the last place is for dom0.
    func next(_ bounds: Bounds) -> String? {
        let onBattery = running.contains(where: \.waitsForMains)
        let ready = entries.filter { entry in
            guard let (request, isReady) = entry.waiting, isReady, entry.record.state == .queued
            else { return false }
            return !onBattery || request.onBattery
        }
        // The first of equals.
        guard let next = ready.min(by: { lastTurn(of: $0) < lastTurn(of: $1) }),
            mayStart(next, bounds)
        else { return nil }
        return next.record.job
    }

    /// The places for workers that are not dom0's alone.
    private static func workersOfQubes(_ bounds: Bounds) -> Int { max(1, bounds.workers - 1) }

    private func mayStart(_ next: JobEntry, _ bounds: Bounds) -> Bool {
        let running = running
        guard running.count < (next.isOfDom0 ? bounds.workers : Self.workersOfQubes(bounds)) else {
            return false
        }
        let working = running.filter { !$0.isHeld && $0.running?.isSetAside == false }
        // A qube's job that works makes way for dom0's.
        return working.allSatisfy {
            next.isOfDom0 && !$0.isOfDom0 && $0.running?.isCancelled == false
        }
    }

    /// The turn that its caller had last.
    private func lastTurn(of entry: JobEntry) -> Int {
        if entry.isOfDom0 { return -1 }
        return entries.filter { $0.record.caller == entry.record.caller }.compactMap(\.turn).max()
            ?? 0
    }

    /// Has those hold a qube of which is held, for no longer in all than a job may be. One that is
    /// paused holds anyway: that is not counted.
    private mutating func applyHolds(_ bounds: Bounds, at now: ContinuousClock.Instant) {
        for entry in running {
            var entry = entry
            guard var running = entry.running else { continue }
            let mayHold = running.held.seconds(at: now) < bounds.holdSeconds
            running.heldFor = mayHold ? holds.qube(among: running.qubes, at: now) : nil
            running.held.set(
                isRunning: running.heldFor != nil && !running.isCancelled
                    && entry.record.state != .paused, at: now)
            entry.running = running
            self[entry.record.job] = entry
        }
    }

    /// Has those hold that are to, lets one of those that can work do so and sets the others aside,
    /// and tells the workers.
    mutating func shareTurns(_ bounds: Bounds, at now: ContinuousClock.Instant) {
        applyHolds(bounds, at: now)
        func order(_ entry: JobEntry) -> (Int, Int, Int) {
            (
                entry.isOfDom0 ? 0 : 1, entry.running?.isSetAside == true ? 1 : 0,
                entry.turn ?? .max
            )
        }
        let able = running.filter { !$0.isHeld && $0.running?.isCancelled == false }
        let first = able.min { order($0) < order($1) }?.record.job
        for entry in running {
            var entry = entry
            let job = entry.record.job
            let isAble = able.contains { $0.record.job == job }
            entry.running?.isSetAside = isAble && job != first
            self[job] = entry
            entry.tellWorker()
        }
    }

    /// Somebody has this job paused for longer than may be while others wait, and there is no place
    /// for a worker beside its own.
    func mustMakeRoom(
        _ job: String, _ bounds: Bounds, at now: ContinuousClock.Instant
    ) -> Bool {
        guard let entry = self[job], let running = entry.running, entry.record.state == .paused,
            running.paused.seconds(at: now) >= bounds.pausedSeconds, next(bounds) == nil,
            self.running.count >= Self.workersOfQubes(bounds)
        else { return false }
        return entries.contains { $0.waiting?.isReady == true && $0.record.state == .queued }
    }
}
