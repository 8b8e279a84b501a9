// SPDX-License-Identifier: GPL-2.0-or-later

/// What a record of the journal and of the log file is about.
public enum AuditEvent: String, Sendable, CaseIterable {
    /// The daemon takes calls from now on.
    case start
    /// A call came and was judged.
    case request
    /// A report that was accepted is over.
    case reportEnd = "report-end"
    /// A job's worker was started.
    case jobStart = "job-start"
    /// A job is over.
    case jobEnd = "job-end"
    /// The daemon takes no more calls.
    case stop
    /// The daemon could not do something that no call waits for.
    case trouble
    /// A caller made more calls than its share of the log: how many are not written down.
    case omitted
}

/// One thing that happened, as the daemon writes it into the journal and the log file, and as
/// `audit` reads it there.
public struct AuditRecord: Equatable, Sendable {
    /// What happened.
    public var event: AuditEvent
    /// The calling qube.
    public var caller = ""
    /// The service as called.
    public var service = ""
    /// The argument as called.
    public var argument = ""
    /// The target as called, a keyword with its `@`; of a job, the qube or `dom0`.
    public var target = ""
    /// The job's id.
    public var job = ""
    /// The call's own number, which its request and its end have in common; empty where a call has
    /// no end of its own.
    public var call = ""
    /// `accepted`, `done`, a job's last state or an exception's name.
    public var outcome = ""
    /// What a job saved, in bytes.
    public var savedBytes: Int64?
    /// What dom0 may know and the caller not.
    public var detail = ""

    /// A record of this event, and of nothing else yet.
    public init(_ event: AuditEvent) { self.event = event }

    /// The names of its values, in the order in which a line has them.
    public enum Field: String, Sendable, CaseIterable {
        case event, caller, service, argument, target, job, outcome
        case savedBytes = "saved_bytes"
        case detail
        case call

        /// The name of the journal's field: only those of root's processes are read again.
        public var journalName: String { "QUBES_BTRFS_\(rawValue.uppercased())" }
    }

    /// `key=value` pairs in a fixed order, one line, printable ASCII.
    public var line: String {
        // A call's number is there where it has one: most have not.
        Field.allCases.filter { $0 != .call || !call.isEmpty }
            .map { "\($0.rawValue)=\(AuditValue.escaped(self[$0]))" }.joined(separator: " ")
    }

    /// The record's fields, by their names in the journal; those that hold nothing are left out.
    public var journalFields: [(name: String, value: String)] {
        Field.allCases.filter { !self[$0].isEmpty }
            .map { ($0.journalName, AuditValue.escaped(self[$0])) }
    }

    /// Reads the record that a journal's entry holds; nil when it holds none, or one of an event
    /// that a later version writes.
    /// - Parameter untrustedFields: the entry's fields, of whatever kind.
    /// - Throws: `AuditValue.Unreadable` when a value is not written as the service writes it.
    public init?(untrusted untrustedFields: [String: String]) throws(AuditValue.Unreadable) {
        func value(_ field: Field) throws(AuditValue.Unreadable) -> String {
            try AuditValue.read(untrusted: untrustedFields[field.journalName] ?? "-")
        }
        guard let event = AuditEvent(rawValue: try value(.event)) else { return nil }
        self.init(event)
        caller = try value(.caller)
        service = try value(.service)
        argument = try value(.argument)
        target = try value(.target)
        job = try value(.job)
        outcome = try value(.outcome)
        detail = try value(.detail)
        call = try value(.call)
        let saved = try value(.savedBytes)
        if !saved.isEmpty {
            guard let bytes = Int64(saved) else { throw AuditValue.Unreadable() }
            savedBytes = bytes
        }
    }

    private subscript(_ field: Field) -> String {
        switch field {
        case .event: event.rawValue
        case .caller: caller
        case .service: service
        case .argument: argument
        case .target: target
        case .job: job
        case .outcome: outcome
        case .savedBytes: savedBytes.map(String.init) ?? ""
        case .detail: detail
        case .call: call
        }
    }
}
