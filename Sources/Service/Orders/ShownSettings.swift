// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol
internal import Qubes

extension Inventory {
    /// What features say about a volume, and whose they are: the same look as that of jobs.
    func shownSettings(of volume: Volume, of qube: Qube) -> Report.Settings {
        Report.Settings(
            compress: Self.shown(qube, Self.text(level:)) { () throws(SettingsError) in
                try compression(of: qube)
            },
            dedupeGroup: Self.shown(qube, Self.text(group:)) { () throws(SettingsError) in
                try dedupeGroup(of: volume, of: qube)
            }, skip: shownSkip(of: qube), trim: shownTrim(of: qube))
    }

    /// The same of dom0's own files, which are a group of their own.
    fileprivate func systemSettings(of admin: Qube) -> Report.Settings {
        Report.Settings(
            compress: Self.shown(admin, Self.text(level:)) { () throws(SettingsError) in
                try compression(of: admin)
            }, dedupeGroup: Report.Setting(Report.Setting.systemGroup, .byDefault),
            skip: shownSkip(of: admin))
    }

    /// nil where nobody's feature says anything, so that nothing is trimmed.
    private func shownTrim(of qube: Qube) -> Report.Setting? {
        let shown = Self.shown(qube, { $0 ? "1" : "0" }) { () throws(SettingsError) in
            try trim(of: qube)
        }
        return shown.origin == .byDefault ? nil : shown
    }

    private func shownSkip(of qube: Qube) -> Report.Setting {
        Self.shown(qube, { $0 ? "1" : "0" }) { () throws(SettingsError) in try skip(of: qube) }
    }

    private static func shown<Value>(
        _ qube: Qube, _ text: (Value) -> String,
        _ read: () throws(SettingsError) -> Sourced<Value>
    ) -> Report.Setting {
        do throws(SettingsError) {
            let setting = try read()
            return Report.Setting(text(setting.value), setting.origin)
        } catch {
            let origin: SettingOrigin =
                error.qube == Qube.adminName
                ? .admin : error.qube == qube.name ? .own : .template(error.qube)
            return Report.Setting(nil, origin)
        }
    }

    /// As the feature would be written.
    static func text(level: Int?) -> String {
        switch level {
        case 0: "off"
        case let level: "zstd:\(level ?? SettingsFeature.defaultCompressionLevel)"
        }
    }

    /// Without the name of who has made templates: its group says enough.
    private static func text(group: String) -> String {
        if group.hasPrefix(DedupeGroup.named("")) { return group }
        return DedupeGroup.shownName(group) == nil
            ? Report.Setting.aloneGroup : Report.Setting.templatesGroup
    }
}

extension Report.Setting {
    fileprivate init(_ value: String?, _ origin: SettingOrigin) {
        switch origin {
        case .own: self.init(value, .qube)
        case .template(let name): self.init(value, .template, template: name)
        case .admin: self.init(value, .dom0)
        case .builtIn: self.init(value, .byDefault)
        }
    }

    /// Without the name of a qube that the reader does not see, nor what only that one has named.
    func redacted(for reader: Reader) -> Self {
        let owner: String
        switch origin {
        case .template: owner = template ?? ""
        case .dom0: owner = Qubes.Qube.adminName
        case .qube, .byDefault, .hidden, .unknown: return self
        }
        if reader.caller.sees(owner) { return self }
        let isNamed = value?.hasPrefix(Self.namedGroup) == true
        return Report.Setting(isNamed ? Self.namedGroup : value, .hidden)
    }
}

extension Report.Settings {
    /// As a reader may have them.
    func redacted(for reader: Reader) -> Self {
        Report.Settings(
            compress: compress.redacted(for: reader),
            dedupeGroup: dedupeGroup.redacted(for: reader), skip: skip.redacted(for: reader),
            trim: trim?.redacted(for: reader))
    }

    /// Somebody has set something for this qube, or for its template, and not for all.
    fileprivate var isOwn: Bool {
        let isListed = dedupeGroup.origin != .byDefault
        return isListed
            || [compress, skip, trim].contains {
                $0.map { ![.byDefault, .dom0].contains($0.origin) } == true
            }
    }
}

extension Report {
    /// Adds what features say about each volume.
    mutating func addSettings(_ target: Target) {
        for index in qubes.indices {
            guard let qube = target.inventory.qube(named: qubes[index].name) else { continue }
            if qube.kind == Qubes.Qube.adminKind {
                let settings = target.inventory.systemSettings(of: qube)
                for place in qubes[index].volumes.indices {
                    qubes[index].volumes[place].settings = settings
                }
                continue
            }
            for place in qubes[index].volumes.indices {
                let name = qubes[index].volumes[place].name
                qubes[index].volumes[place].settings =
                    qube.volumes.first { $0.name == name }.map {
                        target.inventory.shownSettings(of: $0, of: qube)
                    }
            }
        }
    }
}

extension OrderMaker {
    /// What features say: of a qube that was asked about always, on the machine of those qubes for
    /// which something is set that does not count for all, and what counts for all.
    func settingFindings() -> [CheckReport.Finding] {
        let reader = Reader(target)
        var findings = defaultFindings()
        var more = 0
        for qube in target.inventory.qubes {
            let own = selectedVolumes(of: qube).map {
                (name: $0.name, settings: target.inventory.shownSettings(of: $0, of: qube))
            }
            guard !own.isEmpty, target.qube != nil || own.contains(where: \.settings.isOwn) else {
                continue
            }
            if findings.count >= Limits.namedItems {
                more += 1
                continue
            }
            let visible = own.map { ($0.name, $0.settings.redacted(for: reader)) }
            findings.append(
                CheckReport.Finding(
                    .good, Self.settingsTopic, about: .qube(qube.name),
                    Report.Settings.sentences(visible).joined(separator: "; ")))
        }
        if more > 0 {
            findings.append(
                CheckReport.Finding(
                    .good, Self.settingsTopic, about: .machine,
                    "features are set for \(more) more: qvm-btrfs check QUBE says which"))
        }
        return findings
    }

    private static let settingsTopic = "settings"

    /// What dom0's features say for all, where they say something.
    private func defaultFindings() -> [CheckReport.Finding] {
        guard let admin = systemQube else { return [] }
        let settings = target.inventory.systemSettings(of: admin)
        var parts: [String] = []
        func add(_ feature: SettingsFeature, _ value: String?) {
            // One that means nothing is a finding of its own.
            guard let value, target.inventory.adminFeatures[feature.rawValue] != nil else { return }
            parts.append("\(feature.rawValue): \(value)")
        }
        add(.compress, settings.compress.value)
        add(.skip, settings.skip.value)
        add(.trim, (try? target.inventory.trim(of: admin)).map { $0.value ? "1" : "0" })
        if let level = try? target.inventory.newDataLevel() {
            add(.newData, Inventory.text(level: level))
        }
        if parts.isEmpty { return [] }
        return [
            CheckReport.Finding(
                .good, Self.settingsTopic, about: .machine,
                "dom0's features, the default for all: \(parts.joined(separator: "; "))")
        ]
    }
}
