// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

/// Everything at once, by chance: see docs/reliability.md.
@Suite("Torture", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct TortureTests {
    /// What `make torture` asks for; without it a short form with seeds that stay.
    private static let minutes = number("TORTURE_MINUTES")
    private static let seed = number("TORTURE_SEED")
    /// Rounds of these kinds alone, one after the other; empty for chance.
    private static let kinds = (ProcessInfo.processInfo.environment["TORTURE_ROUNDS"] ?? "")
        .split(separator: " ").compactMap { name in
            TortureRound.allCases.first { "\($0)" == name }
        }
    private static let rounds = 8
    /// Each kind, on three file systems.
    private static let short: [UInt64: [TortureRound]] = [
        1: [.busy, .daemon, .full], 2: [.killed, .quota, .races, .quiet], 3: [.cuts],
    ]

    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap(UInt64.init)
    }

    /// At once, also where the output is a file.
    private static func say(_ line: String) {
        FileHandle.standardOutput.write(Data("\(line)\n".utf8))
    }

    struct Found: Error, CustomStringConvertible {
        let description: String
    }

    @Test("Whatever jobs, kills, qubes and qubesd do to a file system, nothing is lost")
    func torture() throws {
        var counts = TortureCounts()
        guard let minutes = Self.minutes else {
            for (seed, rounds) in Self.short.sorted(by: { $0.key < $1.key }) {
                try torture(seed, rounds, until: nil, &counts)
            }
            #expect(Set(counts.rounds.keys) == Set(TortureRound.allCases))
            Self.say(counts.description)
            return
        }
        let end = ContinuousClock.now + .seconds(Int(minutes) * 60)
        let seed = Self.seed ?? UInt64.random(in: 1...UInt64(UInt32.max))
        var worlds: UInt64 = 0
        while ContinuousClock.now < end {
            // The first has the seed itself, so that what is found is replayed at once.
            var random = TortureRandom(seed: seed, worlds)
            let own = worlds == 0 ? seed : random.next() >> 32
            let rounds = (0..<Self.rounds).map { number in
                Self.kinds.isEmpty ? nil : Self.kinds[number % Self.kinds.count]
            }
            try torture(own, rounds, until: end, &counts)
            worlds += 1
        }
        counts.times.lines.forEach(Self.say)
        Self.say("seed \(seed): " + counts.description)
    }

    @Test("Whatever a file loses is seen: a byte, a time stamp, its name; and what is left behind")
    func seen() throws {
        let model = try TortureWorld(seed: 3).model
        let name = try #require(model.writable.first { model.files[$0]?.content.isEmpty == false })
        let path = model.path(name)
        try model.compare()
        let stray = model.path("stray")
        try Files.write(Data(), to: stray)
        #expect(throws: TortureModel.Broken.self) { try model.compare() }
        try FileManager.default.removeItem(atPath: stray)
        try model.compare()
        try Command.check("touch", path)
        #expect(throws: TortureModel.Broken.self) { try model.compare() }
        try model.note(name)
        try model.compare()
        let first = try #require(model.files[name]?.content.first)
        try Files.overwrite(path, atOffset: 0, with: Data([~first]))
        try model.note(name)
        #expect(throws: TortureModel.Broken.self) { try model.compare() }
        #expect(throws: TortureModel.Broken.self) { try model.compare(name, 0..<1) }
        try Files.overwrite(path, atOffset: 0, with: Data([first]))
        try model.note(name)
        try model.compare()
        try FileManager.default.removeItem(atPath: path)
        #expect(throws: TortureModel.Broken.self) { try model.compare() }
    }

    @Test("What the driver's times are printed as tells apart what was beside it")
    func times() {
        var times = TortureTimes()
        for number in 1...200 {
            times.add(.milliseconds(number), .init(isJob: true, isRunning: false))
        }
        var others = TortureTimes()
        others.add(.microseconds(1250), .init(isJob: false, isRunning: true))
        times.add(others)
        #expect(times.count == 201 && times.countBesideJobs == 200)
        #expect(
            times.lines == [
                "driver operations of running qubes, no job: 1, p50 1.2 ms, p99 1.2 ms, at most"
                    + " 1.2 ms",
                "driver operations of halted qubes, beside a job: 200, p50 100.0 ms, p99 198.0 ms,"
                    + " at most 200.0 ms",
            ])
    }

    /// One file system from its birth to its end.
    /// - Parameter rounds: of which kind each is; nil for chance.
    private func torture(
        _ seed: UInt64, _ rounds: [TortureRound?], until end: ContinuousClock.Instant?,
        _ counts: inout TortureCounts
    ) throws {
        let isChosen = rounds.contains { $0 != nil }
        let world = try TortureWorld(
            seed: seed, isRecorded: isChosen ? rounds.contains(.cuts) : nil)
        do {
            for kind in rounds {
                if let end, ContinuousClock.now > end { break }
                try world.goOn(kind)
                if end != nil { Self.say("seed \(seed): \(world.counts.description)") }
            }
            try world.end()
        } catch {
            let kinds = rounds.compactMap { $0.map { "\($0)" } }.joined(separator: " ")
            let chosen = isChosen ? " ROUNDS=\"\(kinds)\"" : ""
            throw Found(
                description: "\(error)\nreplay: make torture MINUTES=1 SEED=\(seed)\(chosen)\nround"
                    + " \(world.counts.allRounds):\n" + world.log.joined(separator: "\n"))
        }
        counts.add(world.counts)
    }
}
