// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs
internal import SystemCalls

/// Says what compression and dedupe would save, and changes nothing: dedupe by its own plan, from
/// the checksums of every sector, compression by packing a sample of what it would pack.
public struct Estimator: Sendable {
    /// The levels that an estimate is made for.
    public static var levels: [Int] { [1, 3, 9, 15] }

    /// The level that every sample is packed at. Others are packed at on a part of the samples, and
    /// taken in proportion: what shrinks well at one level does so at each.
    static var baseLevel: Int { 3 }

    private let store: any ContentStore
    private let survey: Survey
    private let scope: Scope
    private let limits: ExecutionLimits
    private let threads: Int
    private let makeEncoder: @Sendable () -> any FrameEncoder

    /// - Parameter makeEncoder: makes an encoder for one thread; called a few times.
    public init(
        store: any ContentStore, survey: Survey, scope: Scope,
        limits: ExecutionLimits = ExecutionLimits(),
        threads: Int, makeEncoder: @escaping @Sendable () -> any FrameEncoder
    ) {
        self.store = store
        self.survey = survey
        self.scope = scope
        self.limits = limits
        self.threads = threads
        self.makeEncoder = makeEncoder
    }

    /// How many extents one piece of work takes, and reads at once.
    private static var extentsAtATime: Int { 8 }

    /// - Parameters:
    ///   - compression: what compression would replace, at the levels that settings ask for.
    ///   - dedupe: what dedupe would replace.
    ///   - progress: called with the content that was packed and what is to be, from any thread.
    public func estimate(
        compression: Plan, dedupe: Plan, using generator: inout some RandomNumberGenerator,
        progress: @escaping @Sendable (_ done: ByteCount, _ total: ByteCount) -> Void = { _, _ in }
    ) -> EstimateBook {
        let population = EstimatePopulation(
            survey, compression: compression, dedupe: dedupe, scope: scope)
        let sampling = FrameSampling(
            survey: survey, population: population, frameContent: limits.frameContent)
        let samples = sampling.draw(&generator)
        let asked = Set(Self.levels + population.strata.map(\.level)).subtracting([Self.baseLevel])
        let others = asked.sorted().map {
            FrameMeasure.Level(
                level: $0, share: EstimateBook.share(ofLevel: $0, samples: samples.count))
        }
        let outcomes = measure(samples, population, others, progress)
        return EstimateBook(
            population: population, base: Self.baseLevel,
            measured: zip(samples, outcomes).map { sample, outcome in
                EstimateBook.Measured(
                    stratum: sample.stratum, zone: sample.zone, weightBytes: sample.weightBytes,
                    base: outcome.base, others: outcome.others)
            },
            levels: Self.levels, isComplete: others.allSatisfy { $0.share >= 1 })
    }

    /// The outcomes, in the order of the samples.
    private func measure(
        _ samples: [FrameSample], _ population: EstimatePopulation,
        _ others: [FrameMeasure.Level],
        _ progress: @escaping @Sendable (ByteCount, ByteCount) -> Void
    ) -> [FrameMeasure.Outcome] {
        let tasks = Self.tasks(samples, population)
        let pieces = stride(from: 0, to: tasks.count, by: Self.extentsAtATime).map {
            tasks[$0..<min($0 + Self.extentsAtATime, tasks.count)]
        }
        let total = samples.reduce(ByteCount.zero) { $0 + Self.length($1) }
        let files = FileCache(store: store, limit: limits.openFiles)
        let state = Monitor(
            State(
                outcomes: [FrameMeasure.Outcome](repeating: .init(), count: samples.count)))
        concurrently(count: pieces.count, threads: threads, failure: Never.self) { piece in
            let encoder = state.withLock { $0.encoders.popLast() } ?? makeEncoder()
            let measure = FrameMeasure(
                store: store, files: files, survey: survey, limits: limits,
                packer: FramePacker(encoder: encoder, sectorBytes: store.sectorBytes))
            measure.prefetch(pieces[piece].lazy.flatMap(\.samples).map { samples[$0] })
            for task in pieces[piece] {
                let own = task.samples.map { samples[$0] }
                let found = measure.outcomes(
                    own, isLeft: task.isLeft, base: Self.baseLevel, others: others)
                let done = state.withLock { state -> ByteCount in
                    for (index, outcome) in zip(task.samples, found) {
                        state.outcomes[index] = outcome
                    }
                    state.done += own.reduce(ByteCount.zero) { $0 + Self.length($1) }
                    return state.done
                }
                progress(done, total)
            }
            state.withLock { $0.encoders.append(encoder) }
        }
        return state.withLock { $0.outcomes }
    }

    private struct State {
        var outcomes: [FrameMeasure.Outcome]
        var encoders: [any FrameEncoder] = []
        var done = ByteCount.zero
    }

    /// Samples that are measured together, by their index.
    private struct Task {
        var samples: [Int]
        let isLeft: Bool
    }

    /// Those of one extent together: they tell of its fate.
    private static func tasks(
        _ samples: [FrameSample], _ population: EstimatePopulation
    ) -> [Task] {
        var tasks: [Task] = []
        var byExtent: [Int: Int] = [:]
        for (index, sample) in samples.enumerated() {
            let isLeft = population.strata[sample.stratum].kind == .left
            guard !isLeft, let extent = sample.segments.first?.extent else {
                tasks.append(Task(samples: [index], isLeft: isLeft))
                continue
            }
            if let known = byExtent[extent] {
                tasks[known].samples.append(index)
            } else {
                byExtent[extent] = tasks.count
                tasks.append(Task(samples: [index], isLeft: false))
            }
        }
        return tasks
    }

    private static func length(_ sample: FrameSample) -> ByteCount {
        sample.segments.reduce(ByteCount.zero) { $0 + $1.lengthBytes }
    }
}
