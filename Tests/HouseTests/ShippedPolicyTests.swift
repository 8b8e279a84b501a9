// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import TestSupport
import Testing

@Suite("The policy that is shipped")
struct ShippedPolicyTests {
    static let reading: Set<ServiceName> = [.report, .check, .jobList, .jobWatch]
    static let includes = ["include/btrfs-ro", "include/btrfs-rwx"]

    /// The files below `policy`, by their path below `policy.d`.
    let files: [String: String]

    init() throws {
        files = try Dictionary(
            uniqueKeysWithValues: Checkout.files(under: "policy").map {
                (String($0.dropFirst("policy/".count)), try Checkout.text($0))
            })
    }

    /// The shipped policy with lines added to some of its files.
    func policy(adding lines: [String: String]) throws -> Policy {
        try Policy(files: files.merging(lines) { $0 + $1 + "\n" })
    }

    @Test("Its files are those that are installed, and each of them parses")
    func parses() throws {
        #expect(Set(files.keys) == Set(["80-btrfs.policy"] + Self.includes))
        #expect(try !Policy(files: files).rules.isEmpty)
    }

    @Test("As shipped nobody is allowed anything, and every service says so itself")
    func deniesByDefault() throws {
        let policy = try Policy(files: files)
        #expect(policy.rules.allSatisfy { $0.action == "deny" && $0.service != "*" })
        for service in ServiceName.allCases {
            for target in ["dom0", "work", "@default"] {
                #expect(
                    policy.action(service.rawValue, from: "mgmt", to: target) == "deny",
                    "\(service.rawValue) to \(target)")
            }
        }
    }

    @Test("It names every service and no other")
    func services() throws {
        let named = Set(try Policy(files: files).rules.map(\.service))
        #expect(named == Set(ServiceName.allCases.map(\.rawValue)))
    }

    @Test("A line in the reading include allows reading and nothing else")
    func reading() throws {
        let policy = try policy(adding: ["include/btrfs-ro": "mgmt @anyvm allow target=dom0"])
        for service in ServiceName.allCases {
            let expected = Self.reading.contains(service) ? "allow" : "deny"
            #expect(policy.action(service.rawValue, from: "mgmt", to: "work") == expected)
            #expect(policy.action(service.rawValue, from: "mgmt", to: "dom0") == "deny")
            #expect(policy.action(service.rawValue, from: "other", to: "work") == "deny")
        }
    }

    @Test("A line in the changing include allows reading as well")
    func changing() throws {
        let policy = try policy(adding: ["include/btrfs-rwx": "mgmt work allow target=dom0"])
        for service in ServiceName.allCases {
            #expect(policy.action(service.rawValue, from: "mgmt", to: "work") == "allow")
            #expect(policy.action(service.rawValue, from: "mgmt", to: "home") == "deny")
        }
    }

    @Test("Every comment is prose with two signs, or an example that can be used as it stands")
    func examples() throws {
        var count = 0
        for (name, text) in files {
            for example in Policy.examplesOf(text) {
                let line =
                    Self.includes.contains(name)
                    ? try PolicyGrammar.includeLine(example, service: "a.B", argument: "*")
                    : try PolicyGrammar.policyLine(example)
                guard case .rule(let rule) = line else {
                    Issue.record("\(name): \(example)")
                    continue
                }
                count += 1
                // Without it qrexec would look for the service in the qube that is named.
                let isSent = rule.action == "deny" || rule.parameters["target"] == "dom0"
                #expect(isSent, "\(name): \(example)")
                // Qubes 4.2 refuses a call when both are given.
                #expect(rule.parameters["default_target"] == nil, "\(name): \(example)")
            }
        }
        #expect(count >= 10)
    }

    @Test("The examples, copied into a file of the user's, do what the text beside them says")
    func examplesWork() throws {
        let text = try #require(files["80-btrfs.policy"])
        let lines = Policy.examplesOf(text).joined(separator: "\n") + "\n"
        let policy = try policy(adding: ["30-btrfs.policy": lines])
        let tags = ["lab": ["created-by-mgmt"]]
        func action(
            _ service: ServiceName, _ argument: String, from source: String, to target: String
        ) -> String? {
            policy.action(
                service.rawValue, argument: argument, from: source, to: target, tags: tags)
        }
        #expect(action(.report, "", from: "mgmt", to: "dom0") == "allow")
        #expect(action(.report, "", from: "mgmt", to: "work") == "deny")
        for service in [ServiceName.compress, .jobWatch, .jobCancel] {
            #expect(action(service, "", from: "mgmt", to: "lab") == "allow")
        }
        #expect(action(.compress, "private", from: "mgmt", to: "work") == "allow")
        #expect(action(.compress, "root", from: "mgmt", to: "work") == "deny")
        #expect(action(.compress, "", from: "mgmt", to: "work") == "deny")
        #expect(action(.dedupe, "", from: "mgmt", to: "dom0") == "ask")
        #expect(action(.jobCancel, "0123", from: "mgmt", to: "dom0") == "allow")
        #expect(action(.jobCancel, "0123", from: "mgmt", to: "work") == "deny")
    }

    @Test("Whoever is allowed something in an example is shown what it is about")
    func examplesAreSeen() throws {
        let rules = try Policy.examplesOf(try #require(files["80-btrfs.policy"])).map {
            guard case .rule(let rule) = try PolicyGrammar.policyLine($0) else {
                throw PolicyError.directive
            }
            return rule
        }
        let seen = Set(
            rules.filter { $0.service == "admin.vm.List" }.map { "\($0.source) \($0.target)" })
        for rule in rules where rule.action != "deny" {
            #expect(seen.contains("\(rule.source) \(rule.target)"), "\(rule)")
        }
        for name in Self.includes {
            #expect(try #require(files[name]).contains("admin.vm.List"), "\(name)")
        }
    }

    @Test("The lines that refuse a qube everything refuse it every service there is")
    func denial() throws {
        let text = try #require(files["include/btrfs-rwx"])
        let lines = Policy.examplesOf(text).filter { $0.contains("deny") }
        #expect(lines.count == 2)
        var files = files
        // First, as the text beside them says; then everything is allowed.
        files["include/btrfs-rwx"] =
            lines.joined(separator: "\n") + "\n@anyvm * allow target=dom0\n"
        let policy = try Policy(files: files)
        for service in ServiceName.allCases {
            for target in ["dom0", "work", "@default"] {
                func action(_ tags: [String: [String]]) -> String? {
                    policy.action(service.rawValue, from: "bad", to: target, tags: tags)
                }
                #expect(action(["bad": ["untrusted-admin"]]) == "deny", "\(service)")
                #expect(action([:]) == "allow", "\(service)")
            }
        }
    }

    @Test("No refusal shows a notification: a qube may be refused as often as it likes")
    func quiet() throws {
        for (name, text) in files {
            let lines = (Policy.rulesOf(text) + Policy.examplesOf(text)).filter {
                $0.contains(" deny")
            }
            for line in lines { #expect(line.hasSuffix("deny notify=no"), "\(name): \(line)") }
        }
    }

    @Test("What is said of services in the includes and in the documents is said of each of them")
    func lists() throws {
        func named(_ text: String) -> Set<String> {
            Set(text.matches(of: #/btrfs\.(?:job\.)?[A-Z][A-Za-z]+/#).map { String($0.output) })
        }
        let all = Set(ServiceName.allCases.map(\.rawValue))
        let reading = Set(Self.reading.map(\.rawValue))
        #expect(named(try #require(files["include/btrfs-ro"])) == reading)
        #expect(named(try #require(files["include/btrfs-rwx"])) == all.subtracting(reading))
        for document in ["docs/protocol.md", "docs/client.md"] {
            let table = try Checkout.lines(document).filter { $0.hasPrefix("|") }
            #expect(named(table.joined(separator: "\n")) == all, "\(document)")
        }
    }
}
