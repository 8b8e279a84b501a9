// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import TestSupport
import Testing

/// `qvm-btrfs trim` in an admin qube, under policy as qrexec reads it.
@Suite(
    "Trims of an admin qube", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason), .serialized)
struct TrimPolicyTests {
    private func world() throws -> TrimWorld {
        try TrimWorld(
            [
                .init(name: "work"), .init(name: "vault"), .init(name: "lab"),
                .init(name: "debian-12", kind: "TemplateVM"),
            ], running: ["work", "vault", "debian-12"], mebibytes: 16)
    }

    /// What `qvm-btrfs policy mgmt` prints.
    private func lines(_ words: String...) throws -> String {
        let printed = try Command.run([Command.program("qvm-btrfs"), "policy", "mgmt"] + words)
        #expect(printed.status == 0, "\(printed.errors)")
        return printed.output
    }

    private func text(_ ending: Command.Ending) -> String {
        ending.errors.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    @Test("With the other lines alone it is refused, and told the very lines that it lacks")
    func refused() throws {
        let world = try world()
        let mgmt = try world.admin(try lines("--all"))
        let ending = try mgmt.client(["trim", "work", "vault"])
        #expect(ending.status == 3)
        #expect(world.asked.isEmpty)
        for qube in ["work", "vault"] {
            for argument in ["-2F", "-2Frw"] {
                let line =
                    "qubes.VMRootExec +env+fstrim+\(argument) mgmt \(qube) allow autostart=no"
                #expect(text(ending).contains("'\(line)'"))
                #expect(try lines("--qube", qube, "--trim").contains(line + "\n"))
            }
        }
    }

    @Test("With the lines for one qube it trims that one, and no other")
    func one() throws {
        let world = try world()
        let mgmt = try world.admin(
            try lines("--all", "--read-only") + lines("--qube", "work", "--trim"))
        let live = try world.liveBytes("work")
        let ending = try mgmt.client(["trim", "work", "vault", "--json"])
        #expect(ending.status == 3)
        #expect(world.asked == ["work: fstrim /rw"])
        let records = try TrimTests.objects(ending.output, "trim")
        let outcomes = records.map { "\($0["qube"] ?? ""): \($0["outcome"] ?? "")" }
        #expect(outcomes.sorted() == ["vault: refused", "work: trimmed"])
        // A report of before the trim answers a qube for some seconds: it is not taken for one of
        // after it.
        let brought = try #require(records.last?["brought"] as? [String: NSNumber])
        #expect(live > (try world.liveBytes("work")))
        #expect(brought["emptiedBytes"]?.int64Value == live - (try world.liveBytes("work")))
    }

    @Test("With the lines for all it trims all, and starts what is halted")
    func all() throws {
        let world = try world()
        let mgmt = try world.admin(try lines("--all") + lines("--all", "--trim"))
        let ending = try mgmt.client(["trim", "--all", "--start", "--yes"])
        #expect(ending.status == 0, "\(ending.errors)")
        #expect(
            world.asked == [
                "debian-12: fstrim /", "vault: fstrim /rw", "work: fstrim /rw", "lab: fstrim /rw",
            ])
        #expect(world.state("lab") == "Halted" && world.state("work") == "Running")
        let templates = try mgmt.client(["trim", "--templates"])
        #expect(templates.status == 0 && world.asked.last == "debian-12: fstrim /")
    }

    @Test("Who may start and not shut down starts nothing")
    func noShutdown() throws {
        let world = try world()
        let trim = try lines("--all", "--trim").split(separator: "\n")
            .filter { !$0.hasPrefix("admin.vm.Shutdown") }.joined(separator: "\n")
        let mgmt = try world.admin(try lines("--all") + trim)
        let ending = try mgmt.client(["trim", "lab", "--start", "--yes", "--time-limit", "5s"])
        #expect(ending.status == 10)
        #expect(text(ending).contains("'admin.vm.Shutdown + mgmt lab allow target=dom0'"))
        #expect(!world.hasStarted && world.asked.isEmpty)
    }

    @Test("A denial that stands first counts")
    func denied() throws {
        let world = try world()
        let mgmt = try world.admin(
            try "qubes.VMRootExec * mgmt vault deny notify=no\n" + lines("--all")
                + lines("--all", "--trim"))
        let ending = try mgmt.client(["trim", "vault", "work"])
        #expect(ending.status == 3)
        #expect(world.asked == ["work: fstrim /rw"])
    }
}
