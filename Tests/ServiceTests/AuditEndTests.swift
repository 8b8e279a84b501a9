// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemCalls
import SystemPackage
import Testing

@testable import Service

/// What the log says of how calls end, and what the journal lacks.
@Suite struct AuditEndTests {
    /// The values of a line by their keys.
    private func values(_ line: String) -> [String: String] {
        let pairs = line.split(separator: " ").map { $0.split(separator: "=", maxSplits: 1) }
        return Dictionary(
            pairs.compactMap { $0.count == 2 ? (String($0[0]), String($0[1])) : nil },
            uniquingKeysWith: { first, _ in first })
    }

    private func lines(_ fixture: ServiceFixture, _ service: String) throws -> [[String: String]] {
        try fixture.auditLines().map(values).filter { $0["service"] == service }
    }

    /// The lines of the only call of a service; its end may be written after the answer is there.
    private func waitForEnd(
        _ fixture: ServiceFixture, _ service: ServiceName
    ) throws -> [[String: String]] {
        let deadline = ContinuousClock.now + .seconds(ServiceFixture.patienceSeconds)
        while ContinuousClock.now < deadline {
            let lines = try lines(fixture, service.rawValue)
            if lines.contains(where: { $0["event"] == "call-end" }) { return lines }
            _ = try fixture.isAlive()
        }
        return try lines(fixture, service.rawValue)
    }

    @Test(arguments: ServiceName.allCases)
    func everyCallHasANumberAndAnEnd(service: ServiceName) throws {
        let messages: [ServiceName: WorkerMessage] = [
            .report: .report(Samples.report(qubes: ["work"])),
            .check: .check(CheckReport(checkedAt: 1, findings: [])),
            .newData: .newData(NewDataReply(volumes: [])),
        ]
        let message = messages[service] ?? .result(Samples.result)
        let gate = service.takesJob && service != .jobWatch ? ServiceFixture.waitForGate : ":"
        var bounds = Bounds()
        // Its end comes by itself, however long its caller stays.
        bounds.holdSeconds = 0.01
        bounds.beatSeconds = 0.01
        let fixture = try ServiceFixture(worker: "\(gate); say own", bounds: bounds) { settings in
            try ServiceFixture.message("own", message, settings)
        }
        let argument = service.takesJob ? try fixture.submit(from: "admin") : ""
        _ = try fixture.stream(service, argument, from: "admin")
        if case .start = service.kind {
            let lines = try lines(fixture, service.rawValue)
            #expect(lines.first?["call"]?.count == 8)
            #expect(try fixture.end(of: lines.first?["job"] ?? "").state == .done)
            let events = try self.lines(fixture, service.rawValue).map { $0["event"] }
            #expect(events == ["request", "job-start", "job-end"])
        } else {
            let lines = try waitForEnd(fixture, service)
            #expect(lines.map { $0["event"] } == ["request", "call-end"])
            #expect(lines.map { $0["outcome"] } == ["accepted", "done"])
            #expect(lines[0]["call"]?.count == 8 && lines[0]["call"] == lines[1]["call"])
            #expect(lines.allSatisfy { $0["caller"] == "admin" && $0["target"] == "work" })
        }
    }

    @Test func aWatcherThatGoesAwayIsWrittenDown() throws {
        var bounds = Bounds()
        bounds.heartbeatSeconds = 0.01
        let fixture = try ServiceFixture(worker: ServiceFixture.waitForGate, bounds: bounds)
        let job = try fixture.submit()
        do {
            let socket = try fixture.connect()
            try socket.send(ServiceFixture.bytes("btrfs.job.Watch", job))
            try socket.shutdownWriting()
            _ = try socket.read(maximumBytes: 1)
        }
        let lines = try waitForEnd(fixture, .jobWatch)
        #expect(lines.map { $0["outcome"] } == ["accepted", "gone"])
        try fixture.openGate()
    }

    @Test func aCallThatIsOnlyCountedHasNoEndEither() throws {
        var bounds = Bounds()
        bounds.logLines = 1
        bounds.logLinesPerSecond = 0
        let fixture = try ServiceFixture(bounds: bounds)
        for _ in 0..<5 { _ = try fixture.call(.jobList, from: "admin") }
        let lines = try lines(fixture, "btrfs.job.List").filter { $0["caller"] == "admin" }
        #expect(lines.map { $0["event"] } == ["request", "call-end"])
    }

    @Test func aRefusedCallByUUIDIsOfTheQubesName() throws {
        let fixture = try ServiceFixture()
        let target = CallHeader.Target.name("uuid:" + ServiceFixture.uuid(3))
        _ = try fixture.exception(.report, "nosuch", from: "admin", on: target)
        let lines = try lines(fixture, "btrfs.Report")
        #expect(lines.map { $0["target"] } == ["work"])
        #expect(lines.first?["outcome"] == "QubesVolumeNotFoundError")
    }

    @Test func anAcceptedCallByUUIDIsOfTheQubesName() throws {
        let fixture = try ServiceFixture(worker: "say report")
        let target = CallHeader.Target.name("uuid:" + ServiceFixture.uuid(3))
        _ = try fixture.call(.report, from: "admin", on: target)
        let lines = try lines(fixture, "btrfs.Report")
        #expect(lines.map { $0["target"] } == ["work", "work"])
    }

    @Test func aCallThatGetsNoPlaceIsOneLineWithItsCaller() throws {
        var bounds = Bounds()
        bounds.connectionsPerCaller = 0
        let fixture = try ServiceFixture(bounds: bounds)
        #expect(try fixture.exception(.report, from: "admin")?.kind == .busy)
        let refused = try fixture.auditLines().map(values).filter { $0["event"] == "request" }
        #expect(refused.map { $0["caller"] } == ["admin"])
        #expect(refused.first?["outcome"] == "BtrfsBusyError" && refused.first?["target"] == "work")
    }

    @Test func anEstimateSavesNothingInTheLogEither() throws {
        let fixture = try ServiceFixture()
        _ = try fixture.end(of: try fixture.submit(.estimate))
        let lines = try lines(fixture, "btrfs.Estimate")
        #expect(lines.map { $0["saved_bytes"] } == ["-", "-", "-"])
    }

    @Test func theJournalsRecordsAreNumberedAndWhatIsMissingIsCounted() throws {
        let journal = try JournalStandIn()
        let folder = try ServiceFixture()
        let file = folder.directory.appending("own.log")
        let log = AuditLog(file: file, journalSocket: journal.path, clock: .system)
        func number(_ text: String) -> Int? {
            text.firstMatch(of: #/SEQUENCE=(\d+)/#).flatMap { Int($0.output.1) }
        }
        // Far more than the kernel queues for one socket.
        for _ in 0..<2000 { log.write(AuditRecord(.stop)) }
        #expect(number(try journal.next()) == 1)
        #expect(number(try journal.next()) == 2)
        // There is room again: the next one is as far behind as records are missing, and those are
        // told of in the file.
        log.write(AuditRecord(.start))
        let text = String(decoding: try ServiceFixture.read(file), as: UTF8.self)
        let told = try #require(text.firstMatch(of: #/take records, which this file has: (\d+)/#))
        var last = 2
        while let next = number(try journal.next()), next < 2001 { last = next }
        #expect(Int(told.output.1) == 2000 - last)
    }
}
