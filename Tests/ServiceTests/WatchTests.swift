// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Qubes
import SystemCalls
import SystemPackage
import Testing

@testable import Service

@Suite struct WatchTests {
    private func names(_ events: [Envelope]) -> [String] {
        events.compactMap {
            guard case .event(_, let name, _) = $0 else { return nil }
            return name
        }
    }

    @Test func aWatchBeginsWithTheStateAndEndsWithTheRecord() throws {
        let fixture = try ServiceFixture()
        let job = try fixture.submit()
        _ = try fixture.end(of: job)
        let (events, last) = try fixture.stream(.jobWatch, job)
        #expect(names(events) == [JobEventName.state.rawValue])
        #expect(try ServiceFixture.object(JobRecord.self, last).state == .done)
    }

    @Test func aQuietJobGivesHeartbeats() throws {
        var bounds = Bounds()
        bounds.heartbeatSeconds = 0.01
        let fixture = try ServiceFixture(
            worker: "\(ServiceFixture.waitForGate); say result", bounds: bounds)
        let job = try fixture.submit()
        let socket = try fixture.connect()
        try socket.send(ServiceFixture.bytes("btrfs.job.Watch", job))
        try socket.shutdownWriting()
        var reader = EnvelopeReader()
        var seen: [String] = []
        while !seen.contains(JobEventName.heartbeat.rawValue) {
            let bytes = try socket.read(maximumBytes: 4096)
            try #require(!bytes.isEmpty)
            reader.append(bytes)
            while let event = try reader.nextEvent() { seen += names([event]) }
        }
        try fixture.openGate()
        #expect(try fixture.end(of: job).state == .done)
    }

    @Test func aWatcherThatNeverReadsDoesNotHoldTheJob() throws {
        // Far more progress than a socket's buffer takes.
        let fixture = try ServiceFixture(
            worker: """
                say progress
                \(ServiceFixture.waitForGate)
                yes "$(say progress)" | head -n 20000
                say result
                """)
        let job = try fixture.submit()
        try fixture.waitForProgress(of: job)
        let idle = try fixture.connect()
        try idle.send(ServiceFixture.bytes("btrfs.job.Watch", job))
        try idle.shutdownWriting()
        _ = try idle.read(maximumBytes: 1)
        try fixture.openGate()
        #expect(try fixture.end(of: job).state == .done)
        _ = try idle.read(maximumBytes: 1)
    }

    @Test func aClientThatGoesAwayDoesNotStopItsJob() throws {
        let fixture = try ServiceFixture(worker: "\(ServiceFixture.waitForGate); say result")
        let job = try fixture.submit()
        do {
            let socket = try fixture.connect()
            try socket.send(ServiceFixture.bytes("btrfs.job.Watch", job))
            try socket.shutdownWriting()
        }
        try fixture.openGate()
        #expect(try fixture.end(of: job).state == .done)
    }

    @Test func aJobThatIsWatchedWhileItFallsOutOfHistoryEndsTheWatch() throws {
        let jobs = Jobs(history: [], bounds: Bounds(), clock: .system)
        let job = JobID.random().text
        let call = try Call(
            untrusted: CallHeader(
                service: "btrfs.job.Watch", argument: job, source: "dom0", target: .name("dom0")))
        let target = Target(
            caller: .machine, inventory: .init(pools: [], qubes: []), qube: nil,
            systemDirectories: [])
        let qubes = QubesState(
            qubesXML: "/nonexistent", qubesdSocket: "/nonexistent", systemRoot: "/", keptSeconds: 0,
            clock: .system)
        var watch = JobWatch(
            job, call, Reader(target), jobs: jobs, qubes: qubes, bounds: Bounds())
        #expect(watch.next() == .exception(Refusal.noSuchJob.exception))
        #expect(watch.next() == nil)
    }
}
