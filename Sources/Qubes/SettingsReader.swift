// SPDX-License-Identifier: GPL-2.0-or-later

/// The features of a qube, or of dom0 as the default for all, that settings are made of.
///
/// An empty value on a qube is Qubes' way to say no: the default on dom0 does not apply.
public enum SettingsFeature: String, CaseIterable, Sendable {
    /// `zstd:N` (-15 to -1, or 1 to 19), `zstd` (3) or `off`.
    case compress = "btrfs.compress"
    /// A name of at most `SettingsFeature.groupBytes` letters, digits, `_`, `.` and `-`.
    case dedupeGroup = "btrfs.dedupe-group"
    /// `1`, or `0` for no.
    case skip = "btrfs.skip"
    /// Of dom0 alone: `zstd:N` (1 to 15) or `zstd` (3), at which the kernel packs what is written.
    case newData = "btrfs.new-data"
    /// `1`, or `0` for no: the weekly run has the qube give back what it has freed inside.
    case trim = "btrfs.trim"

    /// The longest name of a group, in bytes.
    public static let groupBytes = 64
    /// The levels that frames of ours may have.
    public static let compressionLevels = Array(-15 ... -1) + Array(1...19)
    /// The levels of the kernel's mount option that every kernel of Qubes knows.
    public static let mountLevels = 1...15
    /// The level of plain `zstd`, as in the kernel's mount option.
    public static let defaultCompressionLevel = 3
}

/// A feature with a value that means nothing.
public struct SettingsError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The qube that has the feature: dom0 for a default.
    public let qube: String
    /// The feature.
    public let feature: SettingsFeature
    /// Its value, escaped and cut, in quotes; nil where qubes.xml could not be read there.
    public let value: String?

    /// What is accepted instead; nil where the value is not known.
    public var accepted: String? {
        guard value != nil else { return nil }
        return switch feature {
        case .compress: "zstd:-15 to zstd:19, zstd or off"
        case .dedupeGroup:
            "a name of up to \(SettingsFeature.groupBytes) letters, digits, '_', '.' and '-'"
        case .skip, .trim: "1 or 0"
        case .newData: "zstd:1 to zstd:15, or zstd"
        }
    }

    /// The command of dom0 that mends it.
    public var command: String {
        guard value != nil else { return "qvm-btrfs check" }
        let example =
            switch feature {
            case .compress: "zstd:3"
            case .dedupeGroup: "NAME"
            case .skip, .trim: "1"
            case .newData: "zstd:1"
            }
        return "qvm-features \(qube) \(feature.rawValue) \(example)"
    }

    /// What is wrong, without what mends it, in printable ASCII.
    public var fault: String {
        guard let value, let accepted else {
            return "The feature \(feature.rawValue) of \(qube) is not known, since what qubes.xml"
                + " says of \(qube) cannot be read"
        }
        return "The feature \(feature.rawValue) of \(qube) is \(value), but can only be \(accepted)"
    }

    /// One sentence, of printable ASCII, with what to do.
    public var description: String { "\(fault): \(command)" }
}

/// The names of dedupe groups. A chosen one begins with `named:`, the others do not.
public enum DedupeGroup {
    /// What begins the name of the feature of dom0 that lists the members of a group: the group's
    /// name follows, and the value is the qubes' names with blanks between them.
    public static let listFeature = SettingsFeature.dedupeGroup.rawValue + "."

    /// The roots of the templates that one qube has made: what a template holds is known to who has
    /// made it, so that only its own may be compared with it. `dom0` made those without a tag.
    public static func templates(of creator: String) -> String { "templates:\(creator)" }

    /// A volume with its own revisions and precache.
    public static func volume(pool: String, identifier: String) -> String {
        "volume:\(pool):\(identifier)"
    }

    /// What dom0 has named, and lists the members of.
    public static func named(_ name: String) -> String { "named:\(name)" }

