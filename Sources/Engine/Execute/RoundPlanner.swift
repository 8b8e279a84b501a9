// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// What a round consists of.
struct PlannedRound: Sendable {
    var works: [RoundWork] = []
    var deferred = DeferredReplacements()
}

/// What a batch has no place for.
struct DeferredReplacements: Sendable {
    /// A batch each: what ends within a sector can only follow to where the scratch file ends.
    var alone: [Replacement] = []
    /// A batch behind it: it would have made it too large.
    var later: [Replacement] = []

    /// The batches to come; the last of them first.
    var batches: [[Replacement]] { alone.map { [$0] } + (later.isEmpty ? [] : [later]) }

    mutating func add(_ other: DeferredReplacements) {
        alone += other.alone
        later += other.later
    }
}

/// Makes a round's works of what is pending: looks where the content stands now, and has the rest
/// written anew.
struct RoundPlanner {
    let context: LaneContext
    let chooser: KeeperChooser
    let rewriter: Rewriter
    let settler: Settler

    private var store: any ExtentStore { context.store }
    private var limits: ExecutionLimits { context.limits }

    /// Resolves references, and writes what has to be written anew.
    /// - Parameters:
    ///   - references: takes what may be read through, to be let go of in the end.
    ///   - result: takes what is left alone. It outlives an error, as they do: of a job that is
    ///     cancelled all is counted that was decided.
    /// - Throws: what ends the job.
    func plan(
        _ batch: [PendingReplacement], _ references: inout [OpenReference],
        _ result: inout BatchResult
    ) throws(BtrfsError) -> PlannedRound {
        let resolver = context.resolver
        let stale = chooser.refresh(for: batch, resolver)
        for failure in stale.failures { result.outcome.add(failure) }
        var round = PlannedRound()
        let resolved = try resolve(batch, resolver, &round.deferred, &references, &result)
        let targets = resolved.map { pending, target in
            let (keepers, pending) = chooser.choose(for: pending, target, resolver, stale)
            return PlannedTarget(pending: pending, target: target, keepers: keepers)
        }
        round.works = try write(targets, &result)
        return round
    }

    // MARK: References

    private func resolve(
        _ batch: [PendingReplacement], _ resolver: ReferenceResolver,
        _ deferred: inout DeferredReplacements, _ opened: inout [OpenReference],
        _ result: inout BatchResult
    ) throws(BtrfsError) -> [(PendingReplacement, ReplacementTarget)] {
        var targets: [(PendingReplacement, ReplacementTarget)] = []
        var references = 0
        for pending in batch {
            if context.control.isCancelled { throw .cancellation }
            if references >= limits.batchReferences, pending.isUnmoved {
                deferred.later.append(pending.replacement)
                continue
            }
            do throws(ReplacementObstacle) {
                let target = try resolver.resolve(pending.replacement)
                if batch.count > 1, pending.isUnmoved, target.references.contains(where: \.isTail) {
                    deferred.alone.append(pending.replacement)
                    continue
                }
                references += target.references.count
                if pending.isUnmoved, target.comparedBytes > limits.compareOfExtent {
                    result.outcome.leftAlone.add(
                        .tooManySnapshots, diskBytes: pending.replacement.diskBytes,
                        references: target.references.count)
                    continue
                }
                opened += target.references
                prefetchFirst(target)
                targets.append((pending, target))
            } catch {
                result.outcome.add(settler.leave(pending, error))
            }
        }
        return targets
    }

    /// The reference that its content will be read through.
    private func prefetchFirst(_ target: ReplacementTarget) {
        let frames = rewriter.frames
        if frames.look.isDue(for: target, writing: target.usedRanges) {
            frames.prefetchFirst(target.usedRanges, of: target)
            return
        }
        guard let first = target.references.first(where: { !$0.isPreallocated }) else { return }
        let start = ByteCount(first.fileOffset.rawValue)
        context.fresh.readAhead(
            .init(inode: first.inode, file: first.file, range: start..<(start + first.lengthBytes)))
    }

    // MARK: What is written anew

    private func write(
        _ targets: [PlannedTarget], _ result: inout BatchResult
    ) throws(BtrfsError) -> [RoundWork] {
        var targets = targets
        let leaves = SharedLeaves(targets.map(\.target), price: limits.price)
        var parts = targets.map { $0.part(leaves) }
        let room = MetadataRoom(for: parts, limits: limits, sectorBytes: store.sectorBytes)
        for index in room.placesWithout(context.control.hasRoom(forMetadata:)).reversed() {
            result.outcome.add(settler.leave(targets[index].pending, .leave(.noMetadataRoom)))
            targets.remove(at: index)
            parts.remove(at: index)
        }
        let batch = try rewriter.rewrite(parts, counting: &result.outcome.written)
        result.outcome.add(batch.verdicts)
        var works: [RoundWork] = []
        for (planned, rewriting) in zip(targets, batch.results) {
            switch rewriting {
            case .success(let rewritten):
                works.append(planned.work(rewritten, in: batch.settled))
            case .failure(let failure):
                if case .doesNotShrink = failure, let verdict = planned.verdict {
                    result.outcome.add([verdict])
                }
                result.add(try settler.leave(planned.pending, failure))
            }
        }
        return works
    }
}
