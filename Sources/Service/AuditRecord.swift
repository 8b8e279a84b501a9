// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol

/// One thing that happened, as the journal and the log file keep it.
struct AuditRecord: Equatable, Sendable {
    /// What happened.
    enum Event: String, Sendable, CaseIterable {
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
    }

    var event: Event
    /// The calling qube.
    var caller = ""
    /// The service as called.
    var service = ""
    /// The argument as called.
    var argument = ""
    /// The target as called; of a job, the qube or `dom0`.
    var target = ""
    /// The job's id.
    var job = ""
    /// `accepted`, `done`, a job's last state or an exception's name.
    var outcome = ""
    /// What a job saved, in bytes.
    var savedBytes: Int64?
    /// What dom0 may know and the caller not.
    var detail = ""

    init(_ event: Event) { self.event = event }

    /// The longest value that is written, in characters; the rest is cut.
    static let valueCharacters = 512

    /// `key=value` pairs in a fixed order, one line, printable ASCII.
    var line: String {
        pairs.map { "\($0.key)=\(Self.escaped($0.value))" }.joined(separator: " ")
    }

    /// The record as systemd-journald's native protocol takes it: a field a line.
    var journalFields: [UInt8] {
        var lines = [
            "MESSAGE=\(line)", "PRIORITY=\(priority)", "SYSLOG_IDENTIFIER=qubes-btrfsd",
        ]
        for (key, value) in pairs where !value.isEmpty {
            let name = key.uppercased()
            lines.append("QUBES_BTRFS_\(name)=\(Self.escaped(value))")
        }
        return Array((lines.joined(separator: "\n") + "\n").utf8)
    }

    private var pairs: [(key: String, value: String)] {
        [
            ("event", event.rawValue), ("caller", caller), ("service", service),
            ("argument", argument), ("target", target), ("job", job), ("outcome", outcome),
            ("saved_bytes", savedBytes.map(String.init) ?? ""), ("detail", detail),
        ]
    }

    /// syslog's levels: 4 is a warning, 5 a notice.
    private var priority: Int {
        switch event {
        case .trouble: 4
        case .start, .request, .reportEnd, .jobStart, .jobEnd, .stop: 5
        }
    }

    /// A value that cannot end its pair, its line or its field: plain where all of it is harmless,
    /// otherwise within quotes with backslashes; `-` for nothing.
    static func escaped(_ value: String) -> String {
        if value.isEmpty { return "-" }
        let bytes = value.utf8.prefix(valueCharacters)
        if value != "-" && bytes.allSatisfy(isHarmless) {
            return String(decoding: bytes, as: UTF8.self)
        }
        let inner = bytes.map { byte -> String in
            switch byte {
            case UInt8(ascii: "\n"): "\\n"
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): "\\" + String(UnicodeScalar(byte))
            case 0x20...0x7e: String(UnicodeScalar(byte))
            default: "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        return "\"\(inner.joined())\""
    }

    private static func isHarmless(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "+"), UInt8(ascii: "-"),
            UInt8(ascii: ":"), UInt8(ascii: "/"):
            true
        default: false
        }
    }
}
