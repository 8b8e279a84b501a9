// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials

/// What `--json` writes: one object a line, its keys sorted, nothing in it that moves a terminal.
enum JSONText {
    /// A message with its kind under the key `message`, beside its own keys.
    static func tagged(_ kind: Kind, _ content: some Encodable) throws(ClientError) -> String {
        try plain(Extended(key: .message, extra: kind, content: content))
    }

    /// A message that has no kind: the one answer of its command.
    static func plain(_ content: some Encodable) throws(ClientError) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return String(decoding: try encoder.encode(content), as: UTF8.self).sanitisedJSON
        } catch {
            throw .unreadable("message")
        }
    }

    /// The kinds of messages in a stream.
    enum Kind: String, Encodable, CaseIterable {
        /// The service has taken the job: a `JobAccepted`.
        case accepted
        /// The job's state changed: a `JobRecord`.
        case state
        /// How far the job is: a `JobProgress`.
        case progress
        /// Nothing new; no other key.
        case heartbeat
        /// The last message: the `JobRecord` of the job that is over.
        case job
        /// What became of a qube that was to be trimmed: a `TrimRecord`.
        case trim
        /// The last message of a trim: a `TrimSum`.
        case trimmed
    }

    /// A message whose moments people may want to read, with the time zone of this machine.
    static func zoned(_ content: some Encodable, now: Int64) throws(ClientError) -> String {
        try plain(Extended(key: .timeZone, extra: TimeZoneNow(now: now), content: content))
    }

    /// A message with no key of its own.
    struct Nothing: Encodable {}

    private enum Key: String, CodingKey { case message, timeZone }

    /// A message with one key more than its own.
    private struct Extended<Extra: Encodable, Content: Encodable>: Encodable {
        let key: Key
        let extra: Extra
        let content: Content

        func encode(to encoder: any Encoder) throws {
            try content.encode(to: encoder)
            var own = encoder.container(keyedBy: Key.self)
            try own.encode(extra, forKey: key)
        }
    }
}
