// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// A file system that was found to stand still before anything was asked of it.
struct StillSite: Sendable {
    let pools: [String]
    let point: String
    let standstill: Standstill

    var problem: Report.Problem {
        Report.Problem(
            .pools(pools), "it stands still, and was left out: \(standstill.advice)")
    }
}

/// Looks whether a file system stands still before there is a file on it to try: to open one would
/// not return.
struct StandstillProbe: ~Copyable {
    /// What a look has found.
    enum Finding: Equatable {
        case moves
        case unknownYet
        case still(Standstill)
    }

    private let site: Site
    private let clock = SuspendingClock()
    private let started: SuspendingClock.Instant
    private var devices = DeviceWatch()
    private var probe: WriteProbe?
    private var isLetWrite = false
    private var looks = 0

    init(_ site: Site) {
        self.site = site
        started = clock.now
    }

    /// Looks once more; waits for nothing.
    mutating func look() -> Finding {
        let seconds = (clock.now - started).inSeconds
        let states = DeviceState.all(ofFileSystem: site.fileSystem.identity.text)
        let haveAnswered = devices.hasAnswered(states)
        defer { looks += 1 }
        if let device = devices.look(states, nowSeconds: seconds) { return .still(device) }
        if !isLetWrite { tryToWrite() }
        if isLetWrite {
            return devices.isQuiet || (looks > 0 && haveAnswered) ? .moves : .unknownYet
        }
        return seconds >= StandstillWatch.frozenSeconds ? .still(.frozen) : .unknownYet
    }

    private mutating func tryToWrite() {
        if probe == nil, let home = site.home {
            do throws(Errno) {
                probe = try WriteProbe.start(
                    in: home.descriptor,
                    name: "qubes-btrfs-write-probe-\(site.fileSystem.identity.text)")
            } catch {
                // Where it cannot be tried nothing is known, and nothing is held up for it.
                isLetWrite = true
                return
            }
        }
        if probe?.hasEnded() == true { isLetWrite = true }
    }

    /// Looks until it is known.
    mutating func wait() -> Standstill? {
        while true {
            switch look() {
            case .moves: return nil
            case .still(let standstill): return standstill
            case .unknownYet: Pause.milliseconds(20)
            }
        }
    }
}

extension Sites {
    /// What waits until all of it moves has waited; from others what does not move is left out.
    /// - Returns: false when it was cancelled.
    mutating func areMoving(for task: WorkerTask, _ output: Output, _ input: Input) -> Bool {
        if task.waitsForMotion { return waitForMotion(output, input) }
        leaveStill(mindsFrozen: task.mindsFrozen)
        // A check has findings of its own.
        if case .check = task { return true }
        problems += still.map(\.problem)
        return true
    }

    /// Leaves out what stands still: an account that began there would not end.
    /// - Parameter mindsFrozen: what is frozen is left out as well; whoever only reads goes on.
    private mutating func leaveStill(mindsFrozen: Bool) {
        for index in sites.indices.reversed() {
            let site = sites[index]
            var probe = StandstillProbe(site)
            guard let standstill = probe.wait() else { continue }
            if standstill == .frozen, !mindsFrozen {
                sites[index].isFrozen = true
                continue
            }
            still.append(
                StillSite(
                    pools: site.pools.map(\.pool.name), point: site.point, standstill: standstill))
            sites.remove(at: index)
        }
    }

    /// Waits until all of it moves, and says meanwhile what it waits for.
    /// - Returns: false when it was cancelled.
    private func waitForMotion(_ output: Output, _ input: Input) -> Bool {
        for site in sites {
            var probe = StandstillProbe(site)
            var heldAt: Int64?
            while true {
                let finding = probe.look()
                if finding == .moves { break }
                guard case .still(let standstill) = finding else {
                    Pause.milliseconds(20)
                    continue
                }
                let since = heldAt ?? output.clock.epochSeconds()
                if heldAt == nil { output.progress(.survey) }
                heldAt = since
                output.pacing(
                    Pacing(
                        state: .held, reason: .standstill, heldShare: 1,
                        advice: standstill.advice, heldAt: since))
                if input.word(withinSeconds: StandstillWatch.lookSeconds) == .cancel {
                    return false
                }
            }
            if heldAt != nil { output.pacing(Pacing(state: .full)) }
        }
        return true
    }
}
