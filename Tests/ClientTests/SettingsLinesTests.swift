// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import Testing

@testable import Client

/// What features say, below a report of a qube.
@Suite struct SettingsLinesTests {
    private func lines(_ settings: Report.Settings...) -> [String] {
        var qube = Sample.qube("work", bytes: 4096)
        let names = ["root", "private", "volatile"]
        qube.volumes = settings.enumerated().map { place, settings in
            var volume = qube.volumes[0]
            volume.name = names[place]
            volume.settings = settings
            return volume
        }
        let all = ReportLines.volumes(Sample.report([qube])).texts
        return Array(all.drop { $0 != "Settings:" })
    }

    private func settings(
        compress: Report.Setting = .init("zstd:3", .byDefault),
        group: Report.Setting = .init("alone", .byDefault),
        skip: Report.Setting = .init("0", .byDefault)
    ) -> Report.Settings {
        Report.Settings(compress: compress, dedupeGroup: group, skip: skip)
    }

    @Test func eachSettingSaysWhatHoldsAndWhoseItIs() {
        let text = lines(
            settings(
                compress: .init("zstd:9", .template, template: "deb"),
                group: .init("named:photos", .dom0), skip: .init("1", .qube)))
        #expect(
            text == [
                "Settings:", "  btrfs.compress: zstd:9, by its template deb.",
                "  btrfs.skip: 1, by its own feature.",
                "  btrfs.dedupe-group: group photos, by dom0.",
            ])
    }

    @Test func whereVolumesDifferEachHasItsOwn() {
        let text = lines(
            settings(group: .init("templates", .byDefault)), settings(),
            settings(group: .init("templates", .byDefault)))
        #expect(
            text == [
                "Settings:", "  btrfs.compress: zstd:3, the default.",
                "  btrfs.skip: 0, the default.",
                "  btrfs.dedupe-group of root, volatile: the roots of templates, the default.",
                "  btrfs.dedupe-group of private: itself alone, the default.",
            ])
    }

    @Test func whatIsHiddenOrWrongSaysSo() {
        let text = lines(
            settings(
                compress: .init(nil, .template, template: "deb"), group: .init("named:", .hidden),
                skip: .init(nil, .hidden)))
        #expect(
            text == [
                "Settings:",
                "  btrfs.compress: not known: what its template deb says cannot be.",
                "  btrfs.skip: not known: what a qube that you may not see says cannot be.",
                "  btrfs.dedupe-group: a named group, by a qube that you may not see.",
            ])
    }

    @Test(arguments: Report.Setting.Origin.allCases + [.unknown(Sample.hostile)])
    func everyOriginFitsTheLineAndMovesNoTerminal(origin: Report.Setting.Origin) {
        for value in [nil, Sample.hostile, "named:" + Sample.hostile] {
            let setting = Report.Setting(value, origin, template: Sample.longName)
            let text = lines(settings(compress: setting, group: setting, skip: setting))
            #expect(text.allSatisfy { $0.count <= TextTable.columns })
            #expect(!text.contains { $0.unicodeScalars.contains("\u{1b}") })
            #expect(text.count >= 4)
        }
    }

    @Test func aServiceThatSaysNothingOfThemIsTakenAsItIs() {
        let all = ReportLines.volumes(Sample.report([Sample.qube("work", bytes: 1)])).texts
        #expect(!all.contains("Settings:"))
    }
}
