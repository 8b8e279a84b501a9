// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import SystemPackage
import TestSupport
import Testing

@testable import Service

/// What changes in Qubes while a job waits or runs.
@Suite struct StandingTests {
    /// A worker that says how far it is until it is killed.
    private static let endless = "while say progress; do sleep 0.02; done"

    private func fixture() throws -> ServiceFixture {
        var bounds = Bounds()
        bounds.standingSeconds = 0.05
        return try ServiceFixture(worker: Self.endless, bounds: bounds)
    }

    private func start(_ fixture: ServiceFixture, from caller: String = "admin") throws -> String {
        let job = try fixture.submit(from: caller)
        try fixture.waitForProgress(of: job)
        return job
    }

    @Test func aJobThatWaitsIsNotStartedForACallerThatNoLongerSeesItsQube() throws {
        let fixture = try ServiceFixture(
            worker: "say progress; \(ServiceFixture.waitForGate); say result")
        let first = try fixture.submit()
        try fixture.waitForProgress(of: first)
        let second = try fixture.submit(from: "admin")
        fixture.qubesd?.change { $0.visible["admin"] = ["admin"] }
        try fixture.openGate()
        #expect(try fixture.end(of: first).state == .done)
        let record = try fixture.end(of: second)
        #expect(record.state == .failed)
        #expect(record.error == Refusal.noSuchQube.exception.message)
    }

    @Test func aJobThatRunsEndsWhenItsCallerNoLongerSeesItsQube() throws {
        let fixture = try fixture()
        let job = try start(fixture)
        fixture.qubesd?.change { $0.visible["admin"] = ["admin"] }
        let record = try fixture.end(of: job)
        #expect(record.state == .failed)
        #expect(record.error == Refusal.noSuchQube.exception.message)
    }

    @Test func aWorkerWhoseJobMayNotGoOnIsToldToEnd() throws {
        var bounds = Bounds()
        bounds.standingSeconds = 0.05
        let fixture = try ServiceFixture(
            worker: """
                while [ ! -e "$cache/over" ]; do say progress; sleep 0.02; done &
                IFS= read -r word
                : > "$cache/over"
                wait
                echo "$word" > "$cache/word"
                say cancelled
                """, bounds: bounds, graceSeconds: 60)
        let job = try start(fixture)
        fixture.qubesd?.change { $0.visible["admin"] = ["admin"] }
        #expect(try fixture.end(of: job).error == Refusal.noSuchQube.exception.message)
        let word = try ServiceFixture.read(fixture.settings.cacheDirectory.appending("word"))
        #expect(word == Array("cancel\n".utf8))
    }

    @Test func aJobThatRunsEndsWhenAnotherQubeTakesTheName() throws {
        let fixture = try fixture()
        let job = try start(fixture)
        try ServiceFixture.write(
            ServiceFixture.inventory(workFeatures: "", workNumber: 9), to: fixture.settings.qubesXML
        )
        #expect(try fixture.end(of: job).error == Refusal.noSuchQube.exception.message)
    }

    @Test(arguments: [
        #"<feature name="btrfs.skip">1</feature>"#, #"<feature name="btrfs.skip">?</feature>"#,
        #"<feature name="btrfs.compress">off</feature>"#,
    ])
    func aJobThatRunsEndsWhenAFeatureTakesSomethingFromIt(feature: String) throws {
        let fixture = try fixture()
        let job = try start(fixture)
        try ServiceFixture.write(
            ServiceFixture.inventory(workFeatures: feature), to: fixture.settings.qubesXML)
        let record = try fixture.end(of: job)
        #expect(record.state == .failed)
        #expect(record.error == JobOversight.changed.exception.message)
    }

    @Test func aJobThatRunsEndsWhenDom0TakesItsQubeOutOfAGroup() throws {
        let fixture = try fixture()
        try fixture.writeInventory(
            adminFeatures: #"<feature name="btrfs.dedupe-group.x">work deb</feature>"#)
        let job = try start(fixture)
        try fixture.writeInventory(adminFeatures: "")
        #expect(try fixture.end(of: job).error == JobOversight.changed.exception.message)
    }

    @Test func aWorkerThatSaysNothingIsLookedAfterByTheClock() throws {
        var bounds = Bounds()
        bounds.standingSeconds = 0.05
        let fixture = try ServiceFixture(
            worker: "say progress; \(ServiceFixture.waitForGate)", bounds: bounds)
        let job = try start(fixture)
        fixture.qubesd?.change { $0.visible["admin"] = ["admin"] }
        let record = try fixture.end(of: job)
        #expect(record.state == .failed)
        #expect(record.error == Refusal.noSuchQube.exception.message)
    }

    @Test func aJobThatRunsGoesOnWhileQubesdIsAway() throws {
        var bounds = Bounds()
        bounds.standingSeconds = 0.01
        let fixture = try ServiceFixture(
            worker: "say progress; \(ServiceFixture.waitForGate); say progress; say result",
            bounds: bounds)
        let job = try start(fixture)
        fixture.qubesd?.change { $0.behaviour = .hangsUp }
        try fixture.openGate()
        #expect(try fixture.end(of: job).state == .done)
    }

    private func order(
        _ volumes: [(qube: String, selected: Bool, skipped: Bool)]
    ) -> WorkerOrder {
        WorkerOrder(
            work: .dedupe(running: false), pools: [],
            volumes: volumes.map {
                .init(
                    qube: $0.qube, qubeKind: "AppVM", name: "private", pool: "p",
                    volumeIdentifier: "appvms/\($0.qube)/private", selected: $0.selected,
                    skipped: $0.skipped, isVolatile: false, compressionLevel: nil,
                    dedupeGroup: "g")
            }, wholeMachine: true)
    }

    @Test func whatIsNewOrGoneIsNothingToObjectTo() {
        let old = order([("a", true, false), ("b", false, true)])
        #expect(JobOversight.holds(old, old))
        #expect(JobOversight.holds(old, order([("b", false, true)])))
        #expect(JobOversight.holds(old, order([("a", true, false), ("c", false, true)])))
        #expect(JobOversight.holds(old, order([("a", true, false), ("b", true, false)])))
        #expect(!JobOversight.holds(old, order([("a", false, false), ("b", false, true)])))
        #expect(!JobOversight.holds(old, order([("a", true, true), ("b", false, true)])))
    }
}
