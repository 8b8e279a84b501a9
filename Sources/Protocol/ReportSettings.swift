// SPDX-License-Identifier: GPL-2.0-or-later

extension Report {
    /// One setting of a volume: what holds, and whose feature says so.
    public struct Setting: Codable, Equatable, Sendable {
        /// Whose feature says so.
        public enum Origin: Word {
            /// The qube's own.
            case qube
            /// That of the template that it starts from, or of what that starts from.
            case template
            /// Dom0's, which counts for all that say nothing themselves.
            case dom0
            /// Nobody's.
            case byDefault
            /// That of a qube that the caller may not know of.
            case hidden
            /// Of a later release.
            case unknown(String)

            /// Those that this release knows.
            public static let allCases: [Self] = [
                .qube, .template, .dom0, .byDefault, .hidden,
            ]

            /// As it is written.
            public var rawValue: String {
                switch self {
                case .qube: "qube"
                case .template: "template"
                case .dom0: "dom0"
                case .byDefault: "default"
                case .hidden: "hidden"
                case .unknown(let word): word
                }
            }
        }

        /// What holds, as the feature says it; of a dedupe group `alone`, `templates`, `system`, or
        /// `named:NAME`, without a name where the caller may not know it. nil where the feature
        /// that counts means nothing, so that jobs leave the volume alone.
        public var value: String?
        /// Whose feature says so.
        public var origin: Origin
        /// The template that has it.
        public var template: String?

        /// Makes a setting.
        public init(_ value: String?, _ origin: Origin, template: String? = nil) {
            self.value = value
            self.origin = origin
            self.template = template
        }
    }

    /// What features say about a volume.
    public struct Settings: Codable, Equatable, Sendable {
        /// The zstd level of its images: `zstd:9`, or `off`.
        public var compress: Setting
        /// With what it may come to share data.
        public var dedupeGroup: Setting
        /// `1` where jobs leave it alone with every extent it uses, else `0`.
        public var skip: Setting
        /// `1` where the weekly run has the qube trim itself, else `0`; nil where nobody's feature
        /// says so: then it does not.
        public var trim: Setting?

        /// Makes settings.
        public init(
            compress: Setting, dedupeGroup: Setting, skip: Setting, trim: Setting? = nil
        ) {
            self.compress = compress
            self.dedupeGroup = dedupeGroup
            self.skip = skip
            self.trim = trim
        }
    }
}

extension Report.Setting {
    /// A group that is a volume with its own revisions.
    public static let aloneGroup = "alone"
    /// The group of the templates' roots, of those that one qube has made.
    public static let templatesGroup = "templates"
    /// The group of dom0's own files.
    public static let systemGroup = "system"
    /// What begins a group that dom0 has named, and stands alone where the name may not be known.
    public static let namedGroup = "named:"

    /// `zstd:9, by its template deb`.
    public var text: String { text(value) }

    /// As `text`, of a dedupe group.
    public var groupText: String {
        let group: String? =
            switch value {
            case Self.aloneGroup: "itself alone"
            case Self.templatesGroup: "the roots of templates"
            case Self.systemGroup: "dom0's own files"
            case Self.namedGroup: "a named group"
            case .some(let named) where named.hasPrefix(Self.namedGroup):
                "group \(named.dropFirst(Self.namedGroup.count))"
            default: value
            }
        return text(group)
    }

    private func text(_ value: String?) -> String {
        guard let value else { return "not known: what \(source) says cannot be" }
        return origin == .byDefault ? "\(value), the default" : "\(value), by \(source)"
    }

    private var source: String {
        switch origin {
        case .qube: "its own feature"
        case .template: template.map { "its template \($0)" } ?? "its template"
        case .dom0: "dom0"
        case .byDefault: "the default"
        case .hidden: "a qube that you may not see"
        case .unknown(let word): "what this release does not know (\(word))"
        }
    }
}

extension Report.Settings {
    /// A sentence for each setting; where volumes differ, one for those that are alike.
    /// - Parameter volumes: the volumes of one qube.
    public static func sentences(_ volumes: [(name: String, settings: Self)]) -> [String] {
        func sentences(
            _ feature: String, _ setting: (Self) -> Report.Setting?,
            _ text: KeyPath<Report.Setting, String>
        ) -> [String] {
            var alike: [(setting: Report.Setting, names: [String])] = []
            for volume in volumes {
                guard let own = setting(volume.settings) else { continue }
                if let place = alike.firstIndex(where: { $0.setting == own }) {
                    alike[place].names.append(volume.name)
                } else {
                    alike.append((own, [volume.name]))
                }
            }
            return alike.map { part in
                let names = alike.count == 1 ? "" : " of \(part.names.joined(separator: ", "))"
                return "\(feature)\(names): \(part.setting[keyPath: text])"
            }
        }
        return sentences("btrfs.compress", \.compress, \.text)
            + sentences("btrfs.skip", \.skip, \.text)
            + sentences("btrfs.dedupe-group", \.dedupeGroup, \.groupText)
            + sentences("btrfs.trim", \.trim, \.text)
    }
}

extension Report.Qube {
    /// A feature says that the weekly run has it trim itself.
    public var isTrimmedByFeature: Bool {
        volumes.contains { $0.settings?.trim?.value == "1" }
    }
}
