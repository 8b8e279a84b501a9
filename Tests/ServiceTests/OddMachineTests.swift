// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Service

/// A machine that is sound and of which one thing is odd: no other qube feels it.
@Suite struct OddMachineTests {
    private static func pool(_ attributes: String) -> String {
        ServiceFixture.inventory.replacing("</pools>", with: "<pool \(attributes)/></pools>")
    }

    private static func domain(_ text: String) -> String {
        ServiceFixture.inventory.replacing("</domains>", with: "\(text)</domains>")
    }

    private static let admin =
        "<domain id=\"domain-0\" class=\"AdminVM\"><properties/>\n"
        + "    <features></features><tags/></domain>"

    /// qubes.xml by what is odd in it.
    static let machines = [
        "a remote qube": domain(
            "<domain id=\"domain-9\" class=\"RemoteVM\"><properties>"
                + "<property name=\"name\">far</property></properties></domain>"),
        "an unknown class": domain(
            "<domain id=\"domain-9\" class=\"FooVM\"><properties>"
                + "<property name=\"name\">foo</property></properties><volume-config><volume"
                + " name=\"private\" pool=\"varlibqubes\" vid=\"foo/private\"/></volume-config>"
                + "</domain>"),
        "an unknown driver": pool("name=\"new\" driver=\"zfs\" dataset=\"a b\""),
        "a driver that calls back": pool("name=\"new\" driver=\"callback\" conf_id=\"x\""),
        "a pool with odd characters": pool(
            "name=\"p\u{e4} 1/+\" driver=\"file-reflink\" dir_path=\"/mnt/odd dir\""),
        "a pool that has no disk": pool(
            "name=\"away\" driver=\"file-reflink\" dir_path=\"/nonexistent\""),
        "revisions without end": ServiceFixture.inventory.replacing(
            "revisions_to_keep=\"1\"", with: "revisions_to_keep=\"-1\""),
        "dom0 at the end": ServiceFixture.inventory.replacing(admin, with: "")
            .replacing("</domains>", with: "\(admin)</domains>"),
    ]

    @Test(arguments: machines.keys.sorted())
    func allOthersAreWorkedOnAsBefore(odd: String) throws {
        let xml = try #require(Self.machines[odd])
        #expect(xml != ServiceFixture.inventory)
        let fixture = try ServiceFixture()
        let plain = try fixture.end(of: try fixture.submit())
        let before = try fixture.order()
        try ServiceFixture.write(xml, to: fixture.settings.qubesXML)
        for (caller, target) in [("dom0", "work"), ("dom0", "dom0"), ("admin", "work")] {
            let job = try fixture.submit(.optimize, from: caller, on: .name(target))
            let record = try fixture.end(of: job)
            #expect(record.state == .done && record.result?.problems == plain.result?.problems)
        }
        let after = try fixture.order()
        #expect(
            after.volumes.filter { $0.qube != "foo" && !$0.isSystem }
                == before.volumes.filter { !$0.isSystem })
    }

    @Test func aCheckOfTheMachineKnowsThePoolsOfOtherDrivers() throws {
        let fixture = try ServiceFixture(worker: "say own") { settings in
            try ServiceFixture.message(
                "own", .check(CheckReport(checkedAt: 1, findings: [])), settings)
            try ServiceFixture.write(
                Self.pool("name=\"old\" driver=\"file\" dir_path=\"/var/lib/old\"")
                    .replacing(
                        "</pools>", with: "<pool name=\"unused\" driver=\"file\"/></pools>"
                    )
                    .replacing(
                        "pool=\"varlibqubes\" vid=\"appvms/vault/private\"",
                        with: "pool=\"old\" vid=\"appvms/vault/private\""),
                to: settings.qubesXML)
        }
        _ = try fixture.call(.check, on: .name("dom0"))
        #expect(
            try fixture.order().otherPools == [
                .init(name: "old", driver: "file", directory: "/var/lib/old")
            ])
        _ = try fixture.call(.check, from: "admin")
        #expect(try fixture.order().otherPools == nil)
    }

    @Test func whatLiesOnNoFitPoolIsToldTheWayOut() throws {
        let fixture = try ServiceFixture()
        try ServiceFixture.write(
            Self.pool("name=\"old\" driver=\"file\" dir_path=\"/var/lib/old\"")
                .replacing(#/pool="varlibqubes" vid="appvms/vault/#) { match in
                    "pool=\"old\" vid=\"appvms/vault/"
                }, to: fixture.settings.qubesXML)
        let one = try fixture.exception(.compress, on: .name("vault"))
        #expect(one?.message.contains("qvm-clone -P POOL") == true)
        try ServiceFixture.write(
            ServiceFixture.inventory.replacing("file-reflink", with: "file"),
            to: fixture.settings.qubesXML)
        let all = try fixture.exception(.check, on: .name("dom0"))
        #expect(all?.message.contains("qvm-pool add NAME file-reflink") == true)
    }
}
