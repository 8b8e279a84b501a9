// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import Qubes

/// Looks again and again, while a job runs, whether it may still do what it was started for: its
/// qube may be removed, replaced or hidden from its caller, and features may say something else.
struct JobStanding {
    /// The time between two looks, in seconds. A look reads qubes.xml and asks qubesd.
    private let intervalSeconds: Double
    private let machine: Machine
    private let request: JobRequest
    private let order: WorkerOrder
    private var nextLook: ContinuousClock.Instant
    private var objection: Refusal?

    /// - Parameter order: what the worker was given.
    init(_ request: JobRequest, _ order: WorkerOrder, machine: Machine, intervalSeconds: Double) {
        self.request = request
        self.order = order
        self.machine = machine
        self.intervalSeconds = intervalSeconds
        nextLook = .now + .seconds(intervalSeconds)
    }

    /// Looks when it is time to. False once the job must end.
    mutating func holds() -> Bool {
        if objection == nil, ContinuousClock.now >= nextLook {
            objection = look()
            nextLook = .now + .seconds(intervalSeconds)
        }
        return objection == nil
    }

    /// Throws why the job had to end, when it had to.
    func check() throws(Refusal) {
        if let objection { throw objection }
    }

    private func look() -> Refusal? {
        do throws(Refusal) {
            let scope = try machine.scope(of: request.target, for: request.caller)
            guard scope.qube?.uuid == request.uuid else { throw .noSuchQube }
            let (now, _) = try Selection(scope, request.argument).order(request.work)
            let isWhole = scope.inventory.leftOut.isEmpty
            return Self.holds(order, now, isWhole: isWhole) ? nil : Self.changed
        } catch {
            // qubesd may be starting again: what it does not say now it says at the next look.
            return error.exception.kind == .failed ? nil : error
        }
    }

    static let changed = Refusal(
        .unsuitablePool,
        "What the job may touch has changed since it was started; start it again.")

    /// Nothing that the worker may touch, or share, has been taken from it. A volume that is gone
    /// is nothing to object to: its files are gone, too.
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
                && new.dedupeGroup == old.dedupeGroup
        }
    }
}
