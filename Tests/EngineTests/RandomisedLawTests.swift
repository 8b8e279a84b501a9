// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Testing

@testable import Engine

/// File systems made by chance: extents, clones, partial overwrites, copies, ends within a sector.
@Suite struct RandomisedLawTests {
    static let sector = Int(ModelState.sector)

    /// - Parameter isPacked: half of the extents are packed already, by chance how well.
    static func fileSystem(
        _ generator: inout SeededGenerator, isPacked: Bool = false
    ) -> ModelState {
        var state = ModelState()
        let files = Int.random(in: 2...6, using: &generator)
        for number in 1...files {
            state.make(UInt64(number))
            fill(UInt64(number), isPacked, &state, &generator)
        }
        for _ in 0..<Int.random(in: 0...12, using: &generator) {
            change(UInt64(Int.random(in: 1...files, using: &generator)), files, &state, &generator)
        }
        return state
    }

    /// Extents from few kinds of sectors, so that copies at any shift are common.
    private static func fill(
        _ number: UInt64, _ isPacked: Bool, _ state: inout ModelState,
        _ generator: inout SeededGenerator
    ) {
        var offset = 0
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
            let length = Int.random(in: 1...24, using: &generator)
            var disk: UInt64?
            if isPacked, length > 1, Bool.random(using: &generator) {
                disk = UInt64(Int.random(in: 1..<length, using: &generator) * sector)
            }
            state.write(
                content(length, &generator), to: number, at: UInt64(offset * sector),
                packedTo: disk, by: [.zstd, .zlib, .lzo][length % 3])
            offset += length
        }
        if Bool.random(using: &generator) {
            let end = Int.random(in: 1..<sector, using: &generator)
            let bytes = content(2, &generator).prefix(sector + end)
            state.write(Array(bytes), to: number, at: UInt64(offset * sector))
        }
    }

    private static func content(_ sectors: Int, _ generator: inout SeededGenerator) -> [UInt8] {
        let start = Int.random(in: 0...40, using: &generator)
        switch Int.random(in: 0...3, using: &generator) {
        case 0:
            return Content.sectors(repeatElement(1000 + start % 3, count: sectors))
        case 1:
            return Content.sectors((0..<sectors).map { $0.isMultiple(of: 2) ? $0 : 1000 })
        default:
            return Content.sectors((0..<sectors).map { (start / 10 * 10 + $0) % 64 })
        }
    }

    /// A clone of a part, or an overwrite within the file.
    private static func change(
        _ number: UInt64, _ files: Int, _ state: inout ModelState,
        _ generator: inout SeededGenerator
    ) {
        let sectors = (state.files[ModelState.inode(number)]?.truth.count ?? 0) / sector
        guard sectors > 0 else { return }
        let start = Int.random(in: 0..<sectors, using: &generator)
        let length = Int.random(in: 1...(sectors - start), using: &generator)
        let range = UInt64(start * sector)..<UInt64((start + length) * sector)
        if Bool.random(using: &generator) {
            let other = UInt64(Int.random(in: 1...files, using: &generator))
            let room = (state.files[ModelState.inode(other)]?.truth.count ?? 0) / sector
            guard other != number else { return }
            let place = Int.random(in: 0...max(0, room - length), using: &generator)
            guard place + length <= room else { return }
            state.clone(number, range, to: other, at: UInt64(place * sector))
        } else {
            state.write(content(length, &generator), to: number, at: range.lowerBound)
        }
    }

    @Test(arguments: 0..<200) func `Compressing and then dedupe keep every law`(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        var job = ModelJob(store: ModelStore(Self.fileSystem(&generator)))
        #expect(job.store.state.brokenFiles.isEmpty)
        job.lanes = seed.isMultiple(of: 4) ? 3 : 1
        if seed.isMultiple(of: 5) { job.spills = TestSpills() }
        job.limits.batchContent = .kibibytes(64)
        if seed.isMultiple(of: 3) { job.roles.live = [ModelState.inode(1)] }
        job.limits.liveRequest = .kibibytes(16)
        job.limits.request = .kibibytes(64)
        let laws = Laws(before: job)
        let before = job.store.state.diskUse
        let compressed = try job.compress()
        laws.check("compress")
        #expect(job.store.state.diskUse <= before - compressed.saved.rawValue)
        let between = Laws(before: job)
        let middle = job.store.state.diskUse
        let shared = try job.dedupe()
        between.check("dedupe")
        #expect(job.store.state.diskUse <= middle - shared.saved.rawValue)
    }

    /// Ranges that were allocated, and written in parts, behind what is there.
    private static func preallocate(
        _ state: inout ModelState, _ generator: inout SeededGenerator
    ) {
        for (inode, file) in state.files.sorted(by: { $0.key < $1.key })
        where file.truth.count.isMultiple(of: sector) && Bool.random(using: &generator) {
            let start = file.truth.count / sector
            let length = Int.random(in: 1...48, using: &generator)
            state.preallocate(
                UInt64(length * sector), of: inode.number, at: UInt64(start * sector))
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                let first = Int.random(in: 0..<length, using: &generator)
                let count = Int.random(in: 1...(length - first), using: &generator)
                state.fill(
                    content(count, &generator), of: inode.number,
                    at: UInt64((start + first) * sector))
            }
        }
    }

    @Test("Holes keep every law, and when optimize has settled nothing is left to any other job")
    func optimizeIsTheSum() throws {
        for seed in 0..<120 {
            var generator = SeededGenerator(seed: UInt64(seed))
            var state = Self.fileSystem(&generator)
            Self.preallocate(&state, &generator)
            var job = ModelJob(store: ModelStore(state))
            job.makesHoles = true
            HoleTests.watchItems(job)
            let laws = Laws(before: job)
            var replaced = 1
            for _ in 0..<6 where replaced > 0 {
                replaced = try job.execute(try job.optimizePlan()).extentsReplaced
            }
            laws.check("\(seed)")
            #expect(replaced == 0, "\(seed)")
            for plan in [try job.holePlan(), try job.dedupePlan(), job.compressionPlan()] {
                let outcome = try job.execute(plan)
                #expect(outcome.extentsReplaced == 0, "\(seed): \(plan.replacements)")
            }
        }
    }

    @Test(arguments: 0..<200) func `Packing again keeps every law, and comes to rest`(
        seed: Int
    ) throws {
        var generator = SeededGenerator(seed: UInt64(1000 + seed))
        var job = ModelJob(store: ModelStore(Self.fileSystem(&generator, isPacked: true)))
        job.lanes = seed.isMultiple(of: 4) ? 3 : 1
        if seed.isMultiple(of: 5) { job.spills = TestSpills() }
        job.limits.batchContent = .kibibytes(64)
        job.levelOfOthers = 1
        let laws = Laws(before: job)
        let before = job.store.state.diskUse
        let packed = try VerdictTests.compress(&job)
        laws.check("compress")
        #expect(job.store.state.diskUse <= before - packed.saved.rawValue)
        let optimized = try job.execute(try job.optimizePlan())
        job.verdicts.add(optimized.verdicts)
        laws.check("optimize")
        let writes = job.store.log.writes
        #expect(try VerdictTests.compress(&job).extentsReplaced == 0)
        #expect(job.store.log.writes == writes)
    }
}
