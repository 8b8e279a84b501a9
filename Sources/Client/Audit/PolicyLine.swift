// SPDX-License-Identifier: GPL-2.0-or-later

/// What dom0's policy said to one call of ours, as its daemon writes it to the journal.
struct PolicyLine: Equatable, Sendable {
    /// What policy said.
    enum Verdict: Equatable, Sendable {
        /// It let the call through. The daemon does not say by which rule.
        case allowed
        /// It refused; the reason is the daemon's own, with the rule where there is one.
        case denied(reason: String, rule: String?)
        /// The user was asked and refused.
        case deniedByUser(rule: String?)
        /// It could not be asked: a policy file is broken, or qubesd did not answer.
        case failed(reason: String)
    }

    /// The service, as `btrfs.Report`.
    var service: String
    /// What stands behind its `+`; empty when nothing does.
    var argument: String
    /// The calling qube.
    var caller: String
    /// The target as policy saw it, `@default` for one that does not exist; may be empty.
    var target: String
    /// What policy said.
    var verdict: Verdict

    /// The services of ours begin like this; lines about others are nothing to us.
    static let servicePrefix = "btrfs."

    init(
        service: String, argument: String = "", caller: String, target: String, verdict: Verdict
    ) {
        self.service = service
        self.argument = argument
        self.caller = caller
        self.target = target
        self.verdict = verdict
    }

    /// Reads `qrexec: SERVICE+ARGUMENT: CALLER -> TARGET: VERDICT`; nil when it is no such line, or
    /// one about another service. Denied calls without an argument have no `+`.
    init?(untrusted message: String) {
        var rest = Substring(message)
        guard Self.cut(&rest, after: "qrexec: ") == "", let call = Self.cut(&rest, after: ": "),
            call.hasPrefix(Self.servicePrefix), let caller = Self.cut(&rest, after: " -> "),
            let target = Self.cut(&rest, after: ": "), let verdict = Verdict(untrusted: rest)
        else { return nil }
        let name = call.split(separator: "+", maxSplits: 1, omittingEmptySubsequences: false)
        guard !caller.isEmpty, [name[0], caller, target].allSatisfy(Self.isName),
            name.count == 1 || Self.isName(name[1])
        else { return nil }
        self.init(
            service: String(name[0]), argument: name.count == 2 ? String(name[1]) : "",
            caller: String(caller), target: String(target), verdict: verdict)
    }

    /// Takes what stands before the first `mark`, and the mark with it.
    fileprivate static func cut(_ rest: inout Substring, after mark: String) -> Substring? {
        guard let range = rest.firstRange(of: mark) else { return nil }
        defer { rest = rest[range.upperBound...] }
        return rest[..<range.lowerBound]
    }

    /// qrexec's own character set, with `@` and `:` for keywords, tags and UUIDs.
    private static func isName(_ text: Substring) -> Bool {
        text.utf8.allSatisfy {
            $0.isLetter || $0.isDigit || "_.+-@:".utf8.contains($0)
        }
    }
}

extension PolicyLine.Verdict {
    /// Reads what stands behind the target.
    init?(untrusted text: Substring) {
        if text.hasPrefix("allowed to ") {
            self = .allowed
        } else if let reason = Self.rest(of: text, behind: "denied: ") {
            if let rule = Self.rest(of: reason, behind: "denied by the user") {
                self = .deniedByUser(rule: Self.rule(rule))
            } else {
                let rule = Self.rest(of: reason, behind: "denied by policy").flatMap(Self.rule)
                self = .denied(reason: String(reason), rule: rule)
            }
        } else if text.hasPrefix("error ") {
            self = .failed(reason: String(text))
        } else {
            return nil
        }
    }

    private static func rest(of text: Substring, behind prefix: String) -> Substring? {
        text.hasPrefix(prefix) ? text.dropFirst(prefix.count) : nil
    }

    /// ` FILE:LINE`.
    private static func rule(_ text: Substring) -> String? {
        let parts = text.split(separator: ":")
        guard text.hasPrefix(" /"), parts.count == 2, let line = parts.last,
            !line.isEmpty, line.utf8.allSatisfy(\.isDigit)
        else { return nil }
        return String(text.dropFirst())
    }
}
