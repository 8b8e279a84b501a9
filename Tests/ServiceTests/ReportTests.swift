// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import SystemPackage
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

    @Test func anInventoryThatCannotBeReadNamesTheLogAndTellsDom0Why() throws {
        let fixture = try ServiceFixture()
        try ServiceFixture.write("<qubes>", to: fixture.settings.qubesXML)
        let other = try #require(try fixture.exception(.report, from: "admin"))
        #expect(other.kind == .failed)
        #expect(other.message.contains("/var/log/qubes/btrfs.log"))
        #expect(!other.message.contains("XML"))
        let own = try #require(try fixture.exception(.report))
        #expect(own.kind == .failed)
        #expect(own.message.contains("is not well-formed XML"))
        let line = try #require(try fixture.auditLines().last)
        #expect(line.contains("is not well-formed XML"))
        let path = fixture.settings.qubesXML.string
        #expect(line.components(separatedBy: path).count <= 2)
    }

    @Test func aMalformedFeatureIsNamedWithItsQubeAndItsRemedy() throws {
        let fixture = try ServiceFixture(worker: "say report")
        try ServiceFixture.write(
            ServiceFixture.inventory(
                workFeatures: "<feature name=\"btrfs.compress\">lzo</feature>"),
            to: fixture.settings.qubesXML)
        let problem = try #require(
            try fixture.reply(Report.self, .report, from: "admin").problems.last)
        #expect(problem.subject == "work")
        #expect(problem.message.contains("btrfs.compress of work is 'lzo'"))
        #expect(problem.message.contains("qvm-features work btrfs.compress zstd:3"))
        #expect(!problem.message.contains("btrfs.skip"))
    }

    @Test func aMalformedFeatureOfDom0IsNamedOnce() throws {
        let fixture = try ServiceFixture(worker: "say report")
        try fixture.writeInventory(adminFeatures: "<feature name=\"btrfs.skip\">maybe</feature>")
        let report = try fixture.reply(Report.self, .report, on: .name("dom0"))
        let problems = report.problems.filter { $0.message.contains("btrfs.skip") }
        #expect(problems.map(\.subject) == ["dom0"])
        #expect(problems.first?.message.contains("qvm-features dom0 btrfs.skip 1") == true)
    }

    @Test func aMalformedFeatureOfAnInvisibleQubeIsNotToldToACaller() throws {
        let fixture = try ServiceFixture(worker: "say report")
        try fixture.writeInventory(adminFeatures: "<feature name=\"btrfs.skip\">maybe</feature>")
        let report = try fixture.reply(Report.self, .report, from: "other", on: .name("other"))
        let problem = try #require(report.problems.last)
        #expect(problem.subject == "other")
        #expect(!problem.message.contains("maybe"))
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
        bounds.accountWorkersOfDom0 = 0
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
