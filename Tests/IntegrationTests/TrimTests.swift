// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import Testing

/// `qvm-btrfs trim` in dom0, against qubes with real file systems.
@Suite("Trims", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason), .serialized)
struct TrimTests {
    /// The lines of JSON of one kind.
    static func objects(_ output: String, _ kind: String) throws -> [[String: Any]] {
        try output.split(separator: "\n").map {
            try #require(
                try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }.filter { $0["message"] as? String == kind }
    }

    private func figures(_ object: [String: Any]?) throws -> [String: Int64] {
        let brought = try #require(object?["brought"] as? [String: NSNumber])
        return brought.mapValues(\.int64Value)
    }

    @Test("What a trim has brought is what the file system counts, to the byte, now and later")
    func figures() throws {
        let world = try TrimWorld([.init(name: "work")], running: ["work"])
        let live = try world.liveBytes("work")
        let used = Int64(try world.fileSystem.dataUsedBytes())
        let before = try cleanExclusive(world)
        let ending = try world.trim("work", "--json")
        #expect(ending.status == 0, "\(ending.errors)")
        let brought = try figures(Self.objects(ending.output, "trim").first)
        let freed = used - Int64(try world.fileSystem.dataUsedBytes())
        #expect(brought["emptiedBytes"] == live - (try world.liveBytes("work")))
        #expect(brought["freedBytes"] == freed)
        #expect(freed > 2 << 20)
        #expect(brought["sharedBytes"] == 0)
        // The rest is there as long as the image of before the start is.
        let held = try #require(brought["heldBytes"])
        #expect(held > 6 << 20)
        let usedAfter = Int64(try world.fileSystem.dataUsedBytes())
        try world.removeStateBeforeStart("work")
        let later = usedAfter - Int64(try world.fileSystem.dataUsedBytes())
        #expect(held == later - before)
        let sum = try figures(Self.objects(ending.output, "trimmed").first)
        #expect(sum == brought)
        #expect(world.asked == ["work: fstrim /rw"])
        #expect(world.state("work") == "Running")
    }

    /// What only the image of before the start holds.
    private func cleanExclusive(_ world: TrimWorld) throws -> Int64 {
        let output = try world.daemon.client("report", "work", "--json").output
        let report = try JSONDecoder().decode(Report.self, from: Data(output.utf8))
        let images = try #require(report.qubes.first?.volumes.first?.images)
        return Int64(try #require(images.first { $0.role == "clean" }?.figures).exclusiveBytes)
    }

    @Test("A template is trimmed at /, and the text fits 80 columns and says what is not there yet")
    func template() throws {
        let world = try TrimWorld(
            [.init(name: "debian-12", kind: "TemplateVM")], running: ["debian-12"])
        let ending = try world.trim("debian-12")
        #expect(ending.status == 0, "\(ending.errors)")
        #expect(world.asked == ["debian-12: fstrim /"])
        let words = ending.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(words.contains("QUBE EMPTIED AT ONCE LATER debian-12 "))
        #expect(words.contains("1 qube "))
        #expect(words.contains("Until then that part of the trim brings nothing."))
        for line in (ending.output + ending.errors).split(separator: "\n") {
            #expect(line.count <= 80, "\(line)")
        }
    }

    /// How a qube fails, what is said, and the status.
    static let failures: [(manner: String, says: String, status: Int32)] = [
        ("exit 127", "no fstrim in it", 10), ("exit 126", "no fstrim in it", 10),
        ("exit 1", "fstrim /rw failed in it (status 1)", 10),
        ("exit 32", "fstrim /rw failed in it (status 32)", 10),
        ("exit 64", "(status 64)", 10), ("exit 125", "no agent of qrexec", 10),
        ("exit 77", "ended without an answer (status 77)", 10),
        ("kill -9 $$", "ended without an answer", 10),
        ("sleep 600; exit 0", "no answer within 2 s", 10),
        ("fstrim -l 4M \"$mount\"; kill -9 $$", "ended without an answer", 10),
        ("mount -o remount,ro \"$mount\"; exec fstrim \"$mount\"", "", 0),
    ]

    @Test("A qube that fails is told from the others, which are trimmed all the same")
    func failing() throws {
        let names = Self.failures.indices.map { "bad-\($0)" }
        let world = try TrimWorld(
            (names + ["good"]).map { .init(name: $0) }, running: Set(names + ["good"]),
            mebibytes: 16)
        for (name, failure) in zip(names, Self.failures) { try world.set(name, failure.manner) }
        let ending = try world.trim("--all", "--time-limit", "2s", "--json")
        #expect(ending.status == 10, "\(ending.errors)")
        let text = ending.errors.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        for (name, failure) in zip(names, Self.failures) where failure.status != 0 {
            #expect(
                text.contains("\(name): cannot trim: \(failure.says)")
                    || text.contains(failure.says))
            #expect(text.contains("\(name): cannot trim:"), "\(name)")
        }
        let records = try Self.objects(ending.output, "trim")
        #expect(records.count == names.count + 1)
        let good = records.first { $0["qube"] as? String == "good" }
        #expect(try figures(good)["emptiedBytes"] ?? 0 > 1 << 20)
    }

