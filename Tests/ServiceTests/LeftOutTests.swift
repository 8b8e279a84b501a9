// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import TestSupport
import Testing

@testable import Service

/// One thing in qubes.xml that cannot be read: all others go on, dom0 is told, and its files are
/// left alone.
@Suite struct LeftOutTests {
    /// How a sound qubes.xml is spoilt at `other`, and what `other` loses.
    struct Fault: Sendable, CustomTestStringConvertible {
        let name: String
        let old: String
        let new: String
        var isWholeQube = true
        var testDescription: String { name }
    }

    static let faults = [
        Fault(
            name: "a pool that is gone",
            old: "name=\"private\" pool=\"varlibqubes\" vid=\"appvms/other/private\"",
            new: "name=\"private\" pool=\"gone\" vid=\"appvms/other/private\"",
            isWholeQube: false),
        Fault(
            name: "a path that leaves the pool", old: "vid=\"appvms/other/private\"",
            new: "vid=\"../private\"", isWholeQube: false),
        Fault(
            name: "a source that leaves the pool", old: "vid=\"appvms/other/private\"",
            new: "vid=\"appvms/other/private\" source=\"../root\"", isWholeQube: false),
        Fault(name: "a uuid that is none", old: ServiceFixture.uuid(5), new: "not-a-uuid"),
        Fault(
            name: "an unknown element", old: ">other</property>",
            new: ">other</property><odd/>"),
    ]

    private func fixture(_ fault: Fault, worker: String = "say result") throws -> ServiceFixture {
        let fixture = try ServiceFixture(worker: worker)
        let text = ServiceFixture.inventory.replacing(fault.old, with: fault.new)
        #expect(text != ServiceFixture.inventory)
        try ServiceFixture.write(text, to: fixture.settings.qubesXML)
        return fixture
    }

    @Test(arguments: faults)
    func allOthersGoOnAndDom0IsToldInEveryReply(fault: Fault) throws {
        let fixture = try fixture(fault)
        let record = try fixture.end(of: try fixture.submit())
        #expect(record.state == .done)
        let problems = try #require(record.result?.problems)
        #expect(problems.first?.subject == "other")
        #expect(problems.first?.message.contains("qubes.xml, line") == true)
        let machine = try fixture.submit(.dedupe, on: .name("dom0"))
        #expect(try fixture.end(of: machine).result?.problems.first?.subject == "other")
    }

