// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import Qubes
internal import SystemCalls

/// The stream of `btrfs.job.Hold`: jobs on a qube hold from its first event until its caller goes
/// away.
///
/// It lasts no longer than its caller's right to it, which is looked up again and again, and no
/// longer than it may. What it says tells nothing but that it lasts: each event is an attempt to
/// reach the caller.
struct JobHold {
    private let hold: JobHolds.Number
    private let uuid: String?
    private let call: Call
    private let reader: Reader
    private let jobs: Jobs
    private let qubes: QubesState
    private let bounds: Bounds
    private let begun: ContinuousClock.Instant
    private var nextLook: ContinuousClock.Instant
    /// The last envelope was given: the service has ended it.
    private(set) var isOver = false
    /// Why it ended before its time.
    private(set) var refusal: Refusal?

    /// From here on jobs hold.
    init(
        _ qube: Qube, _ open: OpenCall, jobs: Jobs, qubes: QubesState, bounds: Bounds
    ) throws(Refusal) {
        uuid = qube.uuid
        call = open.call
        reader = open.reader
        self.jobs = jobs
        self.qubes = qubes
        self.bounds = bounds
        begun = jobs.clock.now()
        nextLook = begun + .seconds(bounds.standingSeconds)
        hold = try jobs.hold(qube.name, for: open.target.caller.name)
    }

    /// The next envelope, to be asked for again and again; nil after the last.
    mutating func next() -> Envelope? {
        if isOver { return nil }
        do throws(Refusal) {
            let now = jobs.clock.now()
            if now >= nextLook {
                try look()
                nextLook = now + .seconds(bounds.standingSeconds)
            }
            if jobs.keeps(hold) { return .event(.heartbeat, json: "{}") }
            isOver = true
            let seconds = (now - begun).inSeconds
            return try CallHandler.envelope(JobHoldEnd(heldSeconds: seconds), for: reader)
        } catch {
            isOver = true
            refusal = error
            return .exception(error.exception(for: reader.caller.name))
        }
    }

    /// The jobs go on.
    func release() { jobs.release(hold) }

    /// Whether the caller still sees this qube. While qubesd is away nobody can tell; it is asked
    /// again.
    private func look() throws(Refusal) {
        do throws(Refusal) {
            let target = try qubes.target(call.target, for: call.caller.text)
            guard target.qube?.uuid == uuid else { throw .noSuchQube }
        } catch {
            if error.exception.kind != .failed { throw error }
        }
    }
}
