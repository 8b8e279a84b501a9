// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Service

/// A call of `btrfs.job.Hold` whose caller is there until it goes, or this is forgotten.
final class HoldCall {
    private let socket: SharedDescriptor
    private var reader = EnvelopeReader()

    /// Calls, and waits for the first word of the service: from there on jobs hold.
    init(
        _ fixture: ServiceFixture, from caller: String = "dom0",
        on target: CallHeader.Target = .name("work")
    ) throws {
        socket = SharedDescriptor(try fixture.connect())
        try socket.descriptor.send(
            ServiceFixture.bytes("btrfs.job.Hold", from: caller, on: target))
        try socket.descriptor.shutdownWriting()
        try waitForBeat()
    }

    /// Waits for the next word of the service.
    func waitForBeat() throws {
        while true {
            if case .event(_, let name, _)? = try reader.nextEvent() {
                #expect(name == JobEventName.heartbeat.rawValue)
                return
            }
            let bytes = try socket.descriptor.read(maximumBytes: 4096)
            try #require(!bytes.isEmpty, "The service has ended it.")
            reader.append(bytes)
        }
    }

    /// Waits for the end, which the service makes.
    func last() throws -> Envelope {
        reader.append(try ServiceFixture.answer(on: socket.descriptor))
        while try reader.nextEvent() != nil {}
        return try reader.last()
    }

    /// The caller goes away.
    func leave() { socket.descriptor.shutdownBoth() }
}
