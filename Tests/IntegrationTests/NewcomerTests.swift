// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import TestSupport
import Testing

/// An admin qube that has nothing but the lines that `qvm-btrfs policy` prints: `admin.vm.List` is
/// answered by the same policy, and the policy that is shipped stands beside them.
@Suite(
    "With only the lines that the client prints",
    .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason),
    .serialized)
struct NewcomerTests {
    /// `lab` was made by mgmt; `vault` and `work` were not.
    static let qubes: QrexecStandIn.Qubes = [
        "mgmt": [], "lab": ["created-by-mgmt"], "work": [], "vault": [],
    ]

    /// A machine with these lines in it.
    final class Machine {
        let daemon: DaemonRun
        let mgmt: QrexecStandIn

        init(_ arguments: [String]) throws {
            let printed = try Command.run(
                [Command.program("qvm-btrfs"), "policy", "mgmt"] + arguments)
            var files = ["30-btrfs.policy": printed.output]
            for name in ["80-btrfs.policy", "include/btrfs-ro", "include/btrfs-rwx"] {
                files[name] = try String(
                    contentsOfFile: Machine.policyFolder + name, encoding: .utf8)
            }
            let policy = try Policy(files: files)
            let fileSystem = try LoopFileSystem(mebibytes: 768)
            for (seed, qube) in Machine.qubes.enumerated() {
                try Files.write(
                    Content.text(mebibytes: 48, seed: UInt64(seed)),
                    to: fileSystem.image(qube.image))
            }
            let visible = Set(
                NewcomerTests.qubes.keys.filter {
                    policy.action(
                        "admin.vm.List", from: "mgmt", to: $0, tags: NewcomerTests.qubes)
                        == "allow"
                })
            daemon = try DaemonRun(
                on: fileSystem, inventory: QubesXML.text(pool: fileSystem.pool, Machine.qubes),
                visible: ["mgmt": visible])
            mgmt = try QrexecStandIn(
                caller: "mgmt", policy: policy, qubes: NewcomerTests.qubes,
                daemon: daemon.socket, folder: fileSystem.folder)
        }

        private static let qubes = ["lab", "work", "vault"].map { QubesXML.Qube(name: $0) }
        private static let policyFolder =
            URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path + "/policy/"

        func run(_ words: String...) throws -> Command.Ending { try mgmt.client(words) }
    }

    private static let verbs = [
        "optimize", "compress", "dedupe", "defragment", "sparsify", "estimate", "verify",
    ]

    /// All that can be done about a qube, from start to end.
    private func everything(_ machine: Machine, about qube: String) throws {
        try control(machine, qube)
        let report = try machine.run("report", qube)
        #expect(report.status == 0, "\(report.errors)")
        #expect(report.output.contains("private"))
        #expect([0, 7].contains(try machine.run("check", qube).status))
        #expect(try machine.run("new-data", qube).status == 0)
        for verb in Self.verbs {
            // Started and followed to its end, on the qube.
            let ending = try machine.run(verb, qube)
            #expect(ending.status == 0, "\(verb): \(ending.errors)")
            #expect(ending.output.contains("is done"))
        }
        #expect(try machine.run("optimize", "\(qube):private").status == 0)
        let jobs = try machine.run("jobs", "--json")
        let list = try JSONDecoder().decode(JobList.self, from: Data(jobs.output.utf8))
        #expect(list.jobs.count == Self.verbs.count + 2)
        #expect(Set(list.jobs.map(\.target)) == [qube])
    }

    /// A job that takes some seconds is held, let go on, and ended by its first digits.
    private func control(_ machine: Machine, _ qube: String) throws {
        let started = try machine.run("compress", qube, "--level", "19", "--no-wait")
        let whole = started.output.trimmingCharacters(in: .whitespacesAndNewlines)
        let job = String(whole.prefix(8))
        for (word, status) in [("pause", 0), ("resume", 0), ("cancel", 0), ("watch", 8)] {
            // The whole id and its first digits alike.
            let ending = try machine.run(word, word == "resume" ? whole : job)
            #expect(ending.status == status, "\(word): \(ending.errors)")
        }
        let late = try machine.run("cancel", job)
        #expect(late.status == 1)
        #expect(late.errors.contains("over already"))
    }

    /// Nothing can be learnt about a qube, or done to it.
    private func nothing(_ machine: Machine, about qube: String) throws {
        for words in [["report"], ["check"], ["new-data"], ["jobs", "--qube"]] {
            let ending = try machine.mgmt.client(words + [qube])
            #expect(ending.status == 3, "\(words) \(qube): \(ending.errors)")
            #expect(ending.output.isEmpty)
        }
        for verb in Self.verbs { #expect(try machine.run(verb, qube).status == 3) }
    }

    @Test("For a tag: all of a tagged qube by name, and nothing of any other")
    func tag() throws {
        let machine = try Machine(["--tag", "created-by-mgmt"])
        try everything(machine, about: "lab")
        for qube in ["work", "vault", "nosuch"] {
            try nothing(machine, about: qube)
        }
        let refused = try machine.run("optimize", "work")
        #expect(
            refused.errors.split(whereSeparator: \.isWhitespace).joined(separator: " ")
                .contains("'btrfs.Optimize * mgmt work allow target=dom0'"))
        #expect(try machine.run("report").status == 3)
        #expect(try machine.run("optimize").status == 3)
    }

    @Test("For a qube: the same on that one")
    func qube() throws {
        let machine = try Machine(["--qube", "work"])
        try everything(machine, about: "work")
        try nothing(machine, about: "lab")
    }

    @Test("For all: the machine, every qube by name, and a typing error is no such qube")
    func all() throws {
        let machine = try Machine(["--all"])
        try everything(machine, about: "vault")
        let report = try machine.run("report")
        #expect(report.status == 0, "\(report.errors)")
        for qube in ["lab", "work", "vault"] { #expect(report.output.contains(qube)) }
        #expect(try machine.run("optimize").status == 0)
        #expect(try machine.run("optimize", "--all", "--exclude", "vault").status == 0)
        #expect(try machine.run("report", "nosuch").status == 4)
        #expect(try machine.daemon.client("report", "nosuch").status == 4)
        #expect(try machine.run("optimize", "--exclude", "nosuch").status == 4)
    }

    @Test("Read-only: everything is seen, and no job starts")
    func readOnly() throws {
        let machine = try Machine(["--all", "--read-only"])
        #expect(try machine.run("report", "work").status == 0)
        #expect(try machine.run("report").status == 0)
        #expect([0, 7].contains(try machine.run("check").status))
        for verb in Self.verbs {
            #expect(try machine.run(verb, "work").status == 3)
            #expect(try machine.run(verb).status == 3)
        }
        let jobs = try machine.run("jobs", "--json")
        #expect(
            try JSONDecoder().decode(JobList.self, from: Data(jobs.output.utf8)).jobs.isEmpty)
    }
}
