// SPDX-License-Identifier: GPL-2.0-or-later

/// Takes envelopes out of a stream of bytes as they come, on the client's side.
public struct EnvelopeReader: Sendable {
    private var buffer: [UInt8] = []

    /// An empty reader.
    public init() {}

    /// Adds bytes that came.
    public mutating func append(_ bytes: some Sequence<UInt8>) {
        buffer.append(contentsOf: bytes)
    }

    /// The number of bytes that wait.
    public var pendingBytes: Int { buffer.count }

    /// The next event that is whole, or nil when more bytes are needed or something other follows.
    public mutating func nextEvent() throws(EnvelopeError) -> Envelope? {
        guard buffer.first != nil else { return nil }
        guard buffer.count >= 2 else { return nil }
        guard buffer[0] == UInt8(ascii: "1"), buffer[1] == 0 else { return nil }
        var strings: [String] = []
        var start = 2
        while let end = buffer[start...].firstIndex(of: 0) {
            // Past subject and name, an empty key ends the event.
            let isKey = strings.count >= 2 && strings.count % 2 == 0
            if isKey && end == start {
                guard end < Limits.eventBytes else { throw .tooLong }
                buffer.removeFirst(end + 1)
                return Self.event(strings)
            }
            strings.append(String(decoding: buffer[start..<end], as: UTF8.self))
            start = end + 1
        }
        guard buffer.count <= Limits.eventBytes else { throw .tooLong }
        return nil
    }

    /// What is left once the stream has ended: a reply or an exception.
    public func last() throws(EnvelopeError) -> Envelope {
        guard !buffer.isEmpty else { throw .empty }
        guard buffer.count >= 2, buffer[1] == 0 else { throw .malformed }
        switch buffer[0] {
        case UInt8(ascii: "0"): return .reply(Array(buffer[2...]))
        case UInt8(ascii: "2"): return try exception()
        default: throw .malformed
        }
    }

    private func exception() throws(EnvelopeError) -> Envelope {
        let strings = buffer[2...].split(separator: 0, omittingEmptySubsequences: false)
        guard strings.count >= 3 else { throw .malformed }
        let name = String(decoding: strings[0], as: UTF8.self)
        let kind = ServiceException.Kind(rawValue: name) ?? .failed
        return .exception(ServiceException(kind, Self.message(strings[2])))
    }

    /// A message as it was before its per cent signs were doubled.
    private static func message(_ doubled: some Sequence<UInt8>) -> String {
        var bytes: [UInt8] = []
        var followsSign = false
        for byte in doubled {
            // The second of a pair goes; a sign that stands alone stays.
            followsSign = byte == UInt8(ascii: "%") && !followsSign
            if byte != UInt8(ascii: "%") || followsSign { bytes.append(byte) }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func event(_ strings: [String]) -> Envelope {
        let fields = stride(from: 2, to: strings.count - 1, by: 2).map {
            Envelope.Field(key: strings[$0], value: strings[$0 + 1])
        }
        return .event(subject: strings[0], name: strings[1], fields: fields)
    }
}

/// Why a stream could not be read.
public enum EnvelopeError: Error, Equatable, Sendable {
    /// The stream ended before anything came: refused by policy, or the service is not there.
    case empty
    /// It is no envelope.
    case malformed
    /// One event is longer than `Limits.eventBytes`.
    case tooLong
}