    /// What people call a group of more than one volume; nil for one that is a volume alone.
    public static func shownName(_ group: String) -> String? {
        let (templates, named) = (templates(of: ""), named(""))
        if group == self.templates(of: Qube.adminName) { return "templates" }
        if group.hasPrefix(templates) { return "templates of \(group.dropFirst(templates.count))" }
        return group.hasPrefix(named) ? String(group.dropFirst(named.count)) : nil
    }

    /// The groups by member, from dom0's features.
    static func lists(_ features: [String: String]) -> [String: [String]] {
        var groups: [String: [String]] = [:]
        for (key, value) in features.sorted(by: { $0.key < $1.key })
        where key.hasPrefix(listFeature) {
            let group = String(key.dropFirst(listFeature.count))
            guard Names.isPlain(group, limitBytes: SettingsFeature.groupBytes) else { continue }
            // Names of qubes that are gone are nothing to complain of.
            for member in Set(value.split(whereSeparator: \.isWhitespace).map(String.init)) {
                groups[member, default: []].append(group)
            }
        }
        return groups
    }
}

extension Inventory {
    /// What features say about a volume. The qube's own feature wins over its template's, and that
    /// over dom0's; one that is overridden is not looked at, one that counts and means nothing is
    /// an error.
    public func settings(
        for volume: Volume, of qube: Qube
    ) throws(SettingsError) -> VolumeSettings {
        VolumeSettings(
            compressionLevel: try compression(of: qube).value,
            skip: try skip(of: qube).value,
            dedupeGroup: try dedupeGroup(of: volume, of: qube).value,
            followsSource: volume.snapshotOnStart && !volume.saveOnStop)
    }

    /// The group that a qube asks for by its own feature, where dom0 does not list it in that: the
    /// feature has no effect then.
    public func unlistedGroup(of qube: Qube) -> String? {
        guard let own = qube.features[SettingsFeature.dedupeGroup.rawValue],
            let name = groupName(own), !listedGroups[qube.name, default: []].contains(name)
        else { return nil }
        return name
    }

    /// The level of a qube's images, 0 for off, nil where nothing is set.
    public func compression(of qube: Qube) throws(SettingsError) -> Sourced<Int?> {
        let (level, origin) = try feature(.compress, of: qube, compressionLevel)
        return Sourced(level, origin)
    }

    /// Whether jobs leave a qube out.
    public func skip(of qube: Qube) throws(SettingsError) -> Sourced<Bool> {
        let (skip, origin) = try feature(.skip, of: qube, isOn)
        return Sourced(skip ?? false, origin)
    }

    /// Whether the weekly run has a qube trim itself; no job asks for it.
    public func trim(of qube: Qube) throws(SettingsError) -> Sourced<Bool> {
        let (trim, origin) = try feature(.trim, of: qube, isOn)
        return Sourced(trim ?? false, origin)
    }

    /// The feature `btrfs.trim` that counts for a qube, where it means nothing.
    public func trimError(of qube: Qube) -> SettingsError? {
        do throws(SettingsError) {
            _ = try trim(of: qube)
            return nil
        } catch {
            // Where nothing of a qube can be read, the features that jobs go by say that.
            return error.value == nil ? nil : error
        }
    }

    /// A named group that dom0 lists the qube in, then that of the templates of one creator, then
    /// the volume alone.
    public func dedupeGroup(
        of volume: Volume, of qube: Qube
    ) throws(SettingsError) -> Sourced<String> {
        let (name, origin) = try namedGroup(of: qube)
        if let name { return Sourced(DedupeGroup.named(name), origin) }
        if qube.kind == Qube.templateKind, volume.name == Volume.rootName {
            return Sourced(DedupeGroup.templates(of: qube.creator), origin)
        }
        let alone = DedupeGroup.volume(pool: volume.pool, identifier: volume.identifier)
        return Sourced(alone, origin)
    }

