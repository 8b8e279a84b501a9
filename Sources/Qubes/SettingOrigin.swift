// SPDX-License-Identifier: GPL-2.0-or-later

/// Whose feature decides a setting.
public enum SettingOrigin: Equatable, Sendable {
    /// The qube's own.
    case own
    /// That of what it starts from, or of what that starts from.
    case template(String)
    /// Dom0's: the default for all.
    case admin
    /// Nobody's: nothing is set.
    case builtIn

    /// The name of the qube that has the feature.
    func owner(of qube: Qube) -> String {
        switch self {
        case .own: qube.name
        case .template(let name): name
        case .admin, .builtIn: Qube.adminName
        }
    }
}

/// What holds, and whose feature says so.
public struct Sourced<Value: Sendable>: Sendable {
    /// What holds.
    public let value: Value
    /// Whose feature says so.
    public let origin: SettingOrigin

    init(_ value: Value, _ origin: SettingOrigin) {
        self.value = value
        self.origin = origin
    }
}

extension Inventory {
    /// The most templates one above the other; it ends a circle, too.
    public static let templateDepth = 8

    /// The value of a feature that counts for a qube, in the order of Qubes' own inherited features
    /// (`check_with_template_and_adminvm`): its own, its template's, dom0's. An empty one counts.
    func counting(
        _ feature: SettingsFeature, of qube: Qube
    ) throws(SettingsError) -> (text: String?, origin: SettingOrigin) {
        let key = feature.rawValue
        if let own = qube.features[key] {
            return (own, qube.kind == Qube.adminKind ? .admin : .own)
        }
        if feature.isInherited {
            var above = qube.template
            for _ in 0..<Self.templateDepth {
                guard let name = above else { break }
                guard let template = self.qube(named: name) else {
                    // What cannot be read may have said to leave it alone.
                    if hasNamelessQube || unreadQubes.contains(name) {
                        throw SettingsError(qube: name, feature: feature, value: nil)
                    }
                    break
                }
                if let text = template.features[key] { return (text, .template(name)) }
                above = template.template
            }
        }
        if hasUnknownDefaults {
            throw SettingsError(qube: Qube.adminName, feature: feature, value: nil)
        }
        guard let text = adminFeatures[key] else { return (nil, .builtIn) }
        return (text, .admin)
    }
}

extension SettingsFeature {
    /// It counts for those that start from a template with it, too.
    var isInherited: Bool {
        switch self {
        case .compress, .skip, .trim: true
        // Which of its groups counts, and how dom0 mounts.
        case .dedupeGroup, .newData: false
        }
    }
}
