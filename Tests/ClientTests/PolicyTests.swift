// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import Protocol
import Testing

@testable import Client

/// `qvm-btrfs policy`: it prints and never calls. HouseTests ask what its lines allow.
@Suite struct PolicyTests {
    @Test func theLinesGoToOutputAndWhereTheyBelongToError() throws {
        let run = try Run(["policy", "mgmt", "--tag", "created-by-mgmt", "--qube", "work"])
        #expect(run.status == .done)
        #expect(run.calls.isEmpty)
        let lines = run.output.split(separator: "\n").map(String.init)
        #expect(lines.contains("admin.vm.List    * mgmt @tag:created-by-mgmt allow target=dom0"))
        #expect(lines.contains("btrfs.Compress   * mgmt work allow target=dom0"))
        #expect(lines.filter { $0.hasPrefix("# mgmt ") }.count == 4)
        let note = run.error.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(note.contains("/etc/qubes/policy.d/30-btrfs.policy"))
        #expect(note.contains("qubes-policy-lint"))
    }

    @Test func asJSONThereAreFileAndLines() throws {
        let run = try Run(["policy", "mgmt", "--all", "--read-only", "--json"])
        #expect(run.output.contains(#""file":"30-btrfs.policy""#))
        #expect(run.output.contains("btrfs.Report     * mgmt @adminvm allow target=dom0"))
        #expect(!run.output.contains("btrfs.Compress"))
        #expect(run.error.isEmpty)
    }

    @Test func aCheckOfTheMachineReadsPolicyAndOneOfAQubeDoesNot() throws {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(
            atPath: folder.path("include"), withIntermediateDirectories: false)
        for (name, text) in [
            ("80-x.policy", "!include-service btrfs.Report * include/ro\n"),
            ("include/ro", "mgmt work allow target=dom0\n"),
        ] { try Data(text.utf8).write(to: URL(filePath: folder.path(name))) }
        let check = try Envelope.answer(CheckReport(checkedAt: 0, findings: [])).encoded()
        let machine = try Run(["check"], [.answer(check)], policyFolders: [folder.path])
        #expect(machine.status == .findings)
        #expect(machine.output.contains("include/ro:1"))
        #expect(machine.output.contains("admin.vm.List * mgmt work allow target=dom0"))
        let qube = try Run(["check", "work"], [.answer(check)], policyFolders: [folder.path])
        #expect(qube.status == .done)
    }

    @Test(arguments: [
        (["mgmt"], "--qube, --tag or --all"), (["dom0", "--all"], "needs no policy"),
        (["mgmt", "--tag", "a b"], "'a b' is invalid for '--tag"),
        (["mgmt", "--qube", "@anyvm"], "is invalid for '--qube"),
        (["--all"], "admin"), (["mgmt", "--all", "--qube", "work"], "Either --all"),
    ])
    func whoNamesNoQubeIsTold(arguments: [String], says: String) throws {
        let run = try Run(["policy"] + arguments)
        #expect(run.status == .usage)
        #expect(run.error.contains(says))
        #expect(run.output.isEmpty)
    }
}