    /// The features that jobs go by, count for a qube and mean nothing, each once. None depends on
    /// the volume.
    public func settingErrors(of qube: Qube) -> [SettingsError] {
        var errors: [SettingsError] = []
        func look<Value>(_ read: () throws(SettingsError) -> Value) {
            do throws(SettingsError) {
                _ = try read()
            } catch {
                // Where nothing of a qube can be read, one feature says that as well as three.
                let isSaid = error.value == nil && errors.contains { $0.qube == error.qube }
                if !isSaid { errors.append(error) }
            }
        }
        look { () throws(SettingsError) in try compression(of: qube) }
        look { () throws(SettingsError) in try skip(of: qube) }
        look { () throws(SettingsError) in try namedGroup(of: qube) }
        return errors
    }

    /// Only dom0 lets a qube into a group: whoever may set a qube's features may choose among the
    /// groups that dom0 lists it in, or none of them. A template's feature says nothing of those
    /// that start from it: it chooses among the template's groups, which are others.
    private func namedGroup(
        of qube: Qube
    ) throws(SettingsError) -> (name: String?, origin: SettingOrigin) {
        let listed = listedGroups[qube.name, default: []]
        let (wanted, origin) = try feature(.dedupeGroup, of: qube, groupName)
        if let wanted { return (listed.contains(wanted) ? wanted : nil, origin) }
        let isUnwanted = qube.features[SettingsFeature.dedupeGroup.rawValue] != nil
        if isUnwanted { return (nil, origin) }
        guard let first = listed.first else { return (nil, .builtIn) }
        return (first, .admin)
    }

    /// What a feature says: of the qube, of what it starts from, or of dom0.
    /// - Returns: nil where none of them has it, or the one that counts is empty.
    private func feature<Value>(
        _ feature: SettingsFeature, of qube: Qube, _ meaning: (String) -> Value?
    ) throws(SettingsError) -> (value: Value?, origin: SettingOrigin) {
        let (text, origin) = try counting(feature, of: qube)
        guard let text, !text.isEmpty else { return (nil, origin) }
        guard let meaning = meaning(text) else {
            throw SettingsError(
                qube: origin.owner(of: qube), feature: feature, value: quoted(text))
        }
        return (meaning, origin)
    }

    /// The level at which the kernel is to pack what is written, by dom0's feature.
    /// - Returns: nil where dom0 has none, or an empty one.
    public func newDataLevel() throws(SettingsError) -> Int? {
        let feature = SettingsFeature.newData
        if hasUnknownDefaults {
            throw SettingsError(qube: Qube.adminName, feature: feature, value: nil)
        }
        guard let value = adminFeatures[feature.rawValue], !value.isEmpty else { return nil }
        guard let level = compressionLevel(value), SettingsFeature.mountLevels.contains(level)
        else {
            throw SettingsError(qube: Qube.adminName, feature: feature, value: quoted(value))
        }
        return level
    }

    /// 0 for off.
    private func compressionLevel(_ value: String) -> Int? {
        switch value {
        case "off": return 0
        case "zstd": return SettingsFeature.defaultCompressionLevel
        default: break
        }
        let prefix = "zstd:"
        guard value.utf8.starts(with: prefix.utf8) else { return nil }
        let untrusted = value.utf8.dropFirst(prefix.utf8.count)
        let isNegative = untrusted.first == UInt8(ascii: "-")
        guard let number = decimal(isNegative ? untrusted.dropFirst() : untrusted),
            let magnitude = Int(exactly: number)
        else { return nil }
        let level = isNegative ? -magnitude : magnitude
        return SettingsFeature.compressionLevels.contains(level) ? level : nil
    }

    private func isOn(_ value: String) -> Bool? {
        switch value {
        case "1": true
        case "0": false
        default: nil
        }
    }

    private func groupName(_ value: String) -> String? {
        Names.isPlain(value, limitBytes: SettingsFeature.groupBytes) ? value : nil
    }
}
