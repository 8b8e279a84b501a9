// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import Qubes
internal import SystemCalls
internal import SystemPackage

/// Looks again and again, while a job runs, whether it may still do what it was started for: its
/// qube may be removed, replaced or hidden from its caller, and features may say something else. It
/// looks by the clock, whether or not the worker says anything.
final class JobOversight: Sendable {
    /// Why a job had to end.
    enum Objection {
        /// It may not do any more what it was started for.
        case refused(Refusal)
        /// It was paused for too long while others waited.
        case madeRoom
    }

    private struct State {
        var isOver = false
        var objection: Objection?
    }

    private let request: JobRequest
    private let order: WorkerOrder
    private let qubes: QubesState
    private let state = Monitor(State())

    /// - Parameter order: what the worker was given.
    init(_ request: JobRequest, _ order: WorkerOrder, qubes: QubesState) {
        self.request = request
        self.order = order
        self.qubes = qubes
    }

    /// Looks every so many seconds until `end`, on a thread of its own.
    /// - Parameters:
    ///   - mustMakeRoom: looked at each time as well.
    ///   - stop: called once when the job must end.
    func start(
        everySeconds: Double, mustMakeRoom: @escaping @Sendable () -> Bool,
        stop: @escaping @Sendable () -> Void
    ) throws(Errno) {
        try WorkThread.start { [self] in
            while state.wait(timeoutSeconds: everySeconds, until: { $0.isOver ? true : nil }) == nil
            {
                let objection = mustMakeRoom() ? .madeRoom : look().map(Objection.refused)
                guard let objection else { continue }
                state.withLock { $0.objection = objection }
                stop()
                return
            }
        }
    }

    /// No more looks.
    /// - Returns: why the job had to end, when it had to.
    func end() -> Objection? {
        state.withLock { state in
            state.isOver = true
            return state.objection
        }
    }

    private func look() -> Refusal? {
        do throws(Refusal) {
            let target = try qubes.target(request.target, for: request.caller)
            guard target.qube?.uuid == request.uuid else { throw .noSuchQube }
            let (now, _) = try request.orders(target).order(request.work)
            let isWhole = target.inventory.leftOut.isEmpty
            return Self.holds(order, now, isWhole: isWhole) ? nil : Self.changed
        } catch {
            // qubesd may be starting again: what it does not say now it says at the next look.
            return error.exception.kind == .failed ? nil : error
        }
    }

    static let changed = Refusal(
        .unsuitablePool,
        "What the job may touch has changed since it was started; start it again.")

    /// Nothing that the worker may touch, share or pack has been taken from it. A volume that is
    /// gone is nothing to object to: its files are gone, too.
    /// - Parameter isWhole: nothing is left out of qubes.xml. What is left out is not gone.
    static func holds(_ order: WorkerOrder, _ now: WorkerOrder, isWhole: Bool = true) -> Bool {
        func key(_ volume: WorkerOrder.Volume) -> String {
            "\(volume.qube)\n\(volume.pool)\n\(volume.volumeIdentifier)"
        }
        let folders = Set(now.systemDirectories ?? [])
        guard folders.isSuperset(of: order.systemDirectories ?? []) else { return false }
        let volumes = Dictionary(now.volumes.map { (key($0), $0) }) { first, _ in first }
        return order.volumes.allSatisfy { old in
            guard let new = volumes[key(old)] else { return isWhole || old.skipped }
            return (new.selected || !old.selected) && (!new.skipped || old.skipped)
                && (new.dedupeGroup == old.dedupeGroup || old.isAlone)
                && (new.compressionLevel != 0 || old.compressionLevel == 0 || !order.work.packs)
        }
    }
}

extension WorkerOrder.Work {
    /// It compresses what is not: a level of 0 takes that from it.
    fileprivate var packs: Bool {
        switch self {
        case .compress(let level, _): level != CompressRequest.plainLevel
        case .optimize: true
        case .report, .newData, .estimate, .verify, .check, .dedupe, .defragment, .sparsify: false
        }
    }
}

extension WorkerOrder.Volume {
    /// It is compared with itself alone: another group takes nothing from it.
    fileprivate var isAlone: Bool {
        dedupeGroup == DedupeGroup.volume(pool: pool, identifier: volumeIdentifier)
    }
}
