// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemCalls
internal import SystemPackage

/// Why an extent's content was not written anew.
enum RewriteFailure: Error {
    /// Written anew it would take as much as it does.
    case doesNotShrink
    /// It would shrink, and what trees grow by takes what that brings. With other neighbours, or
    /// when a snapshot has gone, it may be otherwise.
    case costsAsMuch
    /// It has come to stand alone: nothing would be joined.
    case staysInOrder
    /// It would shrink, and so many references would take what that brings.
    case costsMetadata(references: Int)
    /// It would gain if others had changed the leaves that snapshots share, so that it may when all
    /// else is done; and what it is if not.
    indirect case paysLater(RewriteFailure)
    /// There is no room for it.
    case noRoom(BtrfsError)
    /// A range of a file cannot be read.
    case unreadable(BtrfsError, InodeIdentifier, Range<FileOffset>)
    case store(BtrfsError)
}

extension RewriteFailure {
    /// The references of a part take what it would bring.
    static func costsMetadata(_ part: WrittenPart) -> RewriteFailure {
        .costsMetadata(references: part.census.count)
    }

    /// Why nothing is gained at a cost; nil when something is.
    static func loss(
        at cost: ReplacementCost, otherwise failure: RewriteFailure,
        _ gains: (ReplacementCost) -> Bool
    ) -> RewriteFailure? {
        if gains(cost) { return nil }
        return gains(cost.withoutUnsharing) ? .paysLater(failure) : failure
    }
}

/// Where a target's parts have come to stand in the scratch file, and what that takes.
struct Rewritten: Sendable {
    var places: [(range: Range<ByteCount>, offset: FileOffset)] = []
    var diskBytes = ByteCount.zero
    /// By how much trees grow for it.
    var metadataBytes = ByteCount.zero

    /// Where repeats are to be had: where their originals stand.
    func places(
        of repeats: [Replacement.Repeat]
    ) -> [(range: Range<ByteCount>, offset: FileOffset)] {
        repeats.compactMap { item in
            let original = item.originalRange
            let place = places.first {
                $0.range.lowerBound <= original.lowerBound
                    && original.upperBound <= $0.range.upperBound
            }
            return place.map {
                (item.range, $0.offset + (original.lowerBound - $0.range.lowerBound))
            }
        }
    }
}

/// What was written for a batch, on the device.
struct RewrittenBatch: Sendable {
    /// In the order of the parts.
    var results: [Result<Rewritten, RewriteFailure>]
    /// What to share from; nil when nothing was written.
    var settled: (any OpenFile)?
    /// What is known of what was written. Of what is given up in the end as well: who keeps that
    /// forgets it with the next survey.
    var verdicts: [Verdict] = []
}

/// Writes a batch's parts into a scratch file, packed where they shrink: pack first, decide, then
/// write, so that what brings nothing costs no write. Nothing of it is handed out before it is on
/// the device.
struct Rewriter {
    let frames: FrameMaker
    let limits: ExecutionLimits
    var store: any ExtentStore { frames.store }
    var scratch: any ScratchFile { frames.scratch }

    /// Writes the parts of each target, and waits until they are on the device.
    /// - Parameter count: takes what was written, also by an attempt that fails.
    /// - Throws: what ends the job: the device refuses writes, or the job was cancelled.
    func rewrite(
        _ parts: [WrittenPart], counting count: inout ByteCount
    ) throws(BtrfsError) -> RewrittenBatch {
        let prices = RewritePrices(parts, limits: limits, sectorBytes: store.sectorBytes)
        if parts.allSatisfy({ $0.ranges.isEmpty }) {
            return RewrittenBatch(
                results: parts.indices.map { index in
                    prices.failure(index).map { .failure($0) }
                        ?? .success(Rewritten(metadataBytes: parts[index].cost.growth))
                })
        }
        let generation = try store.generation()
        var written: [Settlement.Frame] = []
        defer { count += written.reduce(ByteCount.zero) { $0 + $1.diskBytes } }
        let results = try write(parts, &written)
        // What is given up is not shared from.
        guard results.contains(where: { (try? $0.get()) != nil }), !written.isEmpty
        else { return RewrittenBatch(results: results) }
        let settled = try settle(written, since: generation)
        return RewrittenBatch(
            results: results, settled: settled.file,
            verdicts: Settlement.verdicts(on: settled.extents, of: written))
    }

