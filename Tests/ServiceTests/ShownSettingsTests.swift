// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import TestSupport
import Testing

@testable import Service

/// What reports and checks say of features, and to whom. `work` and `other` start from `deb`; of
/// these `admin` sees `work`, `deb` and dom0, and `other` sees itself alone.
@Suite struct ShownSettingsTests {
    private typealias Features = [String: String]

    private static func elements(_ features: Features) -> String {
        features.sorted { $0.key < $1.key }
            .map { #"<feature name="\#($0.key)">\#($0.value)</feature>"# }.joined()
    }

    /// A daemon whose worker reports `work`, `other` and dom0's own files, and finds nothing.
    private func fixture(_ features: [String: Features] = [:]) throws -> ServiceFixture {
        let fixture = try ServiceFixture(
            worker: "if grep -q '\"check\"' \"$cache/order\"; then say check; else say report; fi")
        var text = ServiceFixture.inventory(
            workFeatures: Self.elements(features["work", default: [:]]),
            adminFeatures: Self.elements(features["dom0", default: [:]]))
        for name in ["work", "other"] {
            text = text.replacing(
                ">\(name)</property>",
                with: ">\(name)</property><property name=\"template\">deb</property>")
        }
        let place = try #require(text.firstRange(of: ServiceFixture.uuid(2)))
        let empty = try #require(text[place.upperBound...].firstRange(of: "<features></features>"))
        text.replaceSubrange(
            empty, with: "<features>\(Self.elements(features["deb", default: [:]]))</features>")
        try ServiceFixture.write(text, to: fixture.settings.qubesXML)
        var report = Samples.report(qubes: ["dom0", "other", "work"])
        report.qubes[0].volumes = [volume("system")]
        for place in 1...2 { report.qubes[place].volumes = [volume("root"), volume("private")] }
        report.problems = []
        try ServiceFixture.message("report", .report(report), fixture.settings)
        try ServiceFixture.message(
            "check", .check(CheckReport(checkedAt: 1, findings: [])), fixture.settings)
        return fixture
    }

    private func volume(_ name: String) -> Report.Volume {
        Report.Volume(name: name, pool: "varlibqubes", figures: Figures(), images: [])
    }

    private func settings(
        _ fixture: ServiceFixture, of qube: String, _ volume: String = "private",
        to caller: String = "dom0"
    ) throws -> Report.Settings {
        let report = try fixture.reply(
            Report.self, .report, from: caller, on: .name(qube))
        let found = try #require(report.qubes.first { $0.name == qube })
        return try #require(found.volumes.first { $0.name == volume }?.settings)
    }

    private func findings(
        _ fixture: ServiceFixture, of qube: String, to caller: String = "dom0"
    ) throws -> [CheckReport.Finding] {
        try fixture.reply(CheckReport.self, .check, from: caller, on: .name(qube)).findings
    }

    @Test func withoutFeaturesAllIsByDefault() throws {
        let fixture = try fixture()
        #expect(
            try settings(fixture, of: "work")
                == Report.Settings(
                    compress: .init("zstd:3", .byDefault),
                    dedupeGroup: .init("alone", .byDefault), skip: .init("0", .byDefault)))
        #expect(
            try settings(fixture, of: "dom0", "system").dedupeGroup
                == Report.Setting("system", .byDefault))
        #expect(try findings(fixture, of: "dom0").isEmpty)
        #expect(try findings(fixture, of: "work").map(\.topic) == ["settings"])
    }

    @Test func eachSettingSaysWhoseFeatureItIs() throws {
        let fixture = try fixture([
            "dom0": ["btrfs.skip": "0", "btrfs.dedupe-group.photos": "work other"],
            "deb": ["btrfs.compress": "zstd:9"], "work": ["btrfs.dedupe-group": "photos"],
        ])
        #expect(
            try settings(fixture, of: "work")
                == Report.Settings(
                    compress: .init("zstd:9", .template, template: "deb"),
                    dedupeGroup: .init("named:photos", .qube), skip: .init("0", .dom0)))
        #expect(
            try settings(fixture, of: "other").dedupeGroup == Report.Setting("named:photos", .dom0))
        #expect(try settings(fixture, of: "work", to: "admin") == settings(fixture, of: "work"))
        #expect(
            try settings(fixture, of: "dom0", "system").skip == Report.Setting("0", .dom0))
    }

    @Test func aJobGoesByWhatIsShown() throws {
        let fixture = try fixture(["deb": ["btrfs.compress": "zstd:9", "btrfs.skip": "1"]])
        _ = try fixture.call(.report, on: .name("dom0"))
        let volumes = try fixture.order().volumes
        #expect(volumes.filter { $0.qube == "work" }.allSatisfy { $0.compressionLevel == 9 })
        #expect(
            Set(volumes.filter(\.skipped).map(\.qube)) == ["deb", "other", "work"])
    }

    @Test func whoDoesNotSeeTheQubeThatHasTheFeatureIsNotToldWhich() throws {
        let fixture = try fixture([
            "dom0": ["btrfs.skip": "0", "btrfs.dedupe-group.photos": "work other"],
            "deb": ["btrfs.compress": "zstd:9"],
        ])
        #expect(
            try settings(fixture, of: "other", to: "other")
                == Report.Settings(
                    compress: .init("zstd:9", .hidden), dedupeGroup: .init("named:", .hidden),
                    skip: .init("0", .hidden)))
        let finding = try #require(try findings(fixture, of: "other", to: "other").last)
        #expect(finding.message.contains("btrfs.compress: zstd:9, by a qube that you may not see"))
        #expect(!finding.message.contains("deb") && !finding.message.contains("photos"))
        // It asks about the machine, and gets no more.
        for finding in try findings(fixture, of: "dom0", to: "other") {
            #expect(!finding.message.contains("deb") && !finding.message.contains("photos"))
            #expect(finding.subject == "other")
        }
    }

    @Test func aCheckSaysItOfTheQubeAndOnTheMachineOfThoseWithFeatures() throws {
        let fixture = try fixture([
            "dom0": ["btrfs.compress": "zstd:5", "btrfs.new-data": "zstd:2"],
            "deb": ["btrfs.skip": "0"],
        ])
        let own = try #require(try findings(fixture, of: "work").last)
        #expect(own.level == .good && own.subject == "work" && own.topic == "settings")
        #expect(
            own.message
                == "btrfs.compress: zstd:5, by dom0; btrfs.skip: 0, by its template deb;"
                + " btrfs.dedupe-group: itself alone, the default")
        let machine = try findings(fixture, of: "dom0")
        #expect(machine.map(\.subject) == ["dom0", "deb", "work", "other"])
        #expect(
            machine.first?.message
                == "dom0's features, the default for all: btrfs.compress: zstd:5;"
                + " btrfs.new-data: zstd:2")
    }

    @Test func aWrongValueIsNamedWithWhatIsAcceptedAndWhatMendsIt() throws {
        let fixture = try fixture(["deb": ["btrfs.compress": "lzo", "btrfs.skip": "yes"]])
        // About the one that was asked about, though the feature is another's.
        for (caller, asked, subject) in [
            ("dom0", "work", "work"), ("admin", "work", "work"), ("dom0", "dom0", "deb"),
            ("dom0", "deb", "deb"),
        ] {
            let wrong = try findings(fixture, of: asked, to: caller)
                .filter { $0.topic == "feature" }
            #expect(wrong.map(\.subject) == [subject, subject], "\(caller) \(asked)")
            #expect(
                wrong.map(\.command) == [
                    "qvm-features deb btrfs.compress zstd:3", "qvm-features deb btrfs.skip 1",
                ])
            #expect(
                wrong.first?.message.hasSuffix(
                    "The feature btrfs.compress of deb is 'lzo', but can only be"
                        + " zstd:-15 to zstd:19, zstd or off") == true)
            #expect(wrong.allSatisfy { $0.level == .problem })
            let report = try fixture.reply(
                Report.self, .report, from: caller, on: .name(asked))
            #expect(report.problems.map(\.subject) == [subject, subject])
            #expect(
                report.problems.last?.message.hasSuffix(": qvm-features deb btrfs.skip 1")
                    == true)
        }
        #expect(
            try settings(fixture, of: "work").compress
                == Report.Setting(nil, .template, template: "deb"))
    }

    @Test func whoDoesNotSeeWhereAWrongValueIsSetLearnsThatThereIsOne() throws {
        let fixture = try fixture(["deb": ["btrfs.compress": "lzo"]])
        let wrong = try #require(try findings(fixture, of: "other", to: "other").first)
        #expect(wrong.topic == "feature" && wrong.subject == "other" && wrong.command == nil)
        #expect(!wrong.message.contains("deb") && !wrong.message.contains("lzo"))
        #expect(
            try settings(fixture, of: "other", to: "other").compress
                == Report.Setting(nil, .hidden))
    }

    @Test func whetherToTrimIsShownWhereAFeatureSaysItAndHiddenAsTheOthersAre() throws {
        let fixture = try fixture(["deb": ["btrfs.trim": "1"], "dom0": ["btrfs.trim": "0"]])
        #expect(
            try settings(fixture, of: "work").trim == .init("1", .template, template: "deb"))
        #expect(
            try settings(fixture, of: "other", to: "other").trim == Report.Setting("1", .hidden))
        let findings = try findings(fixture, of: "dom0")
        #expect(findings.first?.message.hasSuffix("for all: btrfs.trim: 0") == true)
        #expect(findings.map(\.subject) == ["dom0", "deb", "work", "other"])
        let wrong = try self.fixture(["deb": ["btrfs.trim": "yes"]])
        let finding = try #require(try self.findings(wrong, of: "deb").first)
        #expect(finding.topic == "feature" && finding.subject == "deb")
        #expect(finding.message.hasPrefix("The weekly run does not trim it: "))
        #expect(finding.command == "qvm-features deb btrfs.trim 1")
        let hidden = try #require(try self.findings(wrong, of: "other", to: "other").first)
        #expect(!hidden.message.contains("deb") && hidden.command == nil)
        #expect(try wrong.reply(Report.self, .report, on: .name("dom0")).problems.isEmpty)
    }

    @Test func aWrongLevelOfNewDataIsAFindingOfDom0() throws {
        let fixture = try fixture(["dom0": ["btrfs.new-data": "zstd:19"]])
        for caller in ["dom0", "admin"] {
            let finding = try #require(try findings(fixture, of: "dom0", to: caller).first)
            #expect(finding.subject == "dom0" && finding.level == .problem)
            #expect(finding.command == "qvm-features dom0 btrfs.new-data zstd:1")
            #expect(finding.message.contains("'zstd:19', but can only be zstd:1 to zstd:15"))
            #expect(finding.reason?.contains("qubes-btrfs-compress.service") == true)
        }
        // It stops no job, and is for who sees dom0 and asks about it.
        #expect(try findings(fixture, of: "dom0", to: "other").isEmpty)
        #expect(try findings(fixture, of: "work").map(\.topic) == ["settings"])
        #expect(
            try fixture.reply(Report.self, .report, on: .name("dom0")).problems.isEmpty)
    }

    @Test func settingsOfManyQubesAreNamedToABound() throws {
        let fixture = try fixture()
        let domains = (0...Limits.namedItems).map { number in
            """
            <domain id="domain-\(100 + number)" class="AppVM"><properties>
            <property name="name">q\(number)</property></properties>
            <features><feature name="btrfs.skip">0</feature></features><tags/><volume-config>
            <volume name="private" pool="varlibqubes" vid="appvms/q\(number)/private" rw="True"
            revisions_to_keep="1" save_on_stop="True" snap_on_start="False" size="1024"/>
            </volume-config></domain>
            """
        }
        try ServiceFixture.write(
            ServiceFixture.inventory.replacing(
                "</domains>", with: domains.joined() + "</domains>"),
            to: fixture.settings.qubesXML)
        let named = try findings(fixture, of: "dom0")
        #expect(named.count == Limits.namedItems + 1)
        #expect(named.last?.message.hasPrefix("features are set for 1 more") == true)
    }
}
