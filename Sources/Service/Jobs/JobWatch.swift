// SPDX-License-Identifier: GPL-2.0-or-later
internal import FoundationEssentials
internal import Protocol
internal import SystemCalls

/// The stream of `btrfs.job.Watch`: where the job stands, what changes, and at the end its record.
///
/// It holds no events: each turn looks at the job as it is then. A slow reader so misses what lies
/// between, never the end, and costs nothing. It lasts no longer than its reader's right to it,
/// which is looked up again and again.
struct JobWatch {
    private enum Turn {
        case going
        case last
        case over
    }

    private let job: String
    private let call: Call
    private let jobs: Jobs
    private let qubes: QubesState
    private let bounds: Bounds
    private var reader: Reader
    private var nextLook: ContinuousClock.Instant
    private var seen: JobSnapshot?
    private var turn = Turn.going
    /// Why it ended before the job did.
    private(set) var refusal: Refusal?

    init(_ job: String, _ open: OpenCall, jobs: Jobs, qubes: QubesState, bounds: Bounds) {
        self.init(job, open.call, open.reader, jobs: jobs, qubes: qubes, bounds: bounds)
    }

    init(
        _ job: String, _ call: Call, _ reader: Reader, jobs: Jobs, qubes: QubesState,
        bounds: Bounds
    ) {
        self.job = job
        self.call = call
        self.reader = reader
        self.jobs = jobs
        self.qubes = qubes
        self.bounds = bounds
        nextLook = jobs.clock.now() + .seconds(bounds.standingSeconds)
    }

    /// Waits for the next envelope; nil after the last.
    mutating func next() -> Envelope? {
        do throws(Refusal) {
            switch turn {
            case .going: return try event()
            case .last:
                turn = .over
                guard let seen else { return nil }
                return try CallHandler.envelope(seen.record, for: reader)
            case .over: return nil
            }
        } catch {
            turn = .over
            refusal = error
            return .exception(error.exception(for: reader.caller.name))
        }
    }

    private mutating func event() throws(Refusal) -> Envelope {
        let change = try jobs.change(
            of: job, after: seen,
            timeoutSeconds: min(bounds.heartbeatSeconds, bounds.standingSeconds))
        let now = jobs.clock.now()
        if now >= nextLook {
            try look()
            nextLook = now + .seconds(bounds.standingSeconds)
        }
        guard let change else { return .event(.heartbeat, json: "{}") }
        let isNewState = seen?.stateChange != change.stateChange
        seen = change
        if change.record.isOver { turn = .last }
        if isNewState { return try event(.state, change.record) }
        guard let progress = change.record.progress else {
            return .event(.heartbeat, json: "{}")
        }
        return try event(.progress, progress)
    }

    /// Whether the reader still sees the job. While qubesd is away nobody can tell, and nothing new
    /// is told.
    private mutating func look() throws(Refusal) {
        if reader.caller.isMachine { return }
        let target = try qubes.target(call.target, for: call.caller.text)
        guard let record = jobs.record(job, for: target.caller), target.concerns(record) else {
            throw .noSuchJob
        }
        reader = Reader(target)
    }

    private func event(
        _ name: JobEventName, _ object: some Readable
    ) throws(Refusal) -> Envelope {
        .event(
            name, json: String(decoding: try CallHandler.bytes(object, for: reader), as: UTF8.self))
    }
}

extension Envelope {
    /// An event of a stream about jobs.
    static func event(_ name: JobEventName, json: String) -> Envelope {
        .event(
            subject: QubeName.machine, name: name.rawValue,
            fields: [Envelope.Field(key: "json", value: json)])
    }
}
