// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Service

@Suite struct ConnectionTests {
    /// What comes on a connection on which nothing is said.
    private func answer(_ socket: borrowing Descriptor) throws -> ServiceException? {
        var reader = EnvelopeReader()
        reader.append(try #require(try socket.readToEnd(limitBytes: Limits.replyBytes)))
        guard case .exception(let exception) = try reader.last() else { return nil }
        return exception
    }

    @Test func oneConnectionTooManyIsToldToTryAgain() throws {
        let fixture = try ServiceFixture()
        let open = try (0..<Bounds().connections).map { _ in
            SharedDescriptor(try fixture.connect())
        }
        // Connections are taken in their order, so that this one finds all places taken.
        #expect(try answer(fixture.connect())?.kind == .busy)
        for socket in open { try socket.descriptor.shutdownWriting() }
        // Each is told that its call ended within its header, and leaves its place.
        for socket in open { #expect(try answer(socket.descriptor)?.kind == .badRequest) }
    }

    @Test func aQubeCannotShutOutTheOthers() throws {
        var bounds = Bounds()
        bounds.connectionsPerCaller = 2
        let fixture = try ServiceFixture(worker: ServiceFixture.waitForGate, bounds: bounds)
        let job = try fixture.submit(from: "admin")
        let watches = try (0..<2).map { _ in
            let socket = SharedDescriptor(try fixture.connect())
            try socket.descriptor.send(
                ServiceFixture.bytes("btrfs.job.Watch", job, from: "admin"))
            try socket.descriptor.shutdownWriting()
            // The first event: it has its place.
            _ = try socket.descriptor.read(maximumBytes: 1)
            return socket
        }
        #expect(try fixture.exception(.jobList, from: "admin")?.kind == .busy)
        #expect(try fixture.exception(.jobList, from: "other", on: .name("other")) == nil)
        #expect(try fixture.isAlive())
        try fixture.openGate()
        for socket in watches {
            _ = try socket.descriptor.readToEnd(limitBytes: Limits.replyBytes)
        }
        #expect(try fixture.end(of: job).state == .interrupted)
    }

    @Test func allQubesTogetherLeaveConnectionsToDom0() throws {
        var bounds = Bounds()
        bounds.connectionsOfQubes = 2
        let fixture = try ServiceFixture(worker: ServiceFixture.waitForGate, bounds: bounds)
        let job = try fixture.submit(from: "admin")
        let watches = try ["admin", "admin"].map { caller in
            let socket = SharedDescriptor(try fixture.connect())
            try socket.descriptor.send(
                ServiceFixture.bytes("btrfs.job.Watch", job, from: caller))
            try socket.descriptor.shutdownWriting()
            _ = try socket.descriptor.read(maximumBytes: 1)
            return socket
        }
        #expect(try fixture.exception(.jobList, from: "other", on: .name("other"))?.kind == .busy)
        #expect(try fixture.isAlive())
        try fixture.openGate()
        for socket in watches {
            _ = try socket.descriptor.readToEnd(limitBytes: Limits.replyBytes)
        }
        #expect(try fixture.exception(.jobList, from: "other", on: .name("other")) == nil)
    }

    @Test func aConnectionThatIsClosedAtOnceChangesNothing() throws {
        let fixture = try ServiceFixture()
        for _ in 0..<200 { _ = try fixture.connect() }
        // Those may still hold places; each leaves as it is seen to be gone.
        while try fixture.exception(.jobList, on: .name("dom0"))?.kind == .busy {}
        #expect(try fixture.isAlive())
    }
}