    /// Waits until all of it is on the device and in the tree.
    ///
    /// Once, of thousands of jobs, a write had been waited for and was not in the tree, on a disk
    /// that refused nothing. So what is missing is looked for a few times more. What the device has
    /// refused never comes to be there: the kernel puts nothing into a tree for it.
    private func settle(
        _ written: [Settlement.Frame], since generation: Generation
    ) throws(BtrfsError) -> SettledScratch {
        var pauses = limits.settlePausesMilliseconds.makeIterator()
        while true {
            let settled = try store.settle(scratch)
            guard
                let missing = Settlement.firstMissing(
                    written, in: settled.extents, since: generation)
            else { return settled }
            guard let pause = pauses.next() else {
                throw .refusedWrite(
                    "look for \(missing) in \(settled.extents.count) items", .ioError)
            }
            Pause.milliseconds(pause)
        }
    }

    private func write(
        _ parts: [WrittenPart], _ written: inout [Settlement.Frame]
    ) throws(BtrfsError) -> [Result<Rewritten, RewriteFailure>] {
        if parts.count == 1, Ranges.totalBytes(parts[0].ranges) > limits.batchContent {
            return [try rewriteLarge(parts[0], &written)]
        }
        let prices = RewritePrices(parts, limits: limits, sectorBytes: store.sectorBytes)
        var results = parts.indices.map { index -> Result<Rewritten, RewriteFailure> in
            prices.failure(index).map { .failure($0) } ?? .success(Rewritten())
        }
        for (part, result) in zip(parts, results) where (try? result.get()) != nil {
            frames.prefetchFirst(part.ranges, of: part.target)
        }
        let packed = pack(parts, prices, &results)
        let costs = prices.costs(packed.map(\.0))
        for index in results.indices {
            results[index] = results[index].map { known in
                var new = known
                new.metadataBytes = (costs[index] ?? parts[index].cost).growth
                return new
            }
        }
        // Not at the start of the file, where the kernel may put what is small into the tree.
        var end = FileOffset.start + limits.frameContent
        for (chain, made) in packed {
            let base = end
            do throws(BtrfsError) {
                for frame in made {
                    try write(frame, at: base, chain.rewriting.level, &written)
                }
            } catch {
                guard error.isFull else { throw error }
                for slice in chain.slices { results[slice.target] = .failure(.noRoom(error)) }
            }
            // A gap keeps the kernel from joining what does not belong together.
            end = base + (chain.lengthBytes + store.sectorBytes).roundedUp(to: limits.frameContent)
            let disk = made.reduce(ByteCount.zero) { $0 + frames.diskBytes($1) }
            var position = base
            for (slice, charge) in zip(chain.slices, Layout.charges(chain, total: disk)) {
                results[slice.target] = results[slice.target].map { known in
                    var new = known
                    new.places.append((slice.range, position))
                    new.diskBytes += charge.bytes
                    return new
                }
                position = position + slice.lengthBytes
            }
        }
        return results
    }

    /// Packs chains until every target in them gains; what does not is taken out, and its
    /// neighbours are packed without it.
    private func pack(
        _ parts: [WrittenPart], _ prices: RewritePrices,
        _ results: inout [Result<Rewritten, RewriteFailure>]
    ) -> [(Chain, [Frame])] {
        var known: [Chain: [Frame]] = [:]
        let targets = parts.map(\.target)
        while true {
            let left = parts.indices.filter { (try? results[$0].get()) != nil }
            let chains = Layout.chains(left.map { ($0, parts[$0]) }, limits: limits)
            var disk: [Int: ByteCount] = [:]
            var hasFailed = false
            for chain in chains {
                if known[chain] == nil {
                    do throws(ChainFailure) {
                        known[chain] = try frames.make(chain, of: targets)
                    } catch {
                        results[error.target] = .failure(error.failure)
                        hasFailed = true
                        continue
                    }
                }
                let total = (known[chain] ?? []).reduce(ByteCount.zero) {
                    $0 + frames.diskBytes($1)
                }
                for (target, bytes) in Layout.charges(chain, total: total) {
                    disk[target, default: .zero] += bytes
                }
            }
            if hasFailed { continue }
            let alone = Set(chains.filter { $0.slices.count == 1 }.map { $0.slices[0].target })
            let lonely = left.filter { parts[$0].isForOrder && alone.contains($0) }
            for index in lonely { results[index] = .failure(.staysInOrder) }
            let costs = prices.costs(chains)
            let losing = left.filter { index in
                let cost = costs[index] ?? parts[index].cost
                guard !lonely.contains(index),
                    let loss = loss(parts[index], disk[index] ?? .zero, cost)
                else { return false }
                results[index] = .failure(loss)
                return true
            }
            if losing.isEmpty && lonely.isEmpty { return chains.map { ($0, known[$0] ?? []) } }
        }
    }

