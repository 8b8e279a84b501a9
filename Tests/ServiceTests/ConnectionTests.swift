// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Service

/// Whose places connections take. Like those of qrexec they are made before anything is said.
@Suite struct ConnectionTests {
    private func exception(_ bytes: [UInt8]) throws -> ServiceException? {
        var reader = EnvelopeReader()
        reader.append(bytes)
        guard case .exception(let exception) = try reader.last() else { return nil }
        return exception
    }

    private func answer(_ socket: borrowing Descriptor) throws -> ServiceException? {
        try exception(try #require(try socket.readToEnd(limitBytes: Limits.replyBytes)))
    }

    /// Connections on which only these bytes were sent, and whose input stays open.
    private func open(
        _ count: Int, _ fixture: ServiceFixture, saying bytes: [UInt8] = []
    ) throws -> [SharedDescriptor] {
        try (0..<count).map { _ in
            let socket = SharedDescriptor(try fixture.connect())
            try socket.descriptor.send(bytes)
            return socket
        }
    }

    /// Sends the header once the connection stands, as real qrexec does.
    private func late(
        _ fixture: ServiceFixture, from source: String
    ) throws -> ServiceException? {
        let socket = try fixture.connect()
        #expect(try fixture.isAlive())
        try socket.send(ServiceFixture.bytes("btrfs.job.List", from: source, on: .name("dom0")))
        try socket.shutdownWriting()
        return try answer(socket)
    }

    @Test func connectionsThatSayNothingTakeNobodysPlace() throws {
        var bounds = Bounds()
        bounds.strangers = 4
        bounds.headerSeconds = 60
        let fixture = try ServiceFixture(bounds: bounds)
        let silent = try open(40, fixture)
        // Those that came first have made way for those that came after.
        #expect(try answer(silent[0].descriptor)?.kind == .busy)
        #expect(try fixture.isAlive())
        #expect(try late(fixture, from: "admin") == nil)
    }

    @Test func halfAHeaderIsNoMoreThanNone() throws {
        var bounds = Bounds()
        bounds.strangers = 4
        bounds.headerSeconds = 0.2
        let fixture = try ServiceFixture(bounds: bounds)
        let half = try open(4, fixture, saying: Array("btrfs.Report+ admin na".utf8))
        // None pushes them out: their time does.
        for socket in half {
            #expect(try answer(socket.descriptor)?.message.contains("did not come within") == true)
        }
        #expect(try late(fixture, from: "admin") == nil)
    }

    /// The connection that is pushed out is one of whoever has most of them.
    @Test func whoeverFloodsPushesOutItself() {
        var bounds = Bounds()
        bounds.strangers = 4
        let entrance = Entrance(bounds: bounds)
        let cut = Monitor<[String]>([])
        func come(_ name: String, origin: Int) -> Ticket {
            entrance.admitStranger(origin: origin) { cut.withLock { $0.append(name) } }
        }
        let honest = come("honest", origin: 1)
        let flood = (0..<5).map { come("\($0)", origin: 2) }
        #expect(cut.withLock { $0 } == ["0", "1"])
        #expect(honest.giveBack())
        #expect(!flood[0].giveBack())
        #expect(flood[4].giveBack())
    }

    @Test func thatACallIsRefusedTakesNoPlaceOfAnybody() throws {
        var bounds = Bounds()
        bounds.connectionsOfDom0 = 1
        bounds.connectionsPerCaller = 1
        bounds.connectionsOfQubes = 2
        bounds.strangers = 2
        bounds.refusalSeconds = 60
        let fixture = try ServiceFixture(bounds: bounds)
        let tooLong = [UInt8](repeating: 0x20, count: Limits.payloadBytes + 1)
        // Each of them is refused, reads why, and goes on to hold its end open.
        for caller in ["admin", "other", "dom0"] {
            for _ in 0..<4 {
                let socket = SharedDescriptor(try fixture.connect())
                try socket.descriptor.send(
                    ServiceFixture.bytes("btrfs.Report", from: caller, payload: tooLong))
                #expect(try answer(socket.descriptor) == Payload.tooLong.exception)
                Self.kept.withLock { $0.append(socket) }
            }
        }
        #expect(try late(fixture, from: "admin") == nil)
        #expect(try late(fixture, from: "other") == nil)
        #expect(try fixture.isAlive())
        Self.kept.withLock { $0 = [] }
    }

    /// Sockets that are to stay open to the end of their test.
    private static let kept = Monitor<[SharedDescriptor]>([])

    /// A call of `caller` that is being answered.
    private func watch(
        _ job: String, _ fixture: ServiceFixture, from caller: String
    ) throws -> SharedDescriptor {
        let socket = SharedDescriptor(try fixture.connect())
        try socket.descriptor.send(ServiceFixture.bytes("btrfs.job.Watch", job, from: caller))
        try socket.descriptor.shutdownWriting()
        // The first event: it has its place.
        _ = try socket.descriptor.read(maximumBytes: 1)
        return socket
    }

    @Test func aQubeCannotShutOutTheOthers() throws {
        var bounds = Bounds()
        bounds.connectionsPerCaller = 2
        bounds.connectionsOfQubes = 3
        bounds.connectionsOfDom0 = 1
        let fixture = try ServiceFixture(worker: ServiceFixture.waitForGate, bounds: bounds)
        let job = try fixture.submit(from: "admin")
        let watches = try (0..<2).map { _ in try watch(job, fixture, from: "admin") }
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
        bounds.connectionsOfDom0 = 1
        let fixture = try ServiceFixture(worker: ServiceFixture.waitForGate, bounds: bounds)
        let job = try fixture.submit(from: "admin")
        let watches = try (0..<2).map { _ in try watch(job, fixture, from: "admin") }
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
        #expect(try fixture.isAlive())
    }
}