    @Test(arguments: faults)
    func itsFilesAreLeftAloneAsFarAsTheyAreKnown(fault: Fault) throws {
        let fixture = try fixture(fault)
        _ = try fixture.end(of: try fixture.submit(.compress, on: .name("dom0")))
        let order = try fixture.order()
        let own = order.volumes.filter { $0.qube == "other" }
        let known = own.filter { $0.volumeIdentifier == "appvms/other/private" }
        let isKnown = fault.isWholeQube || fault.new.contains("source")
        #expect(known.map(\.skipped) == (isKnown ? [true] : []))
        #expect(known.map(\.selected) == (isKnown ? [false] : []))
        let others = own.filter { $0.volumeIdentifier != "appvms/other/private" }
        #expect(
            others.map(\.volumeIdentifier).sorted() == [
                "appvms/other/root", "appvms/other/volatile",
            ])
        #expect(others.allSatisfy { $0.selected != fault.isWholeQube })
        #expect(order.volumes.filter { $0.qube == "work" && $0.selected }.count == 3)
        // Images whose place nobody knows may lie where dom0 serves from.
        #expect(order.systemDirectories?.contains("/srv") == isKnown)
        #expect(order.systemDirectories?.contains("/usr") == true)
    }

    @Test(arguments: faults.filter(\.isWholeQube), ["dom0", "other"])
    func aQubeThatCannotBeReadIsUnknownToAll(fault: Fault, caller: String) throws {
        let fixture = try fixture(fault)
        let there = try fixture.exception(.report, from: caller, on: .name("other"))
        let never = try fixture.exception(.report, from: caller, on: .name("never"))
        #expect(there == never && there?.kind == .noSuchQube)
    }

    @Test(arguments: faults)
    func whoDoesNotSeeTheQubeLearnsNothing(fault: Fault) throws {
        let fixture = try fixture(fault)
        let record = try fixture.end(of: try fixture.submit(from: "admin"), from: "admin")
        #expect(record.state == .done)
        #expect(record.result?.problems.contains { $0.subject == "other" } == false)
    }

    @Test func whoSeesTheQubeLearnsThatAVolumeIsLeftOutAndNoMore() throws {
        let fixture = try fixture(Self.faults[0])
        let job = try fixture.submit(.compress, "root", from: "other", on: .name("other"))
        let problems = try fixture.end(of: job, from: "other").result?.problems ?? []
        #expect(problems.map(\.subject) == ["other"])
        #expect(problems.first?.message.contains("gone") == false)
    }

    @Test func aCheckNamesItWithTheCommandThatMendsIt() throws {
        let check = CheckReport(checkedAt: 1, findings: [])
        let fixture = try fixture(Self.faults[0], worker: "say check")
        try ServiceFixture.message("check", .check(check), fixture.settings)
        let reply = try fixture.reply(CheckReport.self, .check, on: .name("dom0"))
        let finding = try #require(reply.findings.first)
        #expect(finding.topic == "qubes.xml" && finding.level == .problem)
        #expect(finding.command?.hasPrefix("qvm-pool add gone file-reflink ") == true)
        #expect(reply.findings.count == 1)
    }

    @Test func aJobEndsWhenWhatItWorksOnCanNoLongerBeRead() throws {
        var bounds = Bounds()
        bounds.standingSeconds = 0.05
        for fault in Self.faults {
            let fixture = try ServiceFixture(
                worker: "while say progress; do sleep 0.02; done", bounds: bounds)
            let job = try fixture.submit(.compress, on: .name("dom0"))
            try fixture.waitForProgress(of: job)
            let spoilt = ServiceFixture.inventory.replacing(fault.old, with: fault.new)
            try ServiceFixture.write(spoilt, to: fixture.settings.qubesXML)
            #expect(try fixture.end(of: job).error == JobOversight.changed.exception.message)
        }
    }

    /// A job on a qube has no folders of dom0's that could change with it.
    @Test(arguments: faults.filter { !$0.isWholeQube })
    func aJobOnAQubeEndsWhenOneOfItsVolumesCanNoLongerBeRead(fault: Fault) throws {
        var bounds = Bounds()
        bounds.standingSeconds = 0.05
        let fixture = try ServiceFixture(
            worker: "while say progress; do sleep 0.02; done", bounds: bounds)
        let job = try fixture.submit(.compress, on: .name("other"))
        try fixture.waitForProgress(of: job)
        let spoilt = ServiceFixture.inventory.replacing(fault.old, with: fault.new)
        try ServiceFixture.write(spoilt, to: fixture.settings.qubesXML)
        #expect(try fixture.end(of: job).error == JobOversight.changed.exception.message)
    }

    @Test func aWorkerKnowsTheDirectoryOfAPoolThatIsLeftOut() throws {
        let fixture = try ServiceFixture()
        let twice = ["/srv/one", "/srv/two"].map {
            "<pool name=\"twice\" dir_path=\"\($0)\" driver=\"file-reflink\"/>"
        }
        let spoilt = ServiceFixture.inventory
            .replacing("</pools>", with: twice.joined() + "</pools>")
            .replacing(
                "pool=\"varlibqubes\" vid=\"appvms/other/private\"",
                with: "pool=\"twice\" vid=\"appvms/other/private\"")
        try ServiceFixture.write(spoilt, to: fixture.settings.qubesXML)
        _ = try fixture.end(of: try fixture.submit(.compress, on: .name("dom0")))
        let order = try fixture.order()
        let left = order.pools.filter { $0.directory.hasPrefix("/srv/") }
        #expect(left.map(\.directory) == ["/srv/one", "/srv/two"])
        // Whichever of the two it lies in, its image is there to be left alone.
        let images = order.volumes.filter { $0.volumeIdentifier == "appvms/other/private" }
        #expect(images.map(\.pool) == left.map(\.name))
        #expect(images.allSatisfy { $0.skipped && !$0.selected })
    }

    @Test func withoutDom0sLineNoDefaultIsKnownAndJobsLeaveAloneWhatItCountsFor() throws {
        let fixture = try ServiceFixture()
        try ServiceFixture.write(
            ServiceFixture.inventory.replacing("class=\"AdminVM\"", with: "class=\"\""),
            to: fixture.settings.qubesXML)
        let record = try fixture.end(of: try fixture.submit())
        let order = try fixture.order()
        #expect(order.volumes.allSatisfy { $0.skipped })
        #expect(record.result?.problems.contains { $0.message.contains("not known") } == true)
    }

    @Test func aQubeWithoutVolumesIsToldSo() throws {
        let fixture = try ServiceFixture()
        let remote =
            "<domain id=\"domain-9\" class=\"RemoteVM\"><properties>"
            + "<property name=\"name\">remote</property></properties></domain></domains>"
        try ServiceFixture.write(
            ServiceFixture.inventory.replacing("</domains>", with: remote),
            to: fixture.settings.qubesXML)
        let exception = try fixture.exception(.report, on: .name("remote"))
        #expect(exception?.message == "The qube has no volume on this machine to work on.")
    }

    @Test func whatIsNoQubesXMLIsStillRefusedWhole() throws {
        let fixture = try ServiceFixture()
        try ServiceFixture.write("<qubes><pools/></qubes>", to: fixture.settings.qubesXML)
        #expect(try fixture.exception(.report)?.kind == .failed)
    }
}
