// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import SystemCalls
import Testing

@testable import Service

/// Qubes that a call on the machine leaves out.
@Suite struct ExclusionTests {
    private static let withoutWork = #"{"version":1,"exclude":["work"]}"#

    private func selected(_ fixture: ServiceFixture) throws -> Set<String> {
        Set(try fixture.order().volumes.filter(\.selected).map(\.qube))
    }

    @Test(arguments: [
        ServiceName.compress, .optimize, .dedupe, .defragment, .sparsify, .estimate, .verify,
    ])
    func aJobLeavesThemAlone(service: ServiceName) throws {
        let fixture = try ServiceFixture()
        let job = try fixture.submit(
            service, on: .name("dom0"), payload: #"{"version":1,"exclude":["work","dom0"]}"#)
        let record = try fixture.end(of: job)
        #expect(record.exclude == ["dom0", "work"])
        #expect(try selected(fixture).isDisjoint(with: ["work", "dom0"]))
        #expect(try selected(fixture).contains("deb"))
        // They are known, for they may share.
        #expect(try fixture.order().volumes.contains { $0.qube == "work" })
        let log = try ServiceFixture.read(fixture.settings.logFile)
        #expect(String(decoding: log, as: UTF8.self).contains("without dom0 work"))
    }

    @Test(arguments: [ServiceName.report, .check])
    func anAccountLeavesThemOut(service: ServiceName) throws {
        let fixture = try ServiceFixture()
        _ = try fixture.call(service, on: .name("dom0"), payload: Self.withoutWork)
        #expect(try !selected(fixture).contains("work"))
        #expect(try selected(fixture).isSuperset(of: ["deb", "dom0"]))
    }

    @Test(arguments: [ServiceName.report, .check, .compress, .estimate, .dedupe])
    func whoeverMeansToLeaveAQubeOutIsNotMisheard(service: ServiceName) throws {
        let fixture = try ServiceFixture()
        let answers = try ["vault", "nosuch"].map { name in
            try fixture.call(
                service, from: "admin", on: .name("dom0"),
                payload: "{\"version\":1,\"exclude\":[\"\(name)\"]}"
            ).encoded()
        }
        #expect(answers[0] == answers[1])
        #expect(String(decoding: answers[0], as: UTF8.self).contains("QubesVMNotFoundError"))
        #expect(
            try fixture.exception(service, on: .name("work"), payload: Self.withoutWork)?.kind
                == .badRequest)
        #expect(
            try fixture.exception(
                service, on: .name("dom0"), payload: #"{"version":1,"exclude":[]}"#
            )?.kind == .badRequest)
    }
}
