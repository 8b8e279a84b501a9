// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// One call's socket: moves bytes, within its bounds, and knows nothing of what they mean.
struct Connection {
    private let socket: SharedDescriptor
    private let bounds: Bounds

    init(_ socket: SharedDescriptor, bounds: Bounds) throws(Errno) {
        self.socket = socket
        self.bounds = bounds
        try socket.descriptor.setTimeouts(
            readSeconds: bounds.requestSeconds, writeSeconds: bounds.writeSeconds)
    }

    /// Reads the header. What came behind it is the beginning of the payload.
    func readHeader() throws(Refusal) -> (untrusted: CallHeader, untrustedRest: [UInt8]) {
        let deadline = ContinuousClock.now + .seconds(bounds.headerSeconds)
        let late = Refusal(
            .badRequest, "The call's header did not come within \(bounds.headerSeconds) seconds.")
        var untrustedBytes: [UInt8] = []
        while true {
            let untrustedPiece = try read(
                maximumBytes: Limits.headerBytes, until: deadline, else: late)
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
        let deadline = ContinuousClock.now + .seconds(bounds.requestSeconds)
        let late = Refusal(
            .badRequest,
            "The call did not end within \(bounds.requestSeconds) seconds; send it whole, then end"
                + " the input.")
        var untrustedBytes = untrustedRest
        while true {
            guard untrustedBytes.count <= Limits.payloadBytes else { throw Payload.tooLong }
            let untrustedPiece = try read(
                maximumBytes: Limits.payloadBytes, until: deadline, else: late)
            if untrustedPiece.isEmpty { return untrustedBytes }
            untrustedBytes += untrustedPiece
        }
    }

    /// Reads what there is, and waits for it no longer than that: a caller that sends a byte now
    /// and then gets no more time than one that sends none.
    private func read(
        maximumBytes: Int, until deadline: ContinuousClock.Instant, else late: Refusal
    ) throws(Refusal) -> [UInt8] {
        let left = (deadline - .now).inSeconds
        guard left > 0 else { throw late }
        do throws(Errno) {
            try socket.descriptor.setReadTimeout(seconds: left)
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

    /// Whether the caller goes away within this time.
    func ends(withinSeconds seconds: Double) -> Bool {
        socket.descriptor.waitForHangUp(timeoutSeconds: seconds)
    }

    /// Ends a call that was not read to its end. A socket that is closed over unread bytes gives
    /// the client an error, maybe before it has read why; so they are read and dropped, within
    /// bounds.
    /// - Parameter seconds: the longest time it may take.
    func linger(seconds: Double) {
        let deadline = ContinuousClock.now + .seconds(seconds)
        do throws(Errno) {
            try socket.descriptor.shutdownWriting()
            var droppedBytes = 0
            while droppedBytes < bounds.lingerBytes {
                let left = (deadline - .now).inSeconds
                guard left > 0 else { return }
                try socket.descriptor.setReadTimeout(seconds: left)
                let piece = try socket.descriptor.read(maximumBytes: bounds.pieceBytes)
                if piece.isEmpty { return }
                droppedBytes += piece.count
            }
        } catch {
            // The client is gone or silent: nothing is owed to it any more.
        }
    }

    /// Ends it at once, from another thread: whoever reads or writes wakes up.
    func cut() { socket.descriptor.shutdownBoth() }
}

extension Duration {
    /// In seconds.
    var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
