// SPDX-License-Identifier: GPL-2.0-or-later
import TestSupport
import Testing

@Suite("The policy grammar")
struct PolicyGrammarTests {
    @Test(
        "Good lines are read",
        arguments: [
            "a.B * work dom0 allow",
            "a.B + work @adminvm allow target=dom0",
            "a.B +private mgmt @tag:created-by-mgmt allow target=dom0 user=root autostart=no",
            "* * @anyvm @anyvm deny notify=no",
            "a.B  *\t@type:AppVM  @default ask target=dom0 default_target=dom0",
            "a.B * @dispvm:@tag:x @dispvm allow target=@dispvm:base",
            "a.B * uuid:6f1c0c3e-8d7b-4f0e-9c55-0a4be1a7d2c1 * deny",
            "!include-service a.B * include/x", "!include include/x",
        ])
    func good(line: String) throws {
        _ = try PolicyGrammar.policyLine(line)
    }

    @Test(
        "Broken lines are refused, each for its own reason",
        arguments: [
            ("a.B * work dom0", .fieldCount), ("!include-service a.B include/x", .fieldCount),
            ("!include", .fieldCount), ("!includes x", .directive),
            ("a,B * work dom0 allow", .service), ("a.B private work dom0 allow", .argument),
            ("a.B +a/b work dom0 allow", .argument), ("* +x work dom0 allow", .argument),
            ("a.B * @adminvm work allow", .source), ("a.B * dom0 work allow", .source),
            ("a.B * @tag: work allow", .source), ("a.B * @nothing work allow", .source),
            ("a.B * 1work work allow", .source), ("a.B * $anyvm work allow", .source),
            ("a.B * work @any allow", .target), ("a.B * work dom0 allowed", .action),
            ("a.B * work dom0 allow,target=dom0", .action),
            ("a.B * work dom0 allow target", .parameter("target")),
            ("a.B * work dom0 allow target=@anyvm", .parameter("target=@anyvm")),
            ("a.B * work dom0 allow target=a target=b", .parameter("target=b")),
            ("a.B * work dom0 allow notify=true", .parameter("notify=true")),
            ("a.B * work dom0 deny target=dom0", .parameter("target=dom0")),
            ("a.B * work dom0 allow default_target=x", .parameter("default_target=x")),
            ("a.B * work @default allow", .parameter("target")),
            ("a.B * work dom0 deny # comment", .parameter("#")),
            ("a.B * work dom0 deny\r", .character), ("a.B * work\u{a0}dom0 deny", .character),
            ("a.B * work\u{b}dom0 x deny", .character), ("a.B * w\u{f6}rk dom0 deny", .character),
            ("a.B * @dispvm:1x dom0 deny", .source), ("a.B * @dispvm: dom0 deny", .source),
            ("a.B * uuid:6f1c0c3e8d7b-4f0e-9c55-0a4be1a7d2c1-- dom0 deny", .source),
            ("a.B * uuid:6F1C0C3E-8d7b-4f0e-9c55-0a4be1a7d2c1 dom0 deny", .source),
        ] as [(String, PolicyError)])
    func broken(line: String, error: PolicyError) {
        #expect(throws: error) { try PolicyGrammar.policyLine(line) }
    }

    @Test("A line of an include has no service and no argument")
    func includeLines() throws {
        let rule = try PolicyGrammar.includeLine(
            "work dom0 allow target=dom0", service: "a.B", argument: "*")
        let expected = PolicyRule(
            service: "a.B", argument: "*", source: "work", target: "dom0", action: "allow",
            parameters: ["target": "dom0"])
        #expect(rule == .rule(expected))
        #expect(throws: PolicyError.action) {
            try PolicyGrammar.includeLine(
                "a.B work dom0 allow target=dom0", service: "a.B", argument: "*")
        }
        #expect(throws: PolicyError.directive) {
            try PolicyGrammar.includeLine(
                "!include-service a.B * include/x", service: "a.B", argument: "*")
        }
    }

    @Test("A missing include, an endless one and a bad file name are errors")
    func files() {
        let line = "!include-service a.B * include/x"
        #expect(throws: PolicyError.path("include/x")) { try Policy(files: ["1.policy": line]) }
        #expect(throws: PolicyError.depth) {
            try Policy(files: ["1.policy": line, "include/x": "!include include/x"])
        }
        #expect(throws: PolicyError.path("My.policy")) { try Policy(files: ["My.policy": ""]) }
        #expect(throws: PolicyError.path("80-btrfs")) { try Policy(files: ["80-btrfs": ""]) }
    }

    @Test("The first rule that matches decides, files in the order of their names")
    func evaluation() throws {
        let policy = try Policy(files: [
            "80-b.policy": "a.B * @anyvm @anyvm deny\n!include-service a.C * include/c",
            "30-a.policy": "# comment\n\n  a.B +x mgmt @tag:mine allow target=dom0\n",
            "include/c": "mgmt @adminvm ask target=dom0",
        ])
        let tags = ["work": ["mine"]]
        #expect(
            policy.action("a.B", argument: "x", from: "mgmt", to: "work", tags: tags) == "allow")
        #expect(policy.action("a.B", from: "mgmt", to: "work", tags: tags) == "deny")
        #expect(policy.action("a.B", argument: "x", from: "mgmt", to: "home", tags: tags) == "deny")
        #expect(policy.action("a.C", from: "mgmt", to: "dom0") == "ask")
        #expect(policy.action("a.C", from: "mgmt", to: "work") == nil)
    }
}
