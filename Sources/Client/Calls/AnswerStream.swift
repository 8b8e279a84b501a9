// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// The answer of one call: events, then a reply. Nothing of it is held beyond `Limits`.
struct AnswerStream {
    /// How much is read at once, in bytes.
    static let pieceBytes = 64 * 1024

    private let connection: any Connection
    private let interruption: Interruption
    private let limitBytes: Int
    private var reader = EnvelopeReader()
    private var receivedBytes = 0
    private var firstBytes: [UInt8] = []

    /// - Parameter limitBytes: the longest reply that is taken, with its envelope.
    init(
        _ connection: any Connection, interruption: Interruption,
        limitBytes: Int = Limits.replyBytes
    ) {
        self.connection = connection
        self.limitBytes = limitBytes
        self.interruption = interruption
    }

    /// Reads to the end.
    /// - Parameter event: gets each event's name and fields, in order.
    /// - Returns: the reply's content.
    /// - Throws: the service's exception, too.
    mutating func reply(
        event: (String, [Envelope.Field]) throws(ClientError) -> Void
    ) throws(ClientError) -> [UInt8] {
        do throws(ClientError) {
            return try readAll(event: event)
        } catch {
            // Whatever went wrong, nobody will read the rest.
            connection.cancel()
            throw interruption.isInterrupted ? .interrupted : error
        }
    }

    private mutating func readAll(
        event: (String, [Envelope.Field]) throws(ClientError) -> Void
    ) throws(ClientError) -> [UInt8] {
        while true {
            let piece = try connection.read(maximumBytes: Self.pieceBytes)
            if piece.isEmpty { break }
            receivedBytes += piece.count
            firstBytes = Array((firstBytes + piece.prefix(2)).prefix(2))
            reader.append(piece)
            while case .event(_, let name, let fields)? = try nextEvent() {
                try event(name, fields)
            }
            guard reader.pendingBytes <= limitBytes else { throw .tooLong }
        }
        try connection.finish(receivedBytes: receivedBytes)
        return try last()
    }

    private mutating func nextEvent() throws(ClientError) -> Envelope? {
        do throws(EnvelopeError) {
            return try reader.nextEvent()
        } catch {
            throw .tooLong
        }
    }

    private func last() throws(ClientError) -> [UInt8] {
        let envelope: Envelope
        do throws(EnvelopeError) {
            envelope = try reader.last()
        } catch .empty {
            throw .endedEarly
        } catch {
            // An event, or an envelope's first bytes, that were cut off are an early end, too.
            let isCut = firstBytes.count < 2 || firstBytes == [UInt8(ascii: "1"), 0]
            throw isCut ? .endedEarly : .unreadable("reply")
        }
        switch envelope {
        case .reply(let content): return content
        case .exception(let exception): throw .service(exception)
        case .event: throw .unreadable("reply")
        }
    }
}
