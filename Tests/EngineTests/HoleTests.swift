// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import SystemPackage
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

    @Test(
        "What does not pay for a leaf shared with a snapshot goes once others have changed it",
        arguments: [true, false])
    func sharedLeaf(isChangedByOthers: Bool) throws {
        let zero = [UInt8](repeating: 0, count: Int(Self.sector))
        var job = Self.job { state in
            for index in UInt64(0)..<3 { state.write(zero, to: 1, at: 2 * index * Self.sector) }
            if isChangedByOthers { state.write(Self.zeroes, to: 1, at: 8 * Self.sector) }
            state.sharedLeaves = [ModelState.inode(1)]
        }
        // The three are judged before the large one is.
        job.limits.batchContent = .kibibytes(12)
        let laws = Laws(before: job)
        let outcome = try job.execute(try job.holePlan())
        laws.check()
        #expect(outcome.extentsReplaced == (isChangedByOthers ? 4 : 0))
        let left = outcome.leftAlone.tallies.values.reduce(0) { $0 + $1.extents }
        #expect(left == (isChangedByOthers ? 0 : 3))
        #expect(try job.execute(try job.holePlan()).extentsReplaced == 0, "it has settled")
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
                isSelected: true, isSkipped: false, packing: nil, group: 0,
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

    // MARK: Execution

    /// Every request from the hole covers one item at most: what makes the kernel set time stamps
    /// cannot come about.
    static func watchItems(_ job: ModelJob) {
        var faults = ModelStore.Faults()
        faults.onShare = { _, request, state in
            guard request.source == ModelStore.zeroes else { return nil }
            let range =
                request.destinationOffset..<(request.destinationOffset + request.lengthBytes)
            let items = state.files[request.destination]?.items ?? []
            let count = items.count { $0.clipped(to: range) != nil }
            #expect(count == 1, "\(request)")
            return nil
        }
        job.store.set(faults)
    }

    static func world(_ state: inout ModelState) {
        for number in UInt64(2)...3 { state.make(number) }
        // Fragments of zeroes, one behind the other; zeroes in an extent with others; what was
        // never written, wholly and in parts; clones of it all.
        for index in UInt64(0)..<16 {
            state.write(
                [UInt8](repeating: 0, count: Int(Self.sector)), to: 1, at: index * Self.sector)
        }
        state.write(Content.sectors(0..<8) + Self.zeroes, to: 1, at: 32 * Self.sector)
        state.preallocate(64 * Self.sector, of: 1, at: 128 * Self.sector)
        state.preallocate(64 * Self.sector, of: 1, at: 256 * Self.sector)
        state.fill(Content.sectors(8..<16), of: 1, at: 260 * Self.sector)
        state.fill(Content.sectors(16..<20), of: 1, at: 300 * Self.sector)
        state.clone(1, 0..<(320 * Self.sector), to: 2, at: 0)
        state.clone(1, (30 * Self.sector)..<(290 * Self.sector), to: 3, at: 0)
    }

    @Test("All references become holes, item by item, and nothing else changes")
    func executed() throws {
        for verb in ["sparsify", "dedupe", "optimize"] {
            let job = Self.job(Self.world)
            let laws = Laws(before: job)
            Self.watchItems(job)
            let plan =
                switch verb {
                case "sparsify": try job.holePlan()
                case "dedupe": try job.dedupePlan()
                default: try job.optimizePlan()
                }
            let outcome = try job.execute(plan)
            laws.check("\(verb)", outcome)
            let state = job.store.state
            #expect(state.diskUse <= 20 * Self.sector, "\(verb)")
            let preallocated = state.files.values.flatMap(\.items).filter(\.isPreallocated)
            #expect(preallocated.isEmpty, "\(verb)")
            #expect(outcome.leftAlone.tallies.isEmpty, "\(verb): \(outcome.leftAlone)")
            // A second run has nothing to do.
            #expect(try job.holePlan().replacements.isEmpty, "\(verb)")
        }
    }

    @Test("Compress packs what was written of it, and makes holes of the rest")
    func compressed() throws {
        let job = Self.job { state in
            state.preallocate(64 * Self.sector, of: 1, at: 0)
            state.fill(Content.sectors(1001..<1009), of: 1, at: 4 * Self.sector)
        }
        let laws = Laws(before: job)
        let outcome = try job.compress()
        laws.check("", outcome)
        #expect(outcome.extentsReplaced == 1)
        #expect(job.store.state.diskUse < 8 * Self.sector)
    }

    @Test("Without a hole to take from nothing is planned, and nothing is done")
    func noZeroFile() throws {
        var job = Self.job(Self.world)
        let plan = try job.holePlan()
        job.makesHoles = false
        let before = job.store.state.diskUse
        let outcome = try job.execute(plan)
        // What was written of it is written anew where that is less, or stays.
        #expect(job.store.state.diskUse <= before)
        #expect(job.store.state.brokenFiles.isEmpty)
        #expect(outcome.freed >= outcome.rewritten)
    }

    @Test("Checksums that look like zeroes and are none make no hole")
    func forged() throws {
        let job = Self.job { state in
            state.write(Content.sectors(0..<32), to: 1, at: 0)
        }
        let survey = job.survey()
        let zero = try #require(try job.fingerprints(of: survey).zeroSum)
        let forged = Dictionary(
            uniqueKeysWithValues: try job.sums(ofSectors: Content.sectors(0..<32)).map {
                ($0, zero)
            })
        let plan = try DedupePlanner.planHoles(
            survey, try job.fingerprints(of: survey, forged: forged), scope: job.scope,
            sectorBytes: job.store.sectorBytes)
        #expect(plan.replacements.count == 1)
        let laws = Laws(before: job)
        let outcome = try job.execute(plan)
        laws.check("", outcome)
        #expect(outcome.extentsReplaced == 0)
        #expect(job.store.state.fileExtents(of: ModelState.inode(1)).count == 1)
    }

    @Test("What a qube writes where a hole is to come stays, and so does its extent's other half")
    func writtenMeanwhile() throws {
        let job = Self.job(Self.world)
        let laws = Laws(before: job)
        var faults = ModelStore.Faults()
        faults.onShare = { number, _, state in
            if number == 2 { state.write(Content.sectors(40..<44), to: 1, at: 50 * Self.sector) }
            return nil
        }
        job.store.set(faults)
        let outcome = try job.execute(try job.holePlan())
        laws.check("", outcome)
    }

    @Test("What a running qube may be about to fill stays, though it ran only since the plan")
    func liveMeanwhile() throws {
        var job = Self.job { $0.preallocate(32 * Self.sector, of: 1, at: 0) }
        job.includesLiveOnly = true
        let plan = try job.holePlan()
        job.roles.live = [ModelState.inode(1)]
        let outcome = try job.execute(plan)
        #expect(outcome.leftAlone.tallies[.preallocated]?.extents == 1)
        #expect(job.store.log.requests.isEmpty)
    }

    @Test("Whatever request is refused, disk use and content are as before or better")
    func refused() throws {
        for refused in 1...12 {
            let job = Self.job(Self.world)
            let laws = Laws(before: job)
            var faults = ModelStore.Faults()
            faults.onShare = { number, _, _ in number == refused ? .refuse(.permissionDenied) : nil
            }
            job.store.set(faults)
            let outcome = try job.execute(try job.holePlan())
            laws.check("\(refused)", outcome, itemsMore: 4)
        }
    }

    @Test("An extent whose items have generations of their own is worked on like any other")
    func severalGenerations() throws {
        let job = Self.job { state in
            state.preallocate(16 * Self.sector, of: 1, at: 0)
            state.fill(Content.sectors(1001..<1009), of: 1, at: 8 * Self.sector)
            state.fill(Content.sectors(1009..<1017), of: 1, at: 0)
            state.make(2)
            state.clone(1, 0..<(16 * Self.sector), to: 2, at: 0)
        }
        let outcome = try job.compress()
        #expect(outcome.extentsReplaced == 1)
        #expect(outcome.leftAlone.tallies.isEmpty)
    }

    @Test("An extent that has taken the place of another since the survey is not touched")
    func newerExtent() throws {
        let job = Self.job { $0.write(Content.sectors(1001..<1017), to: 1, at: 0) }
        let plan = job.compressionPlan()
        var survey = job.survey()
        survey.generation = Generation(job.store.state.newestGeneration.rawValue - 1)
        let outcome = try job.execute(plan, by: survey)
        #expect(outcome.leftAlone.tallies[.changedMeanwhile]?.extents == 1)
        #expect(outcome.extentsReplaced == 0)
    }
}
