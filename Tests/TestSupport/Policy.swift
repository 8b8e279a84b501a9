// SPDX-License-Identifier: GPL-2.0-or-later
/// A policy as qrexec sees it: every rule in order, includes opened.
public struct Policy: Sendable {
    /// Files by their path below `policy.d`.
    public var files: [String: String]
    /// The rules, first match first.
    public private(set) var rules: [PolicyRule] = []

    /// How deep includes may go.
    private static let includeDepth = 8

    /// Reads every `*.policy` of `files`, in the order of their names.
    public init(files: [String: String]) throws(PolicyError) {
        self.files = files
        for name in files.keys.filter({ !$0.contains("/") }).sorted() {
            guard PolicyGrammar.isFileName(name) else { throw .path(name) }
            for line in Self.rulesOf(files[name, default: ""]) {
                try add(try PolicyGrammar.policyLine(line))
            }
        }
    }

    private mutating func add(_ line: PolicyLine) throws(PolicyError) {
        switch line {
        case .rule(let rule): rules.append(rule)
        case .include(let path): throw .path(path)
        case .includeService(let service, let argument, let path):
            try include(path, service: service, argument: argument, depth: 1)
        }
    }

    private mutating func include(
        _ path: String, service: String, argument: String, depth: Int
    ) throws(PolicyError) {
        guard depth <= Self.includeDepth else { throw .depth }
        guard let text = files[path] else { throw .path(path) }
        for line in Self.rulesOf(text) {
            switch try PolicyGrammar.includeLine(line, service: service, argument: argument) {
            case .rule(let rule): rules.append(rule)
            case .include(let path), .includeService(_, _, let path):
                try include(path, service: service, argument: argument, depth: depth + 1)
            }
        }
    }

    /// The lines that are neither empty nor comments.
    public static func rulesOf(_ text: String) -> [String] {
        lines(text).map { $0.trimming { " \t\r".contains($0) } }
            .filter { !$0.isEmpty && !$0.hasPrefix("#") }
    }

    /// The lines that wait to be copied: one `#` and then the rule. Prose has two.
    public static func examplesOf(_ text: String) -> [String] {
        lines(text).filter { $0.hasPrefix("#") && !$0.hasPrefix("##") }
            .map { String($0.dropFirst()) }
    }

    /// What happens to a call; nil when no rule matches, which is a refusal. Tags by qube.
    public func action(
        _ service: String, argument: String = "", from source: String, to target: String,
        tags: [String: [String]] = [:]
    ) -> String? {
        func isMatch(_ token: String, _ qube: String) -> Bool {
            switch token {
            case "*": true
            case "@anyvm": qube != "dom0"
            case "@adminvm": qube == "dom0"
            case qube: true
            default: tags[qube, default: []].contains { token == "@tag:\($0)" }
            }
        }
        return rules.first {
            ($0.service == "*" || $0.service == service)
                && ($0.argument == "*" || $0.argument == "+\(argument)")
                && isMatch($0.source, source) && isMatch($0.target, target)
        }?.action
    }

    private static func lines(_ text: String) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }
}

extension String {
    fileprivate func trimming(_ isTrimmed: (Character) -> Bool) -> String {
        let start = drop(while: isTrimmed)
        let end = start.reversed().prefix(while: isTrimmed).count
        return String(start.dropLast(end))
    }
}
