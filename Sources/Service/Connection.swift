// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// One call's socket: moves bytes, within its bounds, and knows nothing of what they mean.
struct Connection {
    /// A call as it came.
    struct Call {
        let untrustedHeader: CallHeader
        let untrustedPayload: [UInt8]
    }

    private let socket: SharedDescriptor
    private let bounds: Bounds
    private let deadline: ContinuousClock.Instant

    init(_ socket: SharedDescriptor, bounds: Bounds) throws(Errno) {
        self.socket = socket
        self.bounds = bounds
        deadline = .now + .seconds(bounds.requestSeconds)
        try socket.descriptor.setTimeouts(
            readSeconds: bounds.requestSeconds, writeSeconds: bounds.writeSeconds)
    }

    /// Reads the header. What came behind it is the beginning of the payload.
    func readHeader() throws(Refusal) -> (untrusted: CallHeader, untrustedRest: [UInt8]) {
        var untrustedBytes: [UInt8] = []
        while true {
            let untrustedPiece = try read(maximumBytes: Limits.headerBytes)
            guard !untrustedPiece.isEmpty else {
                throw Refusal(.badRequest, "The call ended within its header.")
            }
            untrustedBytes += untrustedPiece
            let end = untrustedBytes.firstIndex(of: 0)
            guard (end ?? untrustedBytes.count) < Limits.headerBytes else {
                throw Refusal(
                    .badRequest, "The call's header is longer than \(Limits.headerBytes) bytes.")
            }
            guard let end else { continue }
            do throws(HeaderError) {
                let header = try CallHeader(untrusted: untrustedBytes[..<end])
                return (header, Array(untrustedBytes[(end + 1)...]))
            } catch {
                throw Refusal(
                    .badRequest, "The call's header is not well formed.", detail: "\(error)")
            }
        }
    }

    /// Reads the payload to its end: nothing is done for a call that is not whole.
    func readPayload(untrustedRest: [UInt8]) throws(Refusal) -> [UInt8] {
        var untrustedBytes = untrustedRest
        while true {
            guard untrustedBytes.count <= Limits.payloadBytes else { throw Payload.tooLong }
            let untrustedPiece = try read(maximumBytes: Limits.payloadBytes)
            if untrustedPiece.isEmpty { return untrustedBytes }
            untrustedBytes += untrustedPiece
        }
    }

    private func read(maximumBytes: Int) throws(Refusal) -> [UInt8] {
        let late = Refusal(
            .badRequest,
            "The call did not end within \(bounds.requestSeconds) seconds; send it whole, then end"
                + " the input.")
        guard ContinuousClock.now < deadline else { throw late }
        do throws(Errno) {
            return try socket.descriptor.read(maximumBytes: maximumBytes)
        } catch .wouldBlock {
            throw late
        } catch {
            throw Refusal(.badRequest, "The call could not be read.", detail: "\(error)")
        }
    }

    /// Writes an envelope, piece by piece: each has its own time to be taken.
    func write(_ envelope: Envelope) throws(Errno) {
        let bytes = envelope.encoded()
        for start in stride(from: 0, to: bytes.count, by: bounds.pieceBytes) {
            let end = min(start + bounds.pieceBytes, bytes.count)
            try socket.descriptor.write(Array(bytes[start..<end]))
        }
    }

    /// Ends a call that was not read to its end. A socket that is closed over unread bytes gives
    /// the client an error, maybe before it has read why; so they are read and dropped, within
    /// bounds.
    /// - Parameter seconds: the longest time it may take; nil for what is left to the call.
    func linger(seconds: Int? = nil) {
        var deadline = deadline
        do throws(Errno) {
            try socket.descriptor.shutdownWriting()
            if let seconds {
                deadline = .now + .seconds(seconds)
                try socket.descriptor.setTimeouts(readSeconds: seconds, writeSeconds: seconds)
            }
            var droppedBytes = 0
            while droppedBytes < bounds.lingerBytes, ContinuousClock.now < deadline {
                let piece = try socket.descriptor.read(maximumBytes: bounds.pieceBytes)
                if piece.isEmpty { return }
                droppedBytes += piece.count
            }
        } catch {
            // The client is gone or silent: nothing is owed to it any more.
        }
    }
}
