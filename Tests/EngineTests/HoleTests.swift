// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Testing

@testable import Engine

@Suite("Zeroes and what was never written become holes")
struct HoleTests {
    static let sector = ModelState.sector
    static let zeroes = [UInt8](repeating: 0, count: 64 * Int(sector))

    static func job(
        volume: Scope.Volume = ModelJob.volume(), _ change: (inout ModelState) -> Void
    ) -> ModelJob {
        var state = ModelState()
        state.make(1)
        change(&state)
        var job = ModelJob(store: ModelStore(state), volumes: [volume])
        job.makesHoles = true
        return job
    }

    static func bytes(_ sectors: Range<UInt64>) -> Range<ByteCount> {
        ByteCount(sectors.lowerBound * sector)..<ByteCount(sectors.upperBound * sector)
    }

    // MARK: Planning

    @Test("A run of zeroes becomes a hole, and the rest is written anew")
    func zeroRuns() throws {
        let job = Self.job { state in
            state.write(Content.sectors(0..<8) + Self.zeroes, to: 1, at: 0)
        }
        let plan = try job.holePlan()
        #expect(plan.replacements.map(\.holes) == [[Self.bytes(8..<72)]])
        #expect(plan.replacements.map(\.pieces) == [[]])
        #expect(plan.predictedSaving > ByteCount(60 * Self.sector))
    }

    @Test("What is mostly something else stays: to write it anew brings less than it costs")
    func fewZeroes() throws {
        let job = Self.job { state in
            state.write(
                Content.sectors(0..<56) + Self.zeroes[..<Int(8 * Self.sector)], to: 1, at: 0)
        }
        #expect(try job.holePlan().replacements.isEmpty)
    }

    @Test("A single sector of zeroes among others is no hole, an extent of one is")
    func singleSectors() throws {
        let zero = [UInt8](repeating: 0, count: Int(Self.sector))
        let job = Self.job { state in
            state.write(Content.sectors(0..<1) + zero + Content.sectors(1..<2), to: 1, at: 0)
            state.write(zero, to: 1, at: 8 * Self.sector)
        }
        #expect(try job.holePlan().replacements.map(\.holes) == [[Self.bytes(0..<1)]])
    }

    @Test("What was allocated and never written becomes a hole, whoever asks for less room")
    func preallocated() throws {
        let job = Self.job { $0.preallocate(32 * Self.sector, of: 1, at: 0) }
        for plan in [try job.holePlan(), try job.dedupePlan(), try job.optimizePlan()] {
            #expect(plan.replacements.map(\.holes) == [[Self.bytes(0..<32)]])
        }
        let compression = job.compressionPlan()
        #expect(compression.replacements.isEmpty)
        #expect(compression.leftAlone.tallies[.preallocated]?.extents == 1)
    }

    @Test("It stays where a qube runs, where programs count on it, and where no holes are made")
    func kept() throws {
        var job = Self.job { $0.preallocate(32 * Self.sector, of: 1, at: 0) }
        job.includesLiveOnly = true
        job.roles.live = [ModelState.inode(1)]
        #expect(try job.holePlan().leftAlone.tallies[.preallocated]?.extents == 1)
        job.roles.live = []
        #expect(try job.holePlan().replacements.count == 1)
        job.makesHoles = false
        #expect(try job.holePlan().leftAlone.tallies[.preallocated]?.extents == 1)
        let system = Self.job(
            volume: Scope.Volume(
                isSelected: true, isSkipped: false, compressionLevel: nil, group: 0,
                keepsAllocations: true)
        ) { state in
            state.preallocate(32 * Self.sector, of: 1, at: 0)
            state.write(Self.zeroes, to: 1, at: 64 * Self.sector)
        }
        #expect(try system.holePlan().replacements.isEmpty)
    }

    @Test("Zeroes that a running qube has written become holes like any others")
    func liveZeroes() throws {
        var job = Self.job { $0.write(Self.zeroes, to: 1, at: 0) }
        job.includesLiveOnly = true
        job.roles.live = [ModelState.inode(1)]
        #expect(try job.holePlan().replacements.count == 1)
    }

    @Test("What is written of an extent that was allocated before is packed, the rest is a hole")
    func mixed() throws {
        let job = Self.job { state in
            state.preallocate(64 * Self.sector, of: 1, at: 0)
            state.fill(Content.sectors(0..<8), of: 1, at: 0)
            state.fill(Content.sectors(8..<16), of: 1, at: 40 * Self.sector)
        }
        for plan in [job.compressionPlan(), try job.optimizePlan(), try job.holePlan()] {
            #expect(plan.replacements.map(\.holes) == [[Self.bytes(8..<40), Self.bytes(48..<64)]])
        }
        #expect(job.survey().extents.count == 1)
    }

    @Test("Of an extent that was written part by part the newest generation counts")
    func generations() throws {
        let job = Self.job { state in
            state.preallocate(8 * Self.sector, of: 1, at: 0)
            state.fill(Content.sectors(0..<4), of: 1, at: 4 * Self.sector)
            state.fill(Content.sectors(4..<8), of: 1, at: 0)
        }
        let items = job.store.state.fileExtents(of: ModelState.inode(1))
        #expect(Set(items.map(\.generation)).count == 2)
        #expect(job.survey().extents.map(\.generation) == [items.map(\.generation).max()])
        #expect(job.survey().generation == job.store.state.newestGeneration)
    }

    @Test("Zeroes count for nothing where the rest is packed, unless they fill a frame")
    func packedAround() throws {
        let job = Self.job { state in
            state.write(
                Content.sectors(1001..<1130) + Self.zeroes[..<Int(32 * Self.sector)]
                    + Content.sectors(1130..<1140),
                to: 1, at: 0)
            state.write(
                Content.sectors(1140..<1230) + Self.zeroes[..<Int(16 * Self.sector)]
                    + Content.sectors(1230..<1240),
                to: 1, at: 4096 * Self.sector)
        }
        let plan = try job.optimizePlan()
        #expect(plan.replacements.map(\.holes) == [[Self.bytes(129..<161)], []])
    }
}
