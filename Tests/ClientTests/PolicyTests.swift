// SPDX-License-Identifier: GPL-2.0-or-later
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

    @Test(arguments: [
        (["mgmt"], "--qube, --tag or --all"), (["dom0", "--all"], "needs no policy"),
        (["mgmt", "--tag", "a b"], "'a b' is invalid for '--tag"),
        (["mgmt", "--qube", "@anyvm"], "is invalid for '--qube"),
        (["--all"], "admin"),
    ])
    func whoNamesNoQubeIsTold(arguments: [String], says: String) throws {
        let run = try Run(["policy"] + arguments)
        #expect(run.status == .usage)
        #expect(run.error.contains(says))
        #expect(run.output.isEmpty)
    }
}
