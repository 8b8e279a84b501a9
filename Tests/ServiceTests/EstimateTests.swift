// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Service

@Suite struct EstimateTests {
    private static func saving(_ bytes: UInt64) -> Estimate.Saving {
        Estimate.Saving(savedBytes: bytes, errorBytes: bytes / 100)
    }

    private static let figures = Estimate.Figures(
        diskBytes: 10_000, dedupe: saving(100),
        levels: [
            .init(level: nil, compress: saving(200), optimize: saving(300)),
            .init(level: 9, compress: saving(400), optimize: saving(500)),
        ])

    private static func estimate(volumes: Int = 1, of qubes: [String]) -> Estimate {
        Estimate(
            total: figures,
            qubes: qubes.map { name in
                Estimate.Qube(
                    name: name, figures: figures,
                    volumes: (0..<volumes).map { .init(name: "v\($0)", figures: figures) })
            }, qubesLeftOut: 0, sampledFrames: 5)
    }

    /// A worker that gives an estimate where one is asked for, and saves 200 bytes else.
    private func fixture(_ estimate: Estimate = estimate(of: ["work", "vault"])) throws
        -> ServiceFixture
    {
        var result = Samples.result
        result.estimate = estimate
        return try ServiceFixture(
            worker: "if grep -q estimate \"$cache/order\"; then say estimate; else say result; fi"
        ) { settings in
            try ServiceFixture.message("estimate", .result(result), settings)
        }
    }

    private func ended(
        _ fixture: ServiceFixture, _ service: ServiceName, _ argument: String = "",
        from source: String = "dom0", on target: String = "work", payload: String = ""
    ) throws -> JobResult {
        let job = try fixture.submit(
            service, argument, from: source, on: .name(target), payload: payload)
        return try #require(try fixture.end(of: job, from: source).result)
    }

    @Test func anEstimateIsAJobWithItsFiguresAsResult() throws {
        let fixture = try fixture()
        let result = try ended(fixture, .estimate, payload: #"{"version":1,"running":true}"#)
        #expect(try fixture.order().work == .estimate(running: true))
        #expect(result.estimate?.total == Self.figures)
        #expect(result.estimate?.qubes.count == 2)
    }

    @Test(arguments: [
        (ServiceName.compress, "", 200), (.optimize, "", 300), (.dedupe, "", 100),
        (.compress, #"{"version":1,"level":9}"#, 400),
        (.optimize, #"{"version":1,"level":9}"#, 500),
    ])
    func aJobHasWhatTheEstimateSaidOfIt(service: ServiceName, payload: String, bytes: UInt64) throws
    {
        let fixture = try fixture()
        _ = try ended(fixture, .estimate)
        let result = try ended(fixture, service, payload: payload)
        #expect(result.estimatedBefore?.saving == Self.saving(bytes))
        #expect(result.estimate == nil)
    }

    @Test func whatTheEstimateDidNotLookAtHasNoFigure() throws {
        let fixture = try fixture()
        _ = try ended(fixture, .estimate)
        #expect(
            try ended(fixture, .compress, payload: #"{"version":1,"level":7}"#).estimatedBefore
                == nil)
    }

    @Test func anEstimateOfSomethingElseIsNoEstimateOfThis() throws {
        let fixture = try fixture()
        _ = try ended(fixture, .estimate, "private")
        _ = try ended(fixture, .estimate, on: "deb")
        #expect(try ended(fixture, .compress).estimatedBefore == nil)
    }

    @Test func anEstimateOfLessIsNoneOfTheMachine() throws {
        let fixture = try fixture()
        let without = #"{"version":1,"exclude":["deb"]}"#
        _ = try ended(fixture, .estimate, on: "dom0", payload: without)
        #expect(try ended(fixture, .compress, on: "dom0").estimatedBefore == nil)
        _ = try ended(fixture, .estimate, on: "dom0", payload: without)
        #expect(
            try ended(fixture, .compress, on: "dom0", payload: without).estimatedBefore != nil)
    }

    @Test func aJobInBetweenMakesAnEstimateStale() throws {
        let fixture = try fixture()
        _ = try ended(fixture, .estimate)
        _ = try ended(fixture, .dedupe, on: "dom0")
        #expect(try ended(fixture, .compress).estimatedBefore == nil)
    }

    @Test func theMachineOfAnotherCallerIsNotTheSame() throws {
        let fixture = try fixture()
        _ = try ended(fixture, .estimate, from: "admin", on: "dom0")
        #expect(try ended(fixture, .compress, on: "dom0").estimatedBefore == nil)
    }

    @Test func anEstimateNamesNoQubeThatItsReaderDoesNotSee() throws {
        let fixture = try fixture()
        let result = try ended(fixture, .estimate, from: "admin")
        #expect(result.estimate?.qubes.map(\.name) == ["work"])
    }

    @Test func aListOfJobsHasNoQubesOfEstimates() throws {
        let fixture = try fixture()
        _ = try ended(fixture, .estimate)
        let list = try fixture.reply(JobList.self, .jobList, on: .name("dom0"))
        #expect(list.jobs.first?.result?.estimate?.total == Self.figures)
        #expect(list.jobs.first?.result?.estimate?.qubes == [])
    }

    @Test func anEstimateIsCutToItsBounds() throws {
        let most = Limits.estimatedVolumes
        let whole = Self.estimate(volumes: most / 2, of: ["a", "b"])
        #expect(whole.fitting() == whole)
        let longer = Self.estimate(volumes: most / 2, of: ["a", "b", "c"])
        #expect(longer.fitting().qubes.map(\.name) == ["a", "b"])
        #expect(longer.fitting().qubesLeftOut == 1)
    }
}
