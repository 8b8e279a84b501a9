// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
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
        let tags = ["lab": ["created-by-mgmt"], "bad": ["untrusted-admin"]]
        func action(
            _ service: ServiceName, _ argument: String, from source: String, to target: String
        ) -> String? {
            policy.action(
                service.rawValue, argument: argument, from: source, to: target, tags: tags)
        }
        #expect(action(.report, "", from: "mgmt", to: "dom0") == "allow")
        #expect(action(.report, "", from: "mgmt", to: "work") == "deny")
        #expect(action(.compress, "", from: "mgmt", to: "lab") == "allow")
        #expect(action(.compress, "private", from: "mgmt", to: "work") == "allow")
        #expect(action(.compress, "root", from: "mgmt", to: "work") == "deny")
        #expect(action(.compress, "", from: "mgmt", to: "work") == "deny")
        #expect(action(.dedupe, "", from: "mgmt", to: "dom0") == "ask")
        #expect(action(.dedupe, "", from: "bad", to: "dom0") == "deny")
        #expect(action(.jobCancel, "0123", from: "mgmt", to: "dom0") == "allow")
        #expect(action(.jobCancel, "0123", from: "mgmt", to: "work") == "deny")
    }
}
