// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// One call, from policy's word to what came of it.
struct AuditEntry: Equatable, Sendable, Encodable {
    /// What policy said.
    enum Decision: String, Sendable, Encodable, CaseIterable {
        /// It let the call through.
        case allowed
        /// It refused.
        case denied
        /// The user was asked and refused.
        case deniedByUser
        /// It could not be asked.
        case policyError
        /// dom0 itself called, by hand or by a timer: no policy is asked.
        case dom0
        /// The service itself asked again for what its end had interrupted: policy had been asked
        /// then.
        case continued
        /// The journal does not have it, or not any more.
        case unknown
    }

    /// How it ended, or how far it is.
    enum Outcome: String, Sendable, Encodable, CaseIterable {
        /// Policy refused, or nothing shows that the call came to the service.
        case notReached
        /// The service refused.
        case refused
        /// The service took it on; its end is not in the journal, or not yet.
        case accepted
        /// The job waits, or its start is not in the journal.
        case queued
        /// The job was started, and its end is not in the journal.
        case running
        /// The job or the call is over, and its outcome is in `state`.
        case over
    }

    /// Seconds since 1970 of the first thing that is known of it.
    var askedAt: Int64
    var caller: String
    var service: String
    /// What stood behind the service's `+`.
    var argument: String
    /// The qube, `dom0` for the machine; as the caller named it where nobody has resolved it. Of a
    /// call to the machine that names a job, the job's own.
    var target: String
    var decision: Decision
    /// `FILE:LINE`, where the journal names it: for what was refused.
    var rule: String?
    /// Policy's own words, where there is no rule.
    var reason: String?
    var outcome: Outcome
    /// The job's or the call's last state, or the name of the exception.
    var state: String?
    var job: String?
    /// The call's own number in the service's log.
    var call: String?
    /// What a call that sets something asked for, as `zstd`.
    var setting: String?
    /// Seconds since 1970.
    var startedAt: Int64?
    /// Seconds since 1970.
    var endedAt: Int64?
    /// By the file system's own count; nil for what saves nothing, as an estimate.
    var savedBytes: Int64?
    /// What the service wrote for dom0 alone.
    var detail: String?
}

extension AuditEntry {
    /// A call that names a job starts it, unless it is about one that is there.
    static func startsJob(_ service: String) -> Bool { !service.hasPrefix("btrfs.job.") }

    /// It has started a job, whose end is its own.
    var hasJob: Bool { job != nil && Self.startsJob(service) }

    /// It was refused before it had said who calls and what for.
    var isWithoutCaller: Bool { caller.isEmpty && service.isEmpty }

    /// It has changed nothing, whatever others have done meanwhile.
    var isEstimate: Bool { service == ServiceName.estimate.rawValue }
}
