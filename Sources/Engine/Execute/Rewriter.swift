// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemPackage

/// Packs frames that the kernel can unpack. One for each lane.
public protocol FrameEncoder: Sendable {
    /// Packs `content` into `frame`; nil when it does not fit, which says that it is not worth it.
    func encode(
        _ content: UnsafeRawBufferPointer, into frame: UnsafeMutableRawBufferPointer, level: Int
    ) -> Int?
}

/// Why an extent's content was not written anew.
enum RewriteFailure: Error {
    /// Written anew it would take as much as it does.
    case doesNotShrink
    /// It has come to stand alone: nothing would be joined.
    case staysInOrder
    /// It would shrink, and so many references would take what that brings.
    case costsMetadata(references: Int)
    case store(BtrfsError)
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

/// Writes a batch's parts into a scratch file, packed where they shrink: pack first, decide, then
/// write, so that what brings nothing costs no write.
struct Rewriter: Sendable {
    let frames: FrameMaker
    let limits: ExecutionLimits
    var store: any ExtentStore { frames.store }
    var scratch: any OpenFile { frames.scratch }

    /// Writes the parts of each target; the results are in the order of the parts.
    func rewrite(
        _ parts: [WrittenPart]
    ) -> [Result<Rewritten, RewriteFailure>] {
        var results = [Result<Rewritten, RewriteFailure>](
            repeating: .success(Rewritten()), count: parts.count)
        if parts.count == 1, Ranges.totalBytes(parts[0].ranges) > limits.batchContent {
            return [rewriteLarge(parts[0])]
        }
        let prices = RewritePrices(parts, limits: limits, sectorBytes: store.sectorBytes)
        for index in parts.indices where !prices.mayGain(index) {
            results[index] = .failure(.costsMetadata(references: parts[index].census.count))
        }
        let packed = pack(parts, &results)
        let costs = prices.costs(packed.map(\.0))
        for index in results.indices {
            results[index] = results[index].map { known in
                var new = known
                new.metadataBytes = ByteCount((costs[index] ?? parts[index].cost).grownBytes)
                return new
            }
        }
        var end = FileOffset.start
        for (chain, made) in packed {
            let base = end
            do throws(RewriteFailure) {
                for frame in made { try frames.write(frame, at: base) }
            } catch {
                for slice in chain.slices { results[slice.target] = .failure(error) }
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
        _ parts: [WrittenPart], _ results: inout [Result<Rewritten, RewriteFailure>]
    ) -> [(Chain, [Frame])] {
        var known: [Chain: [Frame]] = [:]
        let targets = parts.map(\.target)
        let prices = RewritePrices(parts, limits: limits, sectorBytes: store.sectorBytes)
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
                let cost = (costs[index] ?? parts[index].cost)
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
        _ part: WrittenPart
    ) -> Result<Rewritten, RewriteFailure> {
        let prices = RewritePrices([part], limits: limits, sectorBytes: store.sectorBytes)
        guard prices.mayGain(0) else {
            return .failure(.costsMetadata(references: part.census.count))
        }
        var rewritten = Rewritten()
        let rewriting = part.target.replacement.rewriting
        do throws(RewriteFailure) {
            for range in Ranges.cut(part.ranges, atMultiplesOf: limits.frameContent) {
                let chain = Chain(slices: [Slice(target: 0, range: range)], rewriting: rewriting)
                let base = FileOffset.start + range.lowerBound
                do throws(ChainFailure) {
                    for frame in try frames.make(chain, of: [part.target]) {
                        if rewritten.diskBytes == .zero, case .packed(let level) = rewriting,
                            frames.disappoints(frame, part.target, part.ranges, level: level)
                        {
                            return .failure(.doesNotShrink)
                        }
                        rewritten.diskBytes += frames.diskBytes(frame)
                        do throws(RewriteFailure) {
                            try frames.write(frame, at: base)
                        } catch {
                            throw ChainFailure(target: 0, failure: error)
                        }
                    }
                } catch {
                    throw error.failure
                }
            }
        } catch {
            return .failure(error)
        }
        rewritten.places = part.ranges.map { ($0, FileOffset.start + $0.lowerBound) }
        let cost = prices.costOfLarge(part)
        rewritten.metadataBytes = ByteCount(cost.grownBytes)
        return loss(part, rewritten.diskBytes, cost).map { .failure($0) } ?? .success(rewritten)
    }

    /// Why it is not worth it; nil when it is. What is written, and what trees grow by, must take
    /// less than what comes back; clearly so if nothing else is gained.
    private func loss(
        _ part: WrittenPart, _ disk: ByteCount, _ cost: ReplacementCost
    ) -> RewriteFailure? {
        let replacement = part.target.replacement
        let data = part.spent + disk
        let all = data + cost.dataBytes(at: limits.price)
        func isGain(_ bytes: ByteCount) -> Bool {
            switch replacement.aim {
            case .order: bytes <= replacement.diskBytes
            case .space: bytes < replacement.diskBytes
            }
        }
        if isGain(all) {
            return replacement.aim == .space && replacement.isWrittenWhole
                && !limits.isWorth(data, of: replacement.diskBytes) ? .doesNotShrink : nil
        }
        let isByReferences = isGain(data) && part.census.count > 1
        return isByReferences ? .costsMetadata(references: part.census.count) : .doesNotShrink
    }
}
