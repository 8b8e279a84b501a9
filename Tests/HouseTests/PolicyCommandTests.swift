// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol
import TestSupport
import Testing

@testable import Client

/// What `qvm-btrfs policy` prints, beside the policy that is shipped, answered as qrexec would.
@Suite("The lines that the client prints for policy")
struct PolicyCommandTests {
    private static let reading: Set<ServiceName> = [.report, .check, .jobList, .jobWatch]
    private let shipped: ShippedPolicyTests
    private static let tags = ["lab": ["created-by-mgmt"]]

    init() throws { shipped = try ShippedPolicyTests() }

    private func text(_ targets: PolicyText.Target..., isReadOnly: Bool = false) throws -> String {
        let admin = try #require(QubeName("mgmt"))
        return PolicyText(admin: admin, targets: targets, isReadOnly: isReadOnly).text
    }

    private func policy(_ text: String) throws -> Policy {
        try Policy(files: shipped.files.merging([PolicyText.file: text]) { $1 })
    }

    /// Who may call what about whom, by the printed lines and the shipped policy.
    private func allowed(_ text: String, from source: String = "mgmt") throws -> [String: Set<
        String
    >] {
        let policy = try policy(text)
        let services = ServiceName.allCases.map(\.rawValue) + [PolicyText.visibility]
        return ["lab", "work", "dom0"].reduce(into: [:]) { found, target in
            found[target] = Set(
                services.filter {
                    policy.action($0, from: source, to: target, tags: Self.tags) == "allow"
                })
        }
    }

    /// All but what a trim alone needs.
    private static let all = Set(ServiceName.allCases.map(\.rawValue) + [PolicyText.visibility])
        .subtracting([ServiceName.jobHold.rawValue])
    /// What new images inherit is a matter of one qube.
    private static let machine = all.subtracting([ServiceName.newData.rawValue])
    private static let list: Set<String> = [ServiceName.jobList.rawValue]

    @Test("For a tag: everything on its qubes, the list of jobs, and nothing else")
    func tag() throws {
        let found = try allowed(text(.tag(try #require(TagName("created-by-mgmt")))))
        #expect(found == ["lab": Self.all, "work": [], "dom0": Self.list])
    }

    @Test("For a qube: the same on that one")
    func qube() throws {
        let found = try allowed(text(.qube(try #require(QubeName("work")))))
        #expect(found == ["lab": [], "work": Self.all, "dom0": Self.list])
    }

    @Test("For a qube called dom0: the machine, and no qube by name")
    func machine() throws {
        let text = try text(.qube(try #require(QubeName("dom0"))))
        #expect(!text.contains(" dom0 allow") && text.contains(" @adminvm allow"))
        #expect(try allowed(text) == ["lab": [], "work": [], "dom0": Self.machine])
        let lines = text.split(separator: "\n")
        #expect(Set(lines).count == lines.count)
    }

    @Test("For all: every qube by name, and the machine")
    func all() throws {
        let found = try allowed(text(.all))
        #expect(found == ["lab": Self.all, "work": Self.all, "dom0": Self.machine])
    }

    @Test("Read-only: no job can be started or ended")
    func readOnly() throws {
        let found = try allowed(text(.all, isReadOnly: true))
        let reading = Set(Self.reading.map(\.rawValue) + [PolicyText.visibility])
        #expect(found == ["lab": reading, "work": reading, "dom0": reading])
    }

    @Test("For a trim: two commands as root, where the qube runs, and nothing else as root")
    func trim() throws {
        let admin = try #require(QubeName("mgmt"))
        let targets: [PolicyText.Target] = [.tag(try #require(TagName("created-by-mgmt")))]
        let text = PolicyText(admin: admin, targets: targets, isReadOnly: false, isTrim: true).text
        let policy = try policy(text)
        func action(_ argument: String, from source: String = "mgmt", to target: String) -> String?
        {
            policy.action(
                "qubes.VMRootExec", argument: argument, from: source, to: target, tags: Self.tags)
        }
        for argument in ["env+fstrim+-2F", "env+fstrim+-2Frw"] {
            #expect(action(argument, to: "lab") == "allow")
            #expect(action(argument, to: "work") == nil)
            #expect(action(argument, from: "other", to: "lab") == nil)
        }
        for argument in ["", "env", "env+fstrim", "env+fstrim+-2Fhome", "fstrim+-2F", "sh"] {
            #expect(action(argument, to: "lab") == nil)
        }
        // A call must start nothing by itself.
        let lines = Policy.rulesOf(text).filter { $0.hasPrefix("qubes.") }
        #expect(lines.count == 2 && lines.allSatisfy { $0.hasSuffix(" allow autostart=no") })
        #expect(Policy.rulesOf(text).allSatisfy { $0.utf8.count <= 100 })
        for method in ["admin.vm.Start", "admin.vm.Shutdown"] {
            #expect(policy.action(method, from: "mgmt", to: "lab", tags: Self.tags) == "allow")
            #expect(policy.action(method, from: "mgmt", to: "work", tags: Self.tags) == nil)
        }
        // What has jobs hold meanwhile takes no argument, and is about qubes alone.
        let hold = ServiceName.jobHold.rawValue
        for (target, action) in [("lab", "allow"), ("work", "deny"), ("dom0", "deny")] {
            #expect(policy.action(hold, from: "mgmt", to: target, tags: Self.tags) == action)
        }
        #expect(
            policy.action(hold, argument: "root", from: "mgmt", to: "lab", tags: Self.tags)
                == "deny")
        #expect(
            policy.action(
                "admin.vm.Shutdown", argument: "force", from: "mgmt", to: "lab", tags: Self.tags)
                == nil)
        // None of that is part of the other lines.
        let others = try self.text(.all)
        #expect(!others.contains("qubes.") && !others.contains("admin.vm.S"))
        #expect(!others.contains(hold))
    }

    @Test("Nobody else is let in by it, and every line is one that is sent to dom0")
    func others() throws {
        let text = try text(.all)
        #expect(try allowed(text, from: "other") == ["lab": [], "work": [], "dom0": []])
        for line in Policy.rulesOf(text) { #expect(line.hasSuffix("allow target=dom0")) }
        #expect(text.split(separator: "\n").allSatisfy { $0.utf8.count <= 80 })
    }
}
