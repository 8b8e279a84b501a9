// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Service

@Suite struct ReportTests {
    @Test func aReportOfAQubeIsAboutThatQube() throws {
        let fixture = try ServiceFixture(worker: "say report")
        let report = try fixture.reply(Report.self, .report, from: "admin")
        #expect(report.qubes.map(\.name) == ["work"])
        #expect(report.fileSystems.isEmpty)
        #expect(report.problems == [Samples.problem("work")])
        let order = try fixture.order()
        #expect(order.work == .report)
        #expect(Set(order.volumes.filter(\.selected).map(\.qube)) == ["work"])
        #expect(order.pools == [.init(name: "varlibqubes", directory: "/var/lib/qubes")])
    }

    @Test func aReportOfTheMachineShowsDom0All() throws {
        let fixture = try ServiceFixture(worker: "say report")
        let report = try fixture.reply(Report.self, .report, on: .keyword("adminvm"))
        #expect(report.qubes.map(\.name) == ["work", "vault"])
        #expect(report.fileSystems.count == 1)
    }

    @Test func aReportOfTheMachineShowsAnotherCallerWhatItSees() throws {
        let fixture = try ServiceFixture(worker: "say report")
        let report = try fixture.reply(
            Report.self, .report, "pool.varlibqubes", from: "admin", on: .name("dom0"))
        #expect(report.qubes.map(\.name) == ["work"])
        #expect(report.fileSystems.count == 1)
    }

    @Test(arguments: ["say result", "echo {}", "kill -KILL $$", "exit 0"])
    func aWorkerThatFailsFailsTheReportAndNothingElse(worker: String) throws {
        let fixture = try ServiceFixture(worker: worker)
        #expect(try fixture.exception(.report)?.kind == .failed)
        #expect(try fixture.isAlive())
    }

    @Test func aFailureOfTheWorkerReachesTheCaller() throws {
        let fixture = try ServiceFixture(worker: "say failure")
        #expect(
            try fixture.exception(.report) == ServiceException(.unsuitablePool, "Read-only."))
    }

    @Test func aReportDoesNotWaitForAJob() throws {
        let fixture = try ServiceFixture(
            worker: """
                if grep -q report "$cache/order"; then say report; exit; fi
                say progress
                \(ServiceFixture.waitForGate)
                say result
                """)
        let job = try fixture.submit()
        try fixture.waitForProgress(of: job)
        #expect(try fixture.reply(Report.self, .report).qubes.count == 1)
        try fixture.openGate()
        #expect(try fixture.end(of: job).state == .done)
    }

    @Test func oneReportTooManyIsToldToTryAgain() throws {
        var bounds = Bounds()
        bounds.reportWorkers = 0
        bounds.reportWaitSeconds = 0.01
        let fixture = try ServiceFixture(worker: "say report", bounds: bounds)
        #expect(try fixture.exception(.report)?.kind == .busy)
    }

    @Test func aReportThatTakesTooLongIsEnded() throws {
        var bounds = Bounds()
        bounds.reportSeconds = 0.1
        let fixture = try ServiceFixture(worker: ServiceFixture.waitForGate, bounds: bounds)
        #expect(try fixture.exception(.report)?.kind == .failed)
    }
}