    /// An extent that is larger than a batch goes through in frames; the first has to show that it
    /// is worth it.
    private func rewriteLarge(
        _ part: WrittenPart, _ written: inout [Settlement.Frame]
    ) throws(BtrfsError) -> Result<Rewritten, RewriteFailure> {
        let prices = RewritePrices([part], limits: limits, sectorBytes: store.sectorBytes)
        if let failure = prices.failure(0) { return .failure(failure) }
        var rewritten = Rewritten()
        let rewriting = part.target.replacement.rewriting
        var coming = Ranges.cut(part.ranges, atMultiplesOf: limits.frameContent)[...]
        var ahead = ByteCount.zero
        var isDecided = !frames.look.isDue(for: part.target, writing: part.ranges)
        frames.prefetchFirst(part.ranges, of: part.target)
        for range in coming {
            while isDecided, ahead < limits.prefetchAhead, let next = coming.popFirst() {
                frames.prefetch([next], of: part.target)
                ahead += next.upperBound - next.lowerBound
            }
            isDecided = true
            ahead = ahead - min(range.upperBound - range.lowerBound, ahead)
            let chain = Chain(slices: [Slice(target: 0, range: range)], rewriting: rewriting)
            let made: [Frame]
            do throws(ChainFailure) {
                made = try frames.make(chain, of: [part.target])
            } catch {
                return .failure(error.failure)
            }
            for frame in made {
                if rewritten.diskBytes == .zero, case .packed(let level) = rewriting,
                    frames.disappoints(frame, part.target, part.ranges, level: level)
                {
                    return .failure(.doesNotShrink)
                }
                rewritten.diskBytes += frames.diskBytes(frame)
                do throws(BtrfsError) {
                    try write(
                        frame, at: FileOffset.start + range.lowerBound, rewriting.level, &written)
                } catch {
                    guard error.isFull else { throw error }
                    return .failure(.noRoom(error))
                }
            }
        }
        rewritten.places = part.ranges.map { ($0, FileOffset.start + $0.lowerBound) }
        let cost = prices.costOfLarge(part)
        rewritten.metadataBytes = cost.growth
        return loss(part, rewritten.diskBytes, cost).map { .failure($0) } ?? .success(rewritten)
    }

    private func write(
        _ frame: Frame, at base: FileOffset, _ level: Int?,
        _ written: inout [Settlement.Frame]
    ) throws(BtrfsError) {
        do throws(BtrfsError) {
            try frames.write(frame, at: base)
        } catch {
            throw error.reason == .ioError ? .refusedWrite(error.call, error.reason) : error
        }
        let length = frame.range.upperBound - frame.range.lowerBound
        written.append(
            Settlement.Frame(
                offset: base + frame.range.lowerBound,
                lengthBytes: length.roundedUp(to: store.sectorBytes),
                packedBytes: frame.isPacked ? frames.diskBytes(frame) : nil, level: level))
    }

    /// Why it is not worth it; nil when it is. What is written, and what trees grow by, must take
    /// less than what comes back; clearly so if nothing else is gained.
    private func loss(
        _ part: WrittenPart, _ disk: ByteCount, _ cost: ReplacementCost
    ) -> RewriteFailure? {
        let replacement = part.target.replacement
        let data = part.spent + disk
        func isGain(_ bytes: ByteCount) -> Bool {
            switch replacement.aim {
            case .order: bytes <= replacement.diskBytes
            case .space: bytes < replacement.diskBytes
            case .plain: true
            }
        }
        let hasToShrink = replacement.aim == .space && replacement.isWrittenWhole
        guard isGain(data), !hasToShrink || limits.isWorth(data, of: replacement.diskBytes)
        else { return .doesNotShrink }
        return RewriteFailure.loss(
            at: cost, otherwise: part.census.count > 1 ? .costsMetadata(part) : .costsAsMuch
        ) { isGain(data + $0.dataBytes(at: limits.price)) }
    }
}
