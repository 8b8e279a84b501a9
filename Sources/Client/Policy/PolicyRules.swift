// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// The rules of qrexec's policy in their order, read leniently and from text alone: which word
/// stands for which qubes is not looked up, and a line that cannot be read is passed over.
/// `qubes-policy-lint` says which lines are wrong.
struct PolicyRules: Equatable, Sendable {
    /// One rule, and where it stands.
    struct Rule: Equatable, Sendable {
        let service: String
        /// With its `+`, or `*`.
        let argument: String
        let source: String
        let target: String
        let action: String
        /// It sends the call to dom0, whatever target was named.
        let goesToDom0: Bool
        /// `30-btrfs.policy:12`.
        let place: String

        /// For people: as far as it decides.
        var text: String { "\(service) \(argument) \(source) \(target) \(action)" }

        /// It lets calls through, asking somebody or not.
        var lets: Bool { action == "allow" || action == "ask" }

        /// Every call that the other one is about is one that it is about.
        func covers(_ other: Rule) -> Bool {
            (service == "*" || service == other.service)
                && (argument == "*" || argument == other.argument)
                && Self.covers(source, other.source) && Self.covers(target, other.target)
        }

        /// `@anyvm` is all but dom0; `*` is all.
        static func covers(_ token: String, _ other: String) -> Bool {
            if token == other || token == "*" { return true }
            let isDom0 = ["dom0", "@adminvm"].contains(other)
            if ["dom0", "@adminvm"].contains(token) { return isDom0 }
            return token == "@anyvm" && !isDom0 && other != "*"
        }
    }

    /// The first one decides.
    private(set) var rules: [Rule] = []

    /// How deep includes may go.
    private static let includeDepth = 8
    private let files: [String: String]

    /// - Parameter files: texts by their paths below `policy.d`: `30-btrfs.policy`,
    ///   `include/btrfs-ro`.
    init(_ files: [String: String]) {
        self.files = files
        let names = files.keys.filter { !$0.contains("/") && $0.hasSuffix(".policy") }.sorted()
        for name in names { read(name, service: nil, depth: 0) }
    }

    /// - Parameter service: the first two columns, where the file does not have them.
    private mutating func read(
        _ name: String, service: (name: Substring, argument: Substring)?, depth: Int
    ) {
        guard depth <= Self.includeDepth, let text = files[name] else { return }
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false)
            .enumerated()
        {
            var fields = line.split(whereSeparator: \.isWhitespace)
            guard let first = fields.first, !first.hasPrefix("#") else { continue }
            switch (first, fields.count) {
            case ("!include", 2):
                read(String(fields[1]), service: service, depth: depth + 1)
            case ("!include-service", 4):
                read(String(fields[3]), service: (fields[1], fields[2]), depth: depth + 1)
            case ("!include-dir", 2):
                for file in files.keys.sorted() where file.hasPrefix("\(fields[1])/") {
                    read(file, service: service, depth: depth + 1)
                }
            default:
                if let service { fields = [service.name, service.argument] + fields }
                guard fields.count >= 5, !first.hasPrefix("!") else { continue }
                add(fields, place: "\(name):\(index + 1)")
            }
        }
    }

    private mutating func add(_ fields: [Substring], place: String) {
        let parameters = fields.dropFirst(5)
        rules.append(
            Rule(
                service: String(fields[0]), argument: String(fields[1]), source: String(fields[2]),
                target: String(fields[3]), action: String(fields[4]),
                goesToDom0: parameters.contains("target=dom0")
                    || parameters.contains("target=@adminvm"), place: place))
    }

    /// The rule that decides a call on each of which this rule would say the same; nil where none
    /// does, or only for some of them.
    func first(_ service: String, from source: String, to target: String) -> Rule? {
        rules.first {
            // The calls that this is asked for have no argument, which policy writes as `+`.
            ($0.service == "*" || $0.service == service) && ["*", "+"].contains($0.argument)
                && Rule.covers($0.source, source) && Rule.covers($0.target, target)
        }
    }
}
