// SPDX-License-Identifier: GPL-2.0-or-later

/// What a record of the journal and of the log file is about.
public enum AuditEvent: String, Sendable, CaseIterable {
    /// The daemon takes calls from now on.
    case start
    /// A call came and was judged.
    case request
    /// A call that was accepted is answered, or its caller has gone: of all that start no job.
    case callEnd = "call-end"
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

    /// The event of this name; earlier releases had another one for the end of a call.
    init?(written name: String) {
        self.init(rawValue: name == "report-end" ? Self.callEnd.rawValue : name)
    }
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
    /// The call's own number, which its request and its end have in common; empty where it was
    /// refused.
    public var call = ""
    /// `accepted`, `done`, `gone`, a job's last state or an exception's name.
    public var outcome = ""
    /// What a job saved, in bytes.
    public var savedBytes: Int64?
    /// What dom0 may know and the caller not; of a request of `btrfs.NewData`, what it sets.
    public var detail = ""
    /// The daemon that wrote it, another one after each start; in the journal alone.
    public var daemon = ""
    /// Its place among this daemon's records, from 1 on without a gap, so that it is seen when the
    /// journal lacks some; in the journal alone.
    public var sequence: UInt64?

    /// The outcome of a call whose caller went away, or took nothing any more, before its end.
    public static let goneOutcome = "gone"

    /// How the detail of a request begins that nobody has made: the service asks once more for
    /// what its own end has interrupted.
    public static let goesOn = "goes on after shutdown, by dom0"

    /// A record of this event, and of nothing else yet.
    public init(_ event: AuditEvent) { self.event = event }

    /// The names of its values, in the order in which a line has them.
    public enum Field: String, Sendable, CaseIterable {
        case event, caller, service, argument, target, job, outcome
        case savedBytes = "saved_bytes"
        case detail
        case call, daemon, sequence

        /// The name of the journal's field: only those of root's processes are read again.
        public var journalName: String { "QUBES_BTRFS_\(rawValue.uppercased())" }
    }

    /// `key=value` pairs in a fixed order, one line, printable ASCII.
    public var line: String {
        // The file has every record: nothing needs to be counted there.
        Field.allCases.filter { $0 != .daemon && $0 != .sequence }
            .filter { $0 != .call || !call.isEmpty }
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
        guard let event = AuditEvent(written: try value(.event)) else { return nil }
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
        daemon = try value(.daemon)
        let place = try value(.sequence)
        if !place.isEmpty {
            guard let number = UInt64(place) else { throw AuditValue.Unreadable() }
            sequence = number
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
        case .daemon: daemon
        case .sequence: sequence.map(String.init) ?? ""
        }
    }
}
