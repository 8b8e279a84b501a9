// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol

/// Says what jobs would save: surveys and plans as they do, then packs a sample. Changes nothing
/// but the cache of fingerprints.
struct EstimateWork {
    /// How many threads pack: they wait for the disk as well.
    static let threads = 4

    let order: WorkerOrder
    let sites: Sites
    let output: Output
    let governor: Governor

    func run() throws(Failure) -> WorkerMessage {
        do throws(BtrfsError) {
            let result = try runSites()
            return governor.isCancelled ? .cancelled(result) : .result(result)
        } catch  where error.isCancellation {
            return .cancelled(emptyResult)
        } catch {
            throw Failure(error, among: sites)
        }
    }

    private var emptyResult: JobResult {
        JobResult(problems: sites.problems, elapsedSeconds: output.elapsedSeconds)
    }

    private func runSites() throws(BtrfsError) -> JobResult {
        var result = emptyResult
        var leftAlone = LeftAlone()
        var books: [EstimateBook] = []
        for site in sites.sites {
            output.progress(.survey)
            // What is written but not yet in the trees would be missing from the figures.
            try site.fileSystem.synchronize()
            result.before.append(try FileSystemUsage(site))
            books.append(try book(of: site, &result, &leftAlone))
        }
        // Nothing was changed: what others wrote meanwhile is no saving, and no loss.
        result.after = result.before
        // A machine may have more qubes than a line has room for.
        result.estimate = estimate(books).fitting()
        result.leftAlone = leftAlone.lines
        result.problems = Array(result.problems.prefix(Limits.namedItems))
        result.elapsedSeconds = output.elapsedSeconds
        return result
    }

    private func book(
        of site: Site, _ result: inout JobResult, _ leftAlone: inout LeftAlone
    ) throws(BtrfsError) -> EstimateBook {
        governor.meanwhile { site.openImages.letGoOfDeleted() }
        let store = LookingStore(
            base: BtrfsStore(site), governor: governor)
        let survey = try SurveyStage(
            site: site, order: order, output: output, governor: governor
        ).run(store, &result).survey
        var scope = order.scope
        // Whether the kernel does is tried by a job, as an estimate writes nothing.
        scope.makesHoles = true
        let compression = CompressionPlanner.plan(
            survey, scope: scope, requested: nil, sectorBytes: store.sectorBytes,
            verdicts: site.cache?.verdicts().atEstimatedLevel ?? Verdicts())
        leftAlone.add(compression.leftAlone)
        let dedupe = try DedupePlanning(
            site: site, store: store, output: output, governor: governor,
            isOfAllFiles: order.isOfAllFiles
        ).plan(survey, scope: scope, compression: .none)
        output.progress(.sample)
        let estimator = Estimator(
            store: store, survey: survey, scope: scope, limits: site.limits,
            threads: Self.threads,
            makeEncoder: { ZstdEncoder() })
        var generator = SystemRandomNumberGenerator()
        return estimator.estimate(compression: compression, dedupe: dedupe, using: &generator) {
            [output] done, total in
            output.progress(.sample, doneBytes: done.rawValue, totalBytes: total.rawValue)
        }
    }

    // MARK: As a message

    private func estimate(_ books: [EstimateBook]) -> Estimate {
        let selected = order.volumes.indices.filter { order.volumes[$0].selected }
        let byQube = Dictionary(grouping: selected) { order.volumes[$0].qube }
        let qubes = byQube.map { name, indices in
            Estimate.Qube(
                name: name, figures: Self.figures(books, Set(indices)),
                volumes: indices.map { index in
                    Estimate.Volume(
                        name: order.volumes[index].name, figures: Self.figures(books, [index]))
                })
        }
        return Estimate(
            total: Self.figures(books, Set(selected)),
            qubes: qubes.sorted {
                ($1.figures.diskBytes, $0.name) < ($0.figures.diskBytes, $1.name)
            }, qubesLeftOut: 0,
            sampledFrames: books.reduce(0) { $0 + UInt64($1.sampleCount) })
    }

    /// File systems share nothing with each other: their figures add up.
    private static func figures(
        _ books: [EstimateBook], _ volumes: Set<Int>
    ) -> Estimate.Figures {
        let parts = books.map { $0.figures(ofVolumes: volumes) }
        func sum(_ part: (EstimateFigures) -> EstimatedSaving?) -> Estimate.Saving {
            let saving = parts.compactMap(part).reduce(EstimatedSaving(), +)
            return Estimate.Saving(savedBytes: saving.savedBytes, errorBytes: saving.errorBytes)
        }
        let levels: [Int?] = [nil] + Estimator.levels
        return Estimate.Figures(
            diskBytes: parts.reduce(0) { $0 + $1.diskBytes }, dedupe: sum(\.dedupe),
            levels: levels.map { level in
                func part(_ figures: EstimateFigures) -> EstimateFigures.Level? {
                    figures.levels.first { $0.level == level }
                }
                return Estimate.Level(
                    level: level, compress: sum { part($0)?.compress },
                    optimize: sum { part($0)?.optimize })
            })
    }
}

extension LeftAlone {
    /// As a result has them: the reason that stands for most first.
    var lines: [JobResult.LeftAlone] {
        tallies.sorted { $0.value.disk > $1.value.disk }.map {
            JobResult.LeftAlone(
                reason: $0.key.rawValue, count: UInt64($0.value.extents),
                diskBytes: $0.value.disk.rawValue,
                references: $0.value.mostReferences > 0
                    ? UInt64($0.value.mostReferences) : nil)
        }
    }
}
