// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

/// Everything at once, by chance: see docs/reliability.md.
@Suite("Torture", .enabled(if: RealBtrfs.isAvailable, RealBtrfs.reason))
struct TortureTests {
    /// What `make torture` asks for; without it a short form with seeds that stay.
    private static let minutes = number("TORTURE_MINUTES")
    private static let seed = number("TORTURE_SEED")
    private static let rounds = 8
    private static let shortSeeds: [UInt64] = [1, 2]
    private static let shortRounds = 4

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
            for seed in Self.shortSeeds {
                try torture(seed, rounds: Self.shortRounds, until: nil, &counts)
            }
            #expect(counts.rounds == Self.shortSeeds.count * Self.shortRounds)
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
            try torture(own, rounds: Self.rounds, until: end, &counts)
            worlds += 1
        }
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

    /// One file system from its birth to its end.
    private func torture(
        _ seed: UInt64, rounds: Int, until end: ContinuousClock.Instant?,
        _ counts: inout TortureCounts
    ) throws {
        let world = try TortureWorld(seed: seed)
        do {
            for _ in 0..<rounds {
                if let end, ContinuousClock.now > end { break }
                try world.goOn()
                if end != nil { Self.say("seed \(seed): \(world.counts.description)") }
            }
            try world.end()
        } catch {
            throw Found(
                description: "\(error)\nreplay: make torture MINUTES=1 SEED=\(seed)\nround"
                    + " \(world.counts.rounds):\n" + world.log.joined(separator: "\n"))
        }
        counts.add(world.counts)
    }
}

extension TortureCounts {
    fileprivate mutating func add(_ other: TortureCounts) {
        worlds += other.worlds
        rounds += other.rounds
        operations += other.operations
        jobs += other.jobs
        kills += other.kills
        cancels += other.cancels
        comparedBytes += other.comparedBytes
        if let grown = other.grownBytes { grownBytes = max(grownBytes ?? .min, grown) }
    }
}
