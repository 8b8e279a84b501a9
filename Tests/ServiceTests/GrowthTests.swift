// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import Qubes
import SystemCalls
import SystemPackage
import TestSupport
import Testing

@testable import Service

/// What reports and checks say of volumes that grow for weeks.
@Suite struct GrowthTests {
    private static let day: Int64 = 86400
    private static let week = 7 * day

    /// Looks at a volume of so many MiB, one after the other.
    private func growth(_ mebibytes: [UInt64], every seconds: Int64 = week) -> VolumeGrowth {
        var growth = VolumeGrowth(mebibytes[0] << 20, at: 0)
        for (index, size) in mebibytes.enumerated().dropFirst() {
            _ = growth.see(size << 20, at: Int64(index) * seconds)
        }
        return growth
    }

    @Test func whatHasGrownForThreeWeeksIsSaidAndNothingThatIsAGuess() {
        #expect(
            growth([100, 200, 200, 356]).shown
                == .init(sinceAt: 0, lastAt: 3 * Self.week, grownBytes: 256 << 20, looks: 4))
        #expect(growth([100, 200, 200, 355]).shown == nil, "too little")
        #expect(growth([100, 200, 200, 900], every: 6 * Self.day).shown == nil, "too short")
        #expect(growth([100, 200, 900], every: 5 * Self.week).shown == nil, "too seldom")
        #expect(growth([100, 100, 100, 100, 100]).shown == nil)
    }

    @Test func whatWasSeenToShrinkOnceBeginsAnew() {
        #expect(growth([100, 900, 2000, 3000, 2999]).shown == nil)
        #expect(
            growth([100, 900, 899, 1900, 2000, 2100]).shown
                == .init(
                    sinceAt: 2 * Self.week, lastAt: 5 * Self.week, grownBytes: 1201 << 20,
                    looks: 4))
    }

    @Test func looksOfOneHourAreOneAndAClockThatGoesBackTellsNothing() {
        var growth = growth([100, 200, 200])
        for minute in 0..<50 {
            _ = growth.see(900 << 20, at: 2 * Self.week + Int64(minute) * 60)
        }
        #expect(growth.looks == 3)
        #expect(growth.lastBytes == 900 << 20)
        _ = growth.see(900 << 20, at: 3 * Self.week)
        #expect(growth.shown != nil)
        _ = growth.see(900 << 20, at: Self.week)
        #expect(growth.shown == nil && growth.sinceAt == Self.week)
        // A file that somebody has broken may hold any moment.
        growth = VolumeGrowth(1, at: .min)
        #expect(growth.see(2, at: .max) && growth.shown == nil)
    }

    /// A report of `work` and `vault`, whose private images are of that size.
    private func say(
        _ mebibytes: UInt64, at moment: Int64, role: String = "clean", _ fixture: ServiceFixture
    ) throws {
        var report = Samples.report(qubes: ["work", "vault"])
        report.generatedAt = moment
        for index in report.qubes.indices {
            report.qubes[index].volumes = ["root", "private"].map { name in
                let image = Report.Image(
                    path: "\(name).img", role: role, sizeBytes: 1, nocow: false,
                    figures: Figures(dataBytes: mebibytes << 20))
                return Report.Volume(
                    name: name, pool: "varlibqubes", figures: Figures(), images: [image])
            }
        }
        try ServiceFixture.message("report", .report(report), fixture.settings)
    }

    private func report(
        _ fixture: ServiceFixture, of qube: String, to caller: String = "dom0"
    ) throws -> Report {
        try fixture.reply(Report.self, .report, from: caller, on: .name(qube))
    }

    private func fixture() throws -> ServiceFixture {
        let fixture = try ServiceFixture(
            worker: "if grep -q '\"check\"' \"$cache/order\"; then say check; else say report; fi")
        try ServiceFixture.message(
            "check", .check(CheckReport(checkedAt: 1, findings: [])), fixture.settings)
        for (week, size) in [100, 200, 400].enumerated() {
            try say(UInt64(size), at: Int64(week) * Self.week, fixture)
            _ = try report(fixture, of: "dom0")
        }
        return fixture
    }

    @Test func aReportAndACheckSayItOfVolumesThatLastWithTheCommand() throws {
        let fixture = try fixture()
        // A restart forgets nothing, and a qube that was started goes on where it was.
        try fixture.restart()
        try say(800, at: 3 * Self.week, role: "dirty", fixture)
        let volumes = try #require(try report(fixture, of: "dom0").qubes.first?.volumes)
        #expect(volumes.first { $0.name == "root" }?.growth == nil)
        #expect(
            volumes.first { $0.name == "private" }?.growth
                == .init(sinceAt: 0, lastAt: 3 * Self.week, grownBytes: 700 << 20, looks: 4))
        func findings(_ qube: String, _ caller: String) throws -> [CheckReport.Finding] {
            try fixture.reply(CheckReport.self, .check, from: caller, on: .name(qube)).findings
                .filter { $0.topic == "image.grows" }
        }
        let found = try findings("dom0", "dom0")
        #expect(found.map(\.subject) == ["vault", "work"])
        #expect(found.allSatisfy { $0.level == .note })
        #expect(found.last?.command == "qvm-btrfs trim work --start")
        #expect(
            found.last?.message
                == "private has grown by 700 MiB in 21 days, and was never seen to shrink"
                + " (4 looks)")
        // Who does not see the one learns of the other alone.
        #expect(try findings("dom0", "admin").map(\.subject) == ["work"])
        #expect(try findings("work", "admin").count == 1)
        #expect(try findings("other", "other").isEmpty)
        fixture.qubesd?.change { $0.qubes["work"] = "class=AppVM state=Running" }
        #expect(try findings("work", "dom0").map(\.command) == ["qvm-btrfs trim work"])
    }

    @Test func aDropOfOneReportEndsIt() throws {
        let fixture = try fixture()
        try say(800, at: 3 * Self.week, fixture)
        _ = try report(fixture, of: "dom0")
        try say(799, at: 3 * Self.week + 60, fixture)
        let volumes = try report(fixture, of: "work").qubes.flatMap(\.volumes)
        #expect(!volumes.isEmpty && volumes.allSatisfy { $0.growth == nil })
        let check = try fixture.reply(CheckReport.self, .check, on: .name("work"))
        #expect(!check.findings.contains { $0.topic == "image.grows" })
    }

    @Test func ofTooManyVolumesThoseGoThatWereNotSeenForLongest() throws {
        let fixture = try fixture()
        let state = fixture.directory.appending("other-state")
        try FileManager.default.createDirectory(
            atPath: state.string, withIntermediateDirectories: false)
        let audit = AuditLog(file: "/dev/null", journalSocket: "/nonexistent", clock: .system)
        let inventory = try Inventory.read(path: fixture.settings.qubesXML)
        let store = GrowthStore(stateDirectory: state, audit: audit, limit: 1)
        for (moment, names) in [(1, ["work"]), (2, ["vault"])] {
            var report = Samples.report(qubes: names)
            report.generatedAt = Int64(moment)
            report.qubes[0].volumes = [
                Report.Volume(
                    name: "private", pool: "varlibqubes", figures: Figures(),
                    images: [
                        .init(
                            path: "x", role: "clean", sizeBytes: 1, nocow: false,
                            figures: Figures(dataBytes: 1))
                    ])
            ]
            store.note(&report, inventory)
        }
        let text = String(
            decoding: try ServiceFixture.read(state.appending("growth.json")), as: UTF8.self)
        #expect(text.contains("\(ServiceFixture.uuid(4)) private"))
        #expect(!text.contains(ServiceFixture.uuid(3)))
    }
}
