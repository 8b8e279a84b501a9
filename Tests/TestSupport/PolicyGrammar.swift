// SPDX-License-Identifier: GPL-2.0-or-later
/// A rule of a qrexec policy.
public struct PolicyRule: Equatable, Sendable {
    /// The service, or `*`.
    public var service: String
    /// The argument with its `+`, or `*`.
    public var argument: String
    /// Who calls.
    public var source: String
    /// Whom it calls.
    public var target: String
    /// What happens.
    public var action: String
    /// How.
    public var parameters: [String: String]

    /// A rule of these parts.
    public init(
        service: String, argument: String, source: String, target: String, action: String,
        parameters: [String: String]
    ) {
        self.service = service
        self.argument = argument
        self.source = source
        self.target = target
        self.action = action
        self.parameters = parameters
    }
}

/// A line of a policy file, or of a file that `!include-service` names.
public enum PolicyLine: Equatable, Sendable {
    /// A rule.
    case rule(PolicyRule)
    /// Another file in its place.
    case include(String)
    /// A file of rules for one service.
    case includeService(service: String, argument: String, path: String)
}

/// Why a line is wrong. One such line anywhere makes qrexec refuse every call.
public enum PolicyError: Error, Equatable {
    /// What of it.
    case fieldCount, directive, service, argument, source, target, action
    /// A parameter of a rule.
    case parameter(String)
    /// A file's name, or one that is not there.
    case path(String)
    /// Too many includes, one within the other.
    case depth
    /// A byte that is neither printable ASCII nor a tab: readers of lines differ in what ends one.
    case character
}

/// The policy grammar of Qubes 4.2 to 4.4, held to what is good in all of them.
public enum PolicyGrammar {
    /// Reads a line of a `*.policy` file that is neither empty nor a comment.
    public static func policyLine(_ line: String) throws(PolicyError) -> PolicyLine {
        let fields = try split(line)
        if fields.first?.hasPrefix("!") == true { return try directive(fields) }
        guard fields.count >= 5 else { throw .fieldCount }
        let service = try service(fields[0], argument: fields[1])
        return .rule(try rule(service: service, Array(fields.dropFirst(2))))
    }

    /// Reads a line of an included-service file, for a service and an argument: the first two
    /// columns are not written there, and of the directives only `!include` is known.
    public static func includeLine(
        _ line: String, service: String, argument: String
    ) throws(PolicyError) -> PolicyLine {
        let fields = try split(line)
        if fields.first?.hasPrefix("!") == true {
            guard fields[0] == "!include" else { throw .directive }
            return try directive(fields)
        }
        guard fields.count >= 3 else { throw .fieldCount }
        return .rule(try rule(service: try self.service(service, argument: argument), fields))
    }

    private static func split(_ line: String) throws(PolicyError) -> [String] {
        guard line.utf8.allSatisfy({ (0x20...0x7e).contains($0) || $0 == 0x09 }) else {
            throw .character
        }
        return line.split { $0 == " " || $0 == "\t" }.map(String.init)
    }

    private static func directive(_ fields: [String]) throws(PolicyError) -> PolicyLine {
        switch fields[0] {
        case "!include":
            guard fields.count == 2 else { throw .fieldCount }
            return .include(fields[1])
        case "!include-service":
            guard fields.count == 4 else { throw .fieldCount }
            let (service, argument) = try service(fields[1], argument: fields[2])
            return .includeService(service: service, argument: argument, path: fields[3])
        default: throw .directive
        }
    }

    private static func service(
        _ service: String, argument: String
    ) throws(PolicyError) -> (service: String, argument: String) {
        if service == "*" {
            guard argument == "*" else { throw .argument }
            return (service, argument)
        }
        guard consists(service, of: "_.-"), service.utf8.count <= 64 else { throw .service }
        guard argument == "*" || argument.hasPrefix("+") && consists(argument, of: "_.-+")
        else { throw .argument }
        return (service, argument)
    }

    private static func rule(
        service: (service: String, argument: String), _ fields: [String]
    ) throws(PolicyError) -> PolicyRule {
        guard isSource(fields[0]) else { throw .source }
        guard isTarget(fields[1]) else { throw .target }
        let parameters = try parameters(Array(fields.dropFirst(3)), action: fields[2])
        if fields[1] == "@default", fields[2] == "allow", parameters["target"] == nil {
            throw .parameter("target")
        }
        return PolicyRule(
            service: service.service, argument: service.argument, source: fields[0],
            target: fields[1], action: fields[2], parameters: parameters)
    }

    private static func parameters(
        _ fields: [String], action: String
    ) throws(PolicyError) -> [String: String] {
        let known: [String: Set<String>] = [
            "allow": ["target", "user", "notify", "autostart"],
            "ask": ["target", "user", "notify", "autostart", "default_target"],
            "deny": ["notify"],
        ]
        guard let permitted = known[action] else { throw .action }
        var parameters: [String: String] = [:]
        for field in fields {
            let pair = field.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let (key, value) = (String(pair[0]), pair.count == 2 ? String(pair[1]) : "")
            guard permitted.contains(key), parameters[key] == nil, !value.isEmpty
            else { throw .parameter(field) }
            let isGood =
                switch key {
                case "notify", "autostart": value == "yes" || value == "no"
                case "target", "default_target": isRedirect(value)
                default: consists(value, of: "_.-")
                }
            guard isGood else { throw .parameter(field) }
            parameters[key] = value
        }
        return parameters
    }

    /// A call from dom0 never meets a policy, so dom0 as a source is a mistake.
    private static func isSource(_ token: String) -> Bool {
        if token == "*" || token == "@anyvm" { return true }
        for prefix in ["@tag:", "@type:", "@dispvm:@tag:"] where token.hasPrefix(prefix) {
            return consists(String(token.dropFirst(prefix.count)), of: "_.-")
        }
        if token.hasPrefix("@dispvm:") { return isName(String(token.dropFirst("@dispvm:".count))) }
        return isName(token) && token != "dom0"
    }

    private static func isTarget(_ token: String) -> Bool {
        ["@adminvm", "@default", "@dispvm", "dom0"].contains(token) || isSource(token)
    }

    private static func isRedirect(_ token: String) -> Bool {
        if ["@adminvm", "@dispvm", "dom0"].contains(token) || isName(token) { return true }
        return token.hasPrefix("@dispvm:") && isName(String(token.dropFirst("@dispvm:".count)))
    }

    private static func isName(_ token: String) -> Bool {
        if token.hasPrefix("uuid:") {
            let groups = token.dropFirst("uuid:".count)
                .split(separator: "-", omittingEmptySubsequences: false)
            return groups.map(\.utf8.count) == [8, 4, 4, 4, 12]
                && groups.joined().utf8.allSatisfy { "0123456789abcdef".utf8.contains($0) }
        }
        guard let first = token.first, first.isASCII, first.isLetter, token.count <= 31
        else { return false }
        return consists(token, of: "_.-")
    }

    /// At least one character, and each an ASCII letter, a digit or one of `others`.
    private static func consists(_ text: String, of others: String) -> Bool {
        !text.isEmpty
            && text.allSatisfy {
                $0.isASCII && ($0.isLetter || $0.isNumber) || others.contains($0)
            }
    }

    /// Whether qrexec reads a file of this name in `policy.d`; another name that ends in `.policy`
    /// makes it refuse every call.
    public static func isFileName(_ name: String) -> Bool {
        name.hasSuffix(".policy") && !name.hasPrefix(".")
            && name.allSatisfy {
                $0.isASCII && ($0.isNumber || $0.isLowercase) || "_.-".contains($0)
            }
    }
}
