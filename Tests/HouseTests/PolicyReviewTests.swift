// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import TestSupport
import Testing

@testable import Client

/// What `qvm-btrfs check` says of policy in dom0, beside the policy that is shipped: each sentence
/// is put to the evaluator, which answers as qrexec would.
@Suite("What a check says of policy")
struct PolicyReviewTests {
    private let shipped: ShippedPolicyTests

    init() throws { shipped = try ShippedPolicyTests() }

    private func findings(_ files: [String: String]) -> [String: [CheckReport.Finding]] {
        let all = shipped.files.merging(files) { $1 }
        return Dictionary(grouping: PolicyReview(PolicyRules(all)).findings, by: \.topic)
    }

    private func action(
        _ files: [String: String], _ service: String, from source: String, to target: String
    ) throws -> String? {
        try Policy(files: shipped.files.merging(files) { $1 })
            .action(service, from: source, to: target)
    }

    @Test("As shipped nobody may call, and nothing is wrong")
    func shippedAlone() throws {
        let found = findings([:])
        #expect(Array(found.keys) == ["policy"])
        #expect(found["policy"]?.first?.message.contains("lets no qube call") == true)
    }

    @Test("What the client prints is in order")
    func printed() throws {
        let admin = try #require(QubeName("mgmt"))
        for target in [
            PolicyText.Target.all, .tag(try #require(TagName("x"))),
            .qube(try #require(QubeName("work"))),
        ] {
            let text = PolicyText(admin: admin, targets: [target], isReadOnly: false).text
            let found = findings([PolicyText.file: text])
            #expect(Array(found.keys) == ["policy"], "\(found)")
        }
    }

    @Test("A caller that sees no qube is named, with the line that is missing")
    func unseen() throws {
        let files = ["30-btrfs.policy": "btrfs.Report * mgmt work allow target=dom0\n"]
        let finding = try #require(findings(files)["policy.unseen"]?.first)
        #expect(finding.message.contains("30-btrfs.policy:1"))
        let line = try #require(finding.command)
        #expect(try action(files, "admin.vm.List", from: "mgmt", to: "work") != "allow")
        let mended = ["30-btrfs.policy": files["30-btrfs.policy", default: ""] + line + "\n"]
        #expect(findings(mended)["policy.unseen"] == nil)
        #expect(try action(mended, "admin.vm.List", from: "mgmt", to: "work") == "allow")
    }

    @Test("To be asked is not to be shown, and a denial before counts")
    func asked() {
        let report = "btrfs.Report * mgmt work allow target=dom0\n"
        let asks = report + "admin.vm.List * mgmt work ask target=dom0\n"
        #expect(findings(["30-btrfs.policy": asks])["policy.unseen"]?.count == 1)
        let late = report + "admin.vm.List * mgmt work allow target=dom0\n"
        #expect(
            findings([
                "30-btrfs.policy": late, "10-no.policy": "admin.vm.List * mgmt @anyvm deny\n",
            ])["policy.unseen"]?.count == 1)
    }

    @Test("Who may ask about the machine has to see some qube")
    func machine() {
        let report = "btrfs.Report * mgmt @adminvm allow target=dom0\n"
        #expect(findings(["30-btrfs.policy": report])["policy.unseen"]?.count == 1)
        let list = report + "admin.vm.List * mgmt work allow target=dom0\n"
        #expect(findings(["30-btrfs.policy": list])["policy.unseen"] == nil)
    }

    @Test("A line behind the shipped denials never decides")
    func behind() throws {
        let files = ["90-mine.policy": "btrfs.Compress * mgmt work allow target=dom0\n"]
        let finding = try #require(findings(files)["policy.shadowed"]?.first)
        #expect(finding.message.contains("90-mine.policy:1"))
        #expect(finding.message.contains("80-btrfs.policy:"))
        #expect(finding.command?.contains("30-btrfs.policy") == true)
        #expect(try action(files, "btrfs.Compress", from: "mgmt", to: "work") == "deny")
    }

    @Test("A denial before it shadows a line, one of a part of it does not")
    func before() throws {
        let allow = "btrfs.Compress * mgmt @anyvm allow target=dom0\n"
        for (earlier, isShadowed) in [
            ("* * @anyvm @anyvm deny\n", true), ("btrfs.Compress * mgmt work deny\n", false),
            ("btrfs.Compress +private mgmt @anyvm deny\n", false),
            ("btrfs.Compress * * * deny\n", true), ("btrfs.Compress * @anyvm dom0 deny\n", false),
        ] {
            let files = ["30-btrfs.policy": allow, "20-first.policy": earlier]
            #expect((findings(files)["policy.shadowed"] != nil) == isShadowed, "\(earlier)")
            #expect(
                (try action(files, "btrfs.Compress", from: "mgmt", to: "other") == "deny")
                    == isShadowed)
        }
    }

    @Test("A line in an include is named by its own place, and one that stands twice as such")
    func include() {
        let found = findings(["include/btrfs-ro": "mgmt work allow target=dom0\n"])
        let unseen = found["policy.unseen"] ?? []
        #expect(unseen.count == 1)
        #expect(unseen.first?.message.contains("include/btrfs-ro:1") == true)
        let line = "btrfs.Report * mgmt work allow target=dom0\n"
        #expect(findings(["30-btrfs.policy": line + line])["policy.twice"]?.count == 1)
    }

    @Test("To be asked before is not what a line says that allows")
    func askedBefore() {
        let rest = "btrfs.Report * mgmt work allow target=dom0\n"
        let found = findings([
            "30-btrfs.policy": "btrfs.Report * mgmt @anyvm ask target=dom0\n" + rest
        ])
        #expect(found["policy.shadowed"]?.count == 1)
        #expect(found["policy.twice"] == nil)
    }

    @Test("admin.vm.List without an argument is shown as well")
    func plus() throws {
        let files = [
            "30-btrfs.policy": "btrfs.Report * mgmt work allow target=dom0\n"
                + "admin.vm.List + mgmt work allow target=dom0\n"
        ]
        #expect(findings(files)["policy.unseen"] == nil)
        #expect(try action(files, "admin.vm.List", from: "mgmt", to: "work") == "allow")
    }

    @Test("A line without target=dom0 sends the call astray")
    func astray() {
        let found = findings(["30-btrfs.policy": "btrfs.Report * mgmt work allow\n"])
        #expect(found["policy.target"]?.first?.level == .problem)
    }

    @Test("Each block of lines in the documents is in order beside the shipped policy")
    func documents() throws {
        var count = 0
        for document in LinkTests.documents {
            // Every other part between fences is code.
            let parts = try Checkout.text(document).components(separatedBy: "```")
            for (index, part) in parts.enumerated() where index % 2 == 1 {
                let lines = linesOf(part).filter {
                    $0.hasPrefix("btrfs.") || $0.hasPrefix("admin.vm.List")
                }
                guard lines.contains(where: { $0.contains(" allow ") }) else { continue }
                count += 1
                let text = lines.joined(separator: "\n") + "\n"
                let found = findings([PolicyText.file: text])
                #expect(Array(found.keys) == ["policy"], "\(document): \(found)")
                let policy = try Policy(
                    files: shipped.files.merging([PolicyText.file: text]) { $1 })
                for line in lines {
                    guard case .rule(let rule) = try PolicyGrammar.policyLine(line) else {
                        continue
                    }
                    #expect(
                        policy.action(rule.service, from: rule.source, to: rule.target)
                            == rule.action, "\(document): \(line)")
                }
            }
        }
        #expect(count > 0)
    }
}
