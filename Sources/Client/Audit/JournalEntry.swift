// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol

/// One entry of the journal that is about a call of ours.
struct JournalEntry: Equatable, Sendable {
    /// What it is.
    enum Content: Equatable, Sendable {
        /// Policy decided.
        case policy(PolicyLine)
        /// The service did something.
        case service(AuditRecord)
    }

    /// When the journal got it, in microseconds since 1970.
    var microseconds: Int64
    /// What it is.
    var content: Content
}

/// Takes entries out of what `journalctl --output=json` writes: an object a line. Pure, and fit for
/// whatever bytes come.
struct JournalText {
    /// The longest line, in bytes; a longer one is no entry of ours.
    static let lineBytes = 64 * 1024

    /// What was found, in the order of the lines.
    var entries: [JournalEntry] = []
    /// Lines that are no entry, or one of ours that cannot be read.
    var unreadableLines = 0

    private var rest: [UInt8] = []
    private var isTooLong = false

    /// Takes what came next.
    mutating func append(_ bytes: some Sequence<UInt8>) {
        for byte in bytes {
            if byte == UInt8(ascii: "\n") {
                finish()
            } else if rest.count < Self.lineBytes {
                rest.append(byte)
            } else {
                isTooLong = true
            }
        }
    }

    /// The line is whole; to be called once more at the end.
    mutating func finish() {
        defer {
            rest.removeAll(keepingCapacity: true)
            isTooLong = false
        }
        if rest.isEmpty { return }
        if isTooLong {
            unreadableLines += 1
            return
        }
        do throws(AuditValue.Unreadable) {
            if let entry = try Self.entry(rest) { entries.append(entry) }
        } catch {
            unreadableLines += 1
        }
    }

    /// nil for an entry that is about something else.
    private static func entry(
        _ line: [UInt8]
    ) throws(AuditValue.Unreadable) -> JournalEntry? {
        // A NUL would have the decoder take the text for UTF-16; brackets bound its recursion.
        let brackets = line.count { $0 == UInt8(ascii: "[") || $0 == UInt8(ascii: "{") }
        guard !line.contains(0), brackets <= mostBrackets,
            let fields = try? JSONDecoder().decode([String: Field].self, from: Data(line)),
            let time = fields["__REALTIME_TIMESTAMP"]?.text, let microseconds = Int64(time),
            microseconds >= 0
        else { throw AuditValue.Unreadable() }
        let texts = fields.compactMapValues(\.text)
        if texts[AuditRecord.Field.event.journalName] != nil {
            // The journal itself says who wrote it: the service is root.
            guard texts["_UID"] ?? "0" == "0" else { throw AuditValue.Unreadable() }
            return try AuditRecord(untrusted: texts).map {
                JournalEntry(microseconds: microseconds, content: .service($0))
            }
        }
        return texts["MESSAGE"].flatMap { PolicyLine(untrusted: $0) }.map {
            JournalEntry(microseconds: microseconds, content: .policy($0))
        }
    }

    /// Far more than an entry has: fields are strings or lists of bytes.
    private static let mostBrackets = 256

    /// A field: a text, or what journalctl writes for one that is no text (bytes), too long (null)
    /// or there twice (a list).
    private enum Field: Decodable {
        case text(String)
        case other

        init(from decoder: any Decoder) throws {
            let value = try decoder.singleValueContainer()
            if let text = try? value.decode(String.self) {
                self = .text(text)
            } else if let bytes = try? value.decode([UInt8].self) {
                self = .text(String(decoding: bytes, as: UTF8.self))
            } else {
                self = .other
            }
        }

        var text: String? {
            if case .text(let text) = self { return text }
            return nil
        }
    }
}
