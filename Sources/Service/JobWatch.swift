// SPDX-License-Identifier: GPL-2.0-or-later
internal import FoundationEssentials
internal import Protocol

/// The stream of `btrfs.job.Watch`: where the job stands, what changes, and at the end its record.
///
/// It holds no events: each turn looks at the job as it is then. A slow reader so misses what lies
/// between, never the end, and costs nothing.
struct JobWatch {
    private enum Turn {
        case going
        case last
        case over
    }

    private let job: String
    private let jobs: Jobs
    private let redaction: Redaction
    private let heartbeatSeconds: Double
    private var seen: JobSnapshot?
    private var turn = Turn.going

    init(job: String, jobs: Jobs, redaction: Redaction, heartbeatSeconds: Double) {
        self.job = job
        self.jobs = jobs
        self.redaction = redaction
        self.heartbeatSeconds = heartbeatSeconds
    }

    /// Waits for the next envelope; nil after the last.
    mutating func next() -> Envelope? {
        do throws(Refusal) {
            switch turn {
            case .going: return try event()
            case .last:
                turn = .over
                return try seen.map { snapshot throws(Refusal) in
                    try CallHandler.reply(redaction.record(snapshot.record))
                }
            case .over: return nil
            }
        } catch {
            turn = .over
            return .exception(error.exception)
        }
    }

    private mutating func event() throws(Refusal) -> Envelope {
        let change = try jobs.change(of: job, after: seen, timeoutSeconds: heartbeatSeconds)
        guard let change else { return Self.event(.heartbeat, json: "{}") }
        let isNewState = seen?.stateChange != change.stateChange
        seen = change
        if change.record.state.isOver { turn = .last }
        if isNewState { return try Self.event(.state, redaction.record(change.record)) }
        return try Self.event(.progress, change.record.progress)
    }

    private static func event(
        _ name: JobEventName, _ object: some Encodable
    ) throws(Refusal) -> Envelope {
        do {
            let json = String(decoding: try CallHandler.encoder.encode(object), as: UTF8.self)
            return event(name, json: json)
        } catch {
            throw .failed("The event could not be written.", detail: "\(error)")
        }
    }

    private static func event(_ name: JobEventName, json: String) -> Envelope {
        .event(
            subject: Names.machine, name: name.rawValue,
            fields: [Envelope.Field(key: "json", value: json)])
    }
}
