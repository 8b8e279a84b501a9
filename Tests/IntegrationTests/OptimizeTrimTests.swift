// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// `qvm-btrfs optimize --trim`, and what features say of trims.
@Suite("Trims before a job", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason), .serialized)
struct OptimizeTrimTests {
    /// The kinds of the lines of JSON, in their order.
    private func kinds(_ output: String) throws -> [String] {
        try output.split(separator: "\n").map {
            let object = try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
            return try #require(object?["message"] as? String)
        }
    }

    @Test("What runs is trimmed first, what is halted is left so, and the job works on both")
    func both() throws {
        let world = try TrimWorld(
            [.init(name: "work"), .init(name: "halted")], running: ["work"], mebibytes: 16)
        let live = try world.liveBytes("work")
        let ending = try world.optimize("--all", "--trim", "--json")
        #expect(ending.status == 0, "\(ending.errors)")
        #expect(world.asked == ["work: fstrim /rw"])
        #expect(!world.hasStarted && world.state("halted") == "Halted")
        let kinds = try kinds(ending.output)
        #expect(Array(kinds.prefix(3)) == ["trim", "trimmed", "accepted"] && kinds.last == "job")
        let record = try #require(try TrimTests.objects(ending.output, "trim").first)
        let brought = try #require(record["brought"] as? [String: NSNumber])
        // A job moves extents, and leaves holes what they are.
        #expect(brought["emptiedBytes"]?.int64Value == live - (try world.liveBytes("work")))
        let sum = try #require(try TrimTests.objects(ending.output, "trimmed").first)
        #expect(sum["trimmedQubes"] as? Int == 1 && sum["skippedQubes"] as? Int == 1)
        #expect(sum["failedQubes"] as? Int == 0)
        let job = try #require(try TrimTests.objects(ending.output, "job").last)
        #expect(job["state"] as? String == "done" && job["target"] as? String == "dom0")
    }

    @Test("The text has both parts, a named qube that does not run is no failure, and it fits")
    func text() throws {
        let world = try TrimWorld(
            [.init(name: "work"), .init(name: "halted")], running: ["work"], mebibytes: 16)
        let ending = try world.optimize("work:private", "halted", "--trim")
        #expect(ending.status == 0, "\(ending.errors)")
        let words = ending.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(words.hasPrefix("QUBE EMPTIED AT ONCE LATER work "))
        #expect(words.contains("left alone: 1. 'qvm-btrfs trim --start' starts them for this."))
        for name in ["work:private", "halted"] {
            #expect(words.contains("optimize \(name) is done"), "\(ending.output)")
        }
        for line in (ending.output + ending.errors).split(separator: "\n") {
            #expect(line.count <= 80, "\(line)")
        }
        #expect(world.asked == ["work: fstrim /rw"])
    }

    @Test("A volume that was not named is not trimmed, and neither is what was left out")
    func chosen() throws {
        let world = try TrimWorld(
            [.init(name: "work"), .init(name: "other")], running: ["work", "other"],
            mebibytes: 16)
        #expect(try world.optimize("--all", "--exclude", "other", "--trim").status == 0)
        #expect(world.asked == ["work: fstrim /rw"])
        // An app qube's root is thrown away; there is none on Btrfs here, and no job for it.
        let root = try world.optimize("work:root", "--trim")
        #expect(root.output.contains("Nothing was trimmed."))
        #expect(world.asked == ["work: fstrim /rw"])
        let part = try world.optimize("dom0:system", "--trim")
        #expect(part.status == 2 && part.errors.contains("leave 'dom0:system' or --trim out"))
        #expect(world.asked.count == 1)
    }

    @Test("A qube that cannot be trimmed is a row with its word, and every job runs")
    func failing() throws {
        let names = ["bare", "silent", "work"]
        let world = try TrimWorld(
            names.map { .init(name: $0) }, running: Set(names), mebibytes: 16)
        try world.set("bare", "exit 127")
        try world.set("silent", "kill -9 $$")
        let ending = try world.optimize("bare", "silent", "work", "--trim")
        #expect(ending.status == 10, "\(ending.errors)")
        let rows = ending.output.split(separator: "\n").map {
            $0.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }
        #expect(rows.contains("bare not trimmed: no fstrim in it"))
        #expect(rows.contains("silent not trimmed: no answer"))
        #expect(rows.contains { $0.hasPrefix("work ") && $0.contains("MiB") })
        #expect(ending.errors.contains("bare: cannot trim: no fstrim in it."))
        for name in names {
            #expect(rows.contains { $0.contains("optimize \(name) is done") }, "\(name)")
        }
        // Nothing to start a command with: the job is there all the same.
        try FileManager.default.removeItem(
            atPath: world.fileSystem.folder + "/bin/qrexec-client")
        let without = try world.optimize("work", "--trim")
        #expect(without.status == 3)
        #expect(without.errors.contains("cannot start qrexec-client"))
        #expect(without.output.contains("is done"))
    }

    @Test("Ctrl-C while a qube trims leaves no job behind")
    func interrupted() throws {
        let world = try TrimWorld([.init(name: "work")], running: ["work"], mebibytes: 16)
        try world.set("work", "sleep 600")
        let client = try world.start("optimize", "work", "--trim")
        world.waitUntilAsked()
        client.signal(SIGINT)
        #expect(client.wait() == 130)
        let jobs = try world.daemon.client("jobs", "--json").output
        #expect(try JSONDecoder().decode(JobList.self, from: Data(jobs.utf8)).jobs.isEmpty)
    }

    @Test("--by-feature trims those that run and whose feature says so, and reports say it")
    func byFeature() throws {
        func feature(_ value: String) -> String {
            "<feature name=\"btrfs.trim\">\(value)</feature>"
        }
        let values = ["dom0": "1", "quiet": "0", "empty": "", "wrong": "yes"]
        let names = ["work", "quiet", "empty", "wrong"]
        let world = try TrimWorld(
            (names + ["halted"]).map { .init(name: $0) }, running: Set(names), mebibytes: 16
        ) { values[$0].map(feature) ?? "" }
        let ending = try world.trim("--by-feature")
        #expect(ending.status == 0, "\(ending.errors)")
        #expect(world.asked == ["work: fstrim /rw"])
        #expect(ending.output.contains("Not running, left alone: 1."))
        let report = try world.daemon.client("report", "work").output
        #expect(report.contains("\n  btrfs.trim: 1, by dom0.\n"))
        let check = try world.daemon.client("check", "wrong")
        let words = check.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(check.status == 7)
        #expect(words.contains("The weekly run does not trim it: The feature btrfs.trim of wrong"))
        #expect(words.contains("qvm-features wrong btrfs.trim 1"))
        // It is nothing to a job.
        #expect(try world.daemon.client("optimize", "wrong").status == 0)
    }

    @Test("Where no feature says so, nothing is trimmed")
    func off() throws {
        let world = try TrimWorld([.init(name: "work")], running: ["work"], mebibytes: 16)
        let ending = try world.trim("--by-feature")
        #expect(ending.status == 0 && ending.output.contains("Nothing was trimmed."))
        #expect(world.asked.isEmpty)
        let report = try world.daemon.client("report", "work").output
        #expect(!report.contains("btrfs.trim"))
    }
}
