// SPDX-License-Identifier: GPL-2.0-or-later

/// One record of the service in the journal: its fields `QUBES_BTRFS_...`.
struct ServiceRecord: Equatable, Sendable {
    /// What happened, as far as it is about calls and jobs; others are passed over.
    enum Event: String, Sendable, CaseIterable {
        /// A call came and was judged.
        case request
        /// A report that was accepted is over.
        case reportEnd = "report-end"
        /// A job's worker was started.
        case jobStart = "job-start"
        /// A job is over.
        case jobEnd = "job-end"
    }

    var event: Event
    var caller = ""
    var service = ""
    var argument = ""
    /// A keyword with its `@`.
    var target = ""
    var job = ""
    /// `accepted`, a state, or an exception's name.
    var outcome = ""
    var savedBytes: Int64?
    var detail = ""

    /// The prefix of its fields' names.
    static let fieldPrefix = "QUBES_BTRFS_"
    /// The names of its fields.
    static let fields = [
        "EVENT", "CALLER", "SERVICE", "ARGUMENT", "TARGET", "JOB", "OUTCOME", "SAVED_BYTES",
        "DETAIL",
    ].map { fieldPrefix + $0 }

    init(_ event: Event) { self.event = event }

    /// Reads a record's fields. nil when it is of another event.
    /// - Throws: `Unreadable` when a value is not written as the service writes it.
    init?(untrusted fields: [String: String]) throws(Unreadable) {
        func value(_ name: String) throws(Unreadable) -> String {
            try Self.unescaped(fields[Self.fieldPrefix + name] ?? "-")
        }
        guard let event = Event(rawValue: try value("EVENT")) else { return nil }
        self.init(event)
        caller = try value("CALLER")
        service = try value("SERVICE")
        argument = try value("ARGUMENT")
        target = try value("TARGET")
        job = try value("JOB")
        outcome = try value("OUTCOME")
        detail = try value("DETAIL")
        let saved = try value("SAVED_BYTES")
        if !saved.isEmpty {
            guard let bytes = Int64(saved) else { throw Unreadable() }
            savedBytes = bytes
        }
    }

    /// A value is not written as the service writes it.
    struct Unreadable: Error, Equatable {}

    /// The reverse of how the service writes a value: plain, or in quotes with `\n`, `\"`, `\\` and
    /// `\xNN`; `-` is nothing.
    static func unescaped(_ text: String) throws(Unreadable) -> String {
        if text == "-" { return "" }
        let bytes = Array(text.utf8)
        let quote = UInt8(ascii: "\"")
        guard bytes.first == quote else {
            guard bytes.allSatisfy({ $0.isLetter || $0.isDigit || "_.+-:/".utf8.contains($0) })
            else { throw Unreadable() }
            return text
        }
        guard bytes.count >= 2, bytes.last == quote else { throw Unreadable() }
        var inner = bytes[1..<(bytes.count - 1)]
        var plain: [UInt8] = []
        while let byte = inner.popFirst() {
            guard (0x20...0x7e).contains(byte), byte != quote else { throw Unreadable() }
            plain.append(byte == UInt8(ascii: "\\") ? try escape(&inner) : byte)
        }
        return String(decoding: plain, as: UTF8.self)
    }

    private static func escape(_ rest: inout ArraySlice<UInt8>) throws(Unreadable) -> UInt8 {
        switch rest.popFirst() {
        case UInt8(ascii: "n"): return UInt8(ascii: "\n")
        case UInt8(ascii: "\""): return UInt8(ascii: "\"")
        case UInt8(ascii: "\\"): return UInt8(ascii: "\\")
        case UInt8(ascii: "x"):
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            rest = rest.dropFirst(2)
            guard digits.utf8.count == 2, !digits.hasPrefix("+"), !digits.hasPrefix("-"),
                let byte = UInt8(digits, radix: 16)
            else { throw Unreadable() }
            return byte
        default: throw Unreadable()
        }
    }
}
