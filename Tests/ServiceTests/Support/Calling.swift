// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import SystemCalls
import SystemPackage
import TestSupport
import Testing

@testable import Service

extension ServiceName {
    /// Its argument is a job.
    var takesJob: Bool { [.jobWatch, .jobCancel, .jobPause, .jobResume].contains(self) }
}

extension ServiceFixture {
    /// The longest time that an answer may take before its test fails, in seconds.
    static let patienceSeconds = 60

    /// A connection on which nothing was said yet.
    func connect() throws -> Descriptor {
        try UnixSocket.connect(
            directory.appending("socket"), timeoutSeconds: Self.patienceSeconds)
    }

    /// Sends these bytes, ends the input, and gives all that comes back.
    func exchange(_ bytes: [UInt8]) throws -> [UInt8] {
        let socket = try connect()
        QrexecCall.send(bytes, on: socket)
        try socket.shutdownWriting()
        return try Self.answer(on: socket)
    }

    /// All that comes from a connection until its end. A watch gives heartbeats for ever when its
    /// job never ends: that fails here.
    static func answer(on socket: borrowing Descriptor) throws -> [UInt8] {
        let deadline = ContinuousClock.now + .seconds(patienceSeconds)
        var answer: [UInt8] = []
        while true {
            let piece = try socket.read(maximumBytes: 64 * 1024)
            if piece.isEmpty { return answer }
            answer += piece
            try #require(ContinuousClock.now < deadline, "The answer does not end.")
        }
    }

    /// The bytes of a call.
    static func bytes(
        _ service: String, _ argument: String = "", from source: String = "dom0",
        on target: CallHeader.Target = .name("work"), payload: [UInt8] = []
    ) -> [UInt8] {
        CallHeader(service: service, argument: argument, source: source, target: target).encoded()
            + payload
    }

    /// Calls, and gives the events and the last envelope.
    func stream(
        _ service: ServiceName, _ argument: String = "", from source: String = "dom0",
        on target: CallHeader.Target = .name("work"), payload: String = ""
    ) throws -> (events: [Envelope], last: Envelope) {
        var reader = EnvelopeReader()
        reader.append(
            try exchange(
                Self.bytes(
                    service.rawValue, argument, from: source, on: target,
                    payload: Array(payload.utf8))))
        var events: [Envelope] = []
        while let event = try reader.nextEvent() { events.append(event) }
        return (events, try reader.last())
    }

    /// Calls, and gives the one envelope that comes back.
    func call(
        _ service: ServiceName, _ argument: String = "", from source: String = "dom0",
        on target: CallHeader.Target = .name("work"), payload: String = ""
    ) throws -> Envelope {
        let (events, last) = try stream(
            service, argument, from: source, on: target, payload: payload)
        #expect(events.isEmpty)
        return last
    }

    /// Calls, and gives the reply's object.
    func reply<Object: Decodable>(
        _ type: Object.Type, _ service: ServiceName, _ argument: String = "",
        from source: String = "dom0", on target: CallHeader.Target = .name("work"),
        payload: String = ""
    ) throws -> Object {
        try Self.object(
            type, try call(service, argument, from: source, on: target, payload: payload))
    }

    /// The object of a reply.
    static func object<Object: Decodable>(_ type: Object.Type, _ envelope: Envelope) throws
        -> Object
    {
        guard case .reply(let content) = envelope else {
            Issue.record("no reply but \(envelope)")
            throw Errno.badMessage
        }
        return try JSONDecoder().decode(type, from: Data(content))
    }

    /// Calls, and gives the exception that comes back.
    func exception(
        _ service: ServiceName, _ argument: String = "", from source: String = "dom0",
        on target: CallHeader.Target = .name("work"), payload: String = ""
    ) throws -> ServiceException? {
        let envelope = try call(service, argument, from: source, on: target, payload: payload)
        guard case .exception(let exception) = envelope else { return nil }
        return exception
    }

    /// Starts a job.
    func submit(
        _ service: ServiceName = .compress, _ argument: String = "", from source: String = "dom0",
        on target: CallHeader.Target = .name("work"), payload: String = ""
    ) throws -> String {
        try reply(
            JobAccepted.self, service, argument, from: source, on: target, payload: payload
        ).job
    }

    /// Watches a job to its end.
    func end(of job: String, from source: String = "dom0") throws -> JobRecord {
        let (_, last) = try stream(.jobWatch, job, from: source, on: .name("dom0"))
        return try Self.object(JobRecord.self, last)
    }

    /// The daemon still answers.
    func isAlive() throws -> Bool {
        _ = try reply(JobList.self, .jobList, on: .name("dom0"))
        return true
    }
}
