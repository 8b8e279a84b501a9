// SPDX-License-Identifier: GPL-2.0-or-later

/// The features of a qube, or of dom0 as the default for all, that settings are made of.
///
/// An empty value on a qube is Qubes' way to say no: the default on dom0 does not apply.
public enum SettingsFeature: String, CaseIterable, Sendable {
    /// `zstd:N` (1 to 19), `zstd` (3) or `off`.
    case compress = "btrfs.compress"
    /// A name of at most `SettingsFeature.groupBytes` letters, digits, `_`, `.` and `-`.
    case dedupeGroup = "btrfs.dedupe-group"
    /// `1`, or `0` for no.
    case skip = "btrfs.skip"

    /// The longest name of a group, in bytes.
    public static let groupBytes = 64
    /// The levels that frames of ours may have.
    public static let compressionLevels = 1...19
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

    /// One sentence, of printable ASCII, with what to do.
    public var description: String {
        guard let value else {
            return "The feature \(feature.rawValue) of \(qube) is not known, since what qubes.xml"
                + " says of \(qube) cannot be read: qvm-btrfs check"
        }
        let (allowed, example) =
            switch feature {
            case .compress: ("zstd:1 to zstd:19, zstd or off", "zstd:3")
            case .dedupeGroup:
                (
                    "a name of up to \(SettingsFeature.groupBytes) letters, digits, '_', '.' "
                        + "and '-'", "NAME"
                )
            case .skip: ("1 or 0", "1")
            }
        return "The feature \(feature.rawValue) of \(qube) is \(value), but can only be "
            + "\(allowed): qvm-features \(qube) \(feature.rawValue) \(example)"
    }
}

/// The names of dedupe groups that nobody chose. A chosen one begins with `named:`, these do not.
public enum DedupeGroup {
    /// The roots of the templates, and of the qubes that start from them.
    public static let templates = "templates"

    /// A volume with its own revisions and precache.
    public static func volume(pool: String, identifier: String) -> String {
        "volume:\(pool):\(identifier)"
    }

    /// What the feature `btrfs.dedupe-group` has named.
    public static func named(_ name: String) -> String { "named:\(name)" }
}

extension Inventory {
    /// What features say about a volume. The qube's own feature wins over dom0's; a feature that is
    /// overridden is not looked at, one that counts and means nothing is an error.
    public func settings(
        for volume: Volume, of qube: Qube
    ) throws(SettingsError) -> VolumeSettings {
        VolumeSettings(
            compressionLevel: try feature(.compress, of: qube, compressionLevel),
            skip: try feature(.skip, of: qube, skips) ?? false,
            dedupeGroup: try dedupeGroup(of: volume, of: qube))
    }

    /// A qube's own feature, then the group of the template's root that this root starts from, then
    /// dom0's feature, then a group by kind.
    private func dedupeGroup(
        of volume: Volume, of qube: Qube
    ) throws(SettingsError) -> String {
        let own = qube.features[SettingsFeature.dedupeGroup.rawValue]
        if own == nil, let (root, template) = templateRoot(startedBy: volume) {
            return try ownDedupeGroup(of: root, of: template)
        }
        return try ownDedupeGroup(of: volume, of: qube)
    }

    /// The same without asking where the volume starts from: a template whose root says that it
    /// starts from itself must not be followed for ever.
    private func ownDedupeGroup(
        of volume: Volume, of qube: Qube
    ) throws(SettingsError) -> String {
        if let name = try feature(.dedupeGroup, of: qube, groupName) {
            return DedupeGroup.named(name)
        }
        if isTemplateRoot(volume, of: qube) || templateRoot(startedBy: volume) != nil {
            return DedupeGroup.templates
        }
        return DedupeGroup.volume(pool: volume.pool, identifier: volume.identifier)
    }

    private func isTemplateRoot(_ volume: Volume, of qube: Qube) -> Bool {
        qube.kind == Qube.templateKind && volume.name == Volume.rootName
    }

    /// The root of a template, when this root is a snapshot of it that lives from start to stop:
    /// its clean image is then a second name of the template's. A snapshot of such a snapshot, as a
    /// disposable may have, is followed to its end.
    private func templateRoot(startedBy volume: Volume) -> (root: Volume, template: Qube)? {
        var volume = volume
        for _ in 0..<Self.snapshotDepth {
            guard volume.name == Volume.rootName, volume.snapshotOnStart, !volume.saveOnStop,
                let source = volume.source, let (root, owner) = root(source, pool: volume.pool)
            else { return nil }
            if owner.kind == Qube.templateKind { return (root, owner) }
            volume = root
        }
        return nil
    }

    /// The most snapshots one of another; it ends a circle, too.
    private static let snapshotDepth = 4

    private func root(_ identifier: String, pool: String) -> (root: Volume, owner: Qube)? {
        for owner in qubes {
            for root in owner.volumes
            where root.name == Volume.rootName && root.pool == pool
                && root.identifier.utf8.elementsEqual(identifier.utf8)
            {
                return (root, owner)
            }
        }
        return nil
    }

    /// What a feature says: of the qube, or of dom0 where the qube has none.
    /// - Returns: nil where neither has it, or the one that counts is empty.
    private func feature<Value>(
        _ feature: SettingsFeature, of qube: Qube, _ meaning: (String) -> Value?
    ) throws(SettingsError) -> Value? {
        let own = qube.features[feature.rawValue]
        if own == nil, hasUnknownDefaults {
            throw SettingsError(qube: Qube.adminName, feature: feature, value: nil)
        }
        guard let value = own ?? adminFeatures[feature.rawValue], !value.isEmpty else { return nil }
        guard let meaning = meaning(value) else {
            let name = own == nil ? Qube.adminName : qube.name
            throw SettingsError(qube: name, feature: feature, value: quoted(value))
        }
        return meaning
    }

    /// 0 for off.
    private func compressionLevel(_ value: String) -> Int? {
        switch value {
        case "off": return 0
        case "zstd": return SettingsFeature.defaultCompressionLevel
        default: break
        }
        let prefix = "zstd:"
        guard value.utf8.starts(with: prefix.utf8),
            let number = decimal(value.utf8.dropFirst(prefix.utf8.count)),
            let level = Int(exactly: number), SettingsFeature.compressionLevels.contains(level)
        else { return nil }
        return level
    }

    private func skips(_ value: String) -> Bool? {
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