    @Test("A megabyte of escape codes on both streams comes to no terminal")
    func noise() throws {
        let world = try TrimWorld([.init(name: "work")], running: ["work"])
        try world.set(
            "work",
            #"yes "$(printf '\033[2J\033]0;owned\007')" | head -c 1000000 | tee /dev/stderr"#)
        let ending = try world.trim("work")
        #expect(ending.status == 0)
        #expect(ending.output.contains("work"))
        for text in [ending.output, ending.errors] {
            #expect(!text.contains("\u{1b}") && !text.contains("owned") && text.utf8.count < 2000)
        }
    }

    @Test("What does not run, or keeps nothing, is left alone, and said when it was named")
    func leftAlone() throws {
        let world = try TrimWorld(
            [
                .init(name: "work"), .init(name: "halted"),
                .init(name: "disp12", kind: "DispVM"),
            ], running: ["work"], mebibytes: 16)
        let all = try world.trim("--all")
        #expect(all.status == 0, "\(all.errors)")
        #expect(world.asked == ["work: fstrim /rw"])
        #expect(all.output.contains("Not running, left alone: 1."))
        #expect(all.output.contains("left alone: 1.\n"))
        let named = try world.trim("halted", "disp12", "work")
        #expect(named.status == 10)
        #expect(named.output.contains("Not trimmed, and named with the reason: 2.\n"))
        #expect(named.errors.contains("halted: cannot trim: it does not run."))
        #expect(named.errors.contains("disp12: cannot trim: nothing that it writes lasts"))
        #expect(world.asked.count == 2)
        let nosuch = try world.trim("nosuch", "work")
        #expect(nosuch.status == 4)
        #expect(world.asked.count == 3)
        let excluded = try world.trim("--all", "--exclude", "work")
        #expect(excluded.output.contains("Nothing was trimmed."))
        #expect(try world.trim("--templates").output.contains("Nothing was trimmed."))
        #expect(world.asked.count == 3)
    }

    @Test("A qube without an agent is asked nothing")
    func noAgent() throws {
        let world = try TrimWorld([.init(name: "win")], running: ["win"], mebibytes: 16)
        try FileManager.default.removeItem(
            atPath: world.fileSystem.folder + "/run/qubes/qrexec.win")
        let ending = try world.trim("win")
        #expect(ending.status == 10)
        #expect(ending.errors.contains("no agent of qrexec"))
        #expect(world.asked.isEmpty)
    }

    @Test("Thirty qubes, one after the other, each with its row and all with their sum")
    func thirty() throws {
        let names = (1...30).map { "qube-\($0)" }
        let world = try TrimWorld(
            names.map { .init(name: $0) }, running: Set(names), mebibytes: 16)
        // Whoever finds another one at it says so.
        for name in names {
            try world.set(
                name,
                "busy=\"$mount/../../busy\"; mkdir \"$busy\" || exit 99; fstrim \"$mount\"; "
                    + "rmdir \"$busy\""
            )
        }
        let used = Int64(try world.fileSystem.dataUsedBytes())
        let ending = try world.trim("--all", "--json")
        #expect(ending.status == 0, "\(ending.errors)")
        let rows = try Self.objects(ending.output, "trim")
        #expect(Set(rows.compactMap { $0["qube"] as? String }) == Set(names))
        let last = try Self.objects(ending.output, "trimmed").first
        #expect(last?["trimmedQubes"] as? Int == 30)
        let sum = try figures(last)
        #expect(sum["freedBytes"] == used - Int64(try world.fileSystem.dataUsedBytes()))
        let parts = try rows.map { try figures($0)["freedBytes"] ?? 0 }
        #expect(parts.reduce(0, +) == sum["freedBytes"])
        let progress = ending.errors.split(separator: "\n")
        #expect(progress.contains { $0.hasSuffix("trimming (30 of 30)") })
        #expect(progress.allSatisfy { $0.count <= 80 })
    }
}
