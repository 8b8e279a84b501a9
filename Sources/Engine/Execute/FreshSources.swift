// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemCalls

/// Sees to it that what others are pointed at is read from the device first.
///
/// The kernel's compare takes a page from the cache where it is there: it then asks neither the
/// device nor the checksum. A sector that has gone bad since, or one that a failed write never
/// reached, looks right, and the good copy that is pointed at it is freed (docs/engine.md). So the
/// pages of a source are let go before anything is shared from it; whoever reads it afterwards, and
/// be it the compare itself, gets what the device gives back.
///
/// What this job has let go once need not be let go again: what is in the cache since was read from
/// the device. The same holds for what was not in the cache when the job came to it, and for what
/// the job has pointed at a fresh source: that is the very extent that was read.
final class FreshSources: Sendable {
    /// A range of an open file.
    struct Part: Sendable {
        let inode: InodeIdentifier
        let file: any OpenFile
        let range: Range<ByteCount>
    }

    /// What stays in the cache whatever is done: nothing may be shared from there.
    struct Stale: Sendable {
        fileprivate(set) var ranges: [InodeIdentifier: RangeSet] = [:]
        /// Writes of others that the device has refused.
        fileprivate(set) var failures: [BtrfsError] = []

        /// The parts of a range that are stale.
        func parts(of range: Range<ByteCount>, in inode: InodeIdentifier) -> [Range<ByteCount>] {
            ranges[inode]?.parts(of: range) ?? []
        }
    }

    /// The most ranges that are remembered; then all are forgotten, which costs reads.
    static let rangeLimit = 32_768
    /// What stays is looked for down to this length.
    static let grain = ByteCount.kibibytes(64)

    private let store: any ExtentStore
    private let known = Monitor(Known())

    private struct Known {
        var fresh: [InodeIdentifier: RangeSet] = [:]
        var count = 0
        /// What is being let go of at the moment, and is remembered no more.
        var leaving: [InodeIdentifier: RangeSet] = [:]

        /// What is about to be let go is remembered no more.
        /// - Returns: the parts of the ranges that were.
        mutating func take(
            _ ranges: [Range<ByteCount>], of inode: InodeIdentifier
        ) -> [Range<ByteCount>] {
            guard var set = fresh[inode] else { return [] }
            let before = set.ranges.count
            let taken = ranges.flatMap { set.parts(of: $0) }
            if taken.isEmpty { return [] }
            // Written back at the end: a copy would be made for each.
            fresh[inode] = nil
            for range in taken { set.remove(range) }
            if !set.ranges.isEmpty { fresh[inode] = set }
            count += set.ranges.count - before
            return taken
        }
    }

    init(store: any ExtentStore) { self.store = store }

    /// Lets go of what was not let go before.
    func refresh(_ parts: [Part]) -> Stale {
        var stale = Stale()
        for (inode, parts) in Dictionary(grouping: parts, by: \.inode) {
            guard let file = parts.first?.file else { continue }
            let wanted = Ranges.union(parts.map(\.range))
            let missing = known.withLock { known in
                wanted.flatMap { known.fresh[inode, default: RangeSet()].missing(of: $0) }
            }
            let fresh = missing.filter { letGo(file, $0) }
            let stubborn = missing.filter { !fresh.contains($0) }
            let stays = stubborn.isEmpty ? [] : insist(file, stubborn, &stale)
            for range in stays { stale.ranges[inode, default: RangeSet()].insert(range) }
            remember(fresh + Ranges.subtract(stays, from: stubborn), of: inode)
        }
        return stale
    }

    /// A part that is about to be read, for whatever: what is not in the cache now will have come
    /// from the device should it become a source later, and is the job's to let go of.
    /// - Returns: that, with what is so already.
    @discardableResult
    func expect(_ part: Part) -> [Range<ByteCount>] {
        let known = self.known.withLock { known in
            [known.fresh, known.leaving].flatMap { $0[part.inode]?.parts(of: part.range) ?? [] }
        }
        let missing = Ranges.subtract(known, from: [part.range])
        let own = Ranges.union(known + missing.flatMap { absent(part.file, $0) })
        remember(own, of: part.inode)
        return own
    }

    /// Starts the reads of a part.
    func readAhead(_ part: Part) {
        let own = expect(part)
        store.prefetch(
            part.file, at: .start + part.range.lowerBound,
            lengthBytes: part.range.upperBound - part.range.lowerBound)
        // Another lane may have come to it, and let go of it, between the two.
        remember(own, of: part.inode)
    }

    /// The range shows what was read from the device: it was pointed at a fresh source.
    func add(_ range: Range<ByteCount>, of inode: InodeIdentifier) {
        remember([range], of: inode)
    }

    /// What was let go is to be let go again.
    func forget(_ range: Range<ByteCount>, of inode: InodeIdentifier) {
        known.withLock { _ = $0.take([range], of: inode) }
    }

    /// Lets go of what of the ranges is the job's to let go of.
    /// - Parameter unneeded: what of them nobody will read. It is asked when nothing can be
    ///   remembered meanwhile: who says before that it needs some, and then reads it, would read it
    ///   once more when it was let go of, and nobody would know.
    func letGo(
        of ranges: [Range<ByteCount>], in inode: InodeIdentifier, _ file: any OpenFile,
        unneeded: ([Range<ByteCount>]) -> [Range<ByteCount>] = { $0 }
    ) {
        // Whoever is about to read it meanwhile sees pages that are there for a moment longer, and
        // must not take them for somebody else's.
        let taken = known.withLock { known in
            let taken = known.take(unneeded(ranges), of: inode)
            for range in taken { known.leaving[inode, default: RangeSet()].insert(range) }
            return taken
        }
        for range in taken {
            store.forget(
                file, at: .start + range.lowerBound,
                lengthBytes: range.upperBound - range.lowerBound)
        }
        known.withLock { known in
            for range in taken { known.leaving[inode]?.remove(range) }
            if known.leaving[inode]?.ranges.isEmpty == true { known.leaving[inode] = nil }
        }
    }

    /// The files of which something is remembered, with what.
    var all: [InodeIdentifier: [Range<ByteCount>]] {
        known.withLock { $0.fresh.mapValues(\.ranges) }
    }

    private func remember(_ ranges: [Range<ByteCount>], of inode: InodeIdentifier) {
        known.withLock { known in
            for range in ranges {
                if known.count >= Self.rangeLimit {
                    known.fresh = [:]
                    known.count = 0
                }
                let before = known.fresh[inode]?.ranges.count ?? 0
                known.fresh[inode, default: RangeSet()].insert(range)
                known.count += (known.fresh[inode]?.ranges.count ?? 0) - before
            }
        }
    }

    /// - Returns: whether nothing of it is in the cache any more.
    private func letGo(_ file: any OpenFile, _ range: Range<ByteCount>) -> Bool {
        store.forget(
            file, at: .start + range.lowerBound, lengthBytes: range.upperBound - range.lowerBound)
        return isAbsent(file, range)
    }

    /// What of a range is not in the cache, to within a grain.
    private func absent(
        _ file: any OpenFile, _ range: Range<ByteCount>
    ) -> [Range<ByteCount>] {
        let length = range.upperBound - range.lowerBound
        guard
            let cached = try? store.cachedBytes(
                file, at: .start + range.lowerBound, lengthBytes: length),
            cached < length
        else { return [] }
        if cached == .zero { return [range] }
        return length > Self.grain ? halves(of: range).flatMap { absent(file, $0) } : []
    }

    private func halves(of range: Range<ByteCount>) -> [Range<ByteCount>] {
        let length = range.upperBound - range.lowerBound
        let half = ByteCount(length.rawValue / 2).roundedUp(to: Self.grain)
        let middle = min(range.lowerBound + half, range.upperBound)
        return [range.lowerBound..<middle, middle..<range.upperBound].filter { !$0.isEmpty }
    }

    /// - Returns: whether nothing of it is in the cache.
    private func isAbsent(_ file: any OpenFile, _ range: Range<ByteCount>) -> Bool {
        let cached = try? store.cachedBytes(
            file, at: .start + range.lowerBound, lengthBytes: range.upperBound - range.lowerBound)
        return cached == .zero
    }

    /// Pages that are dirty or under writeback are waited for, once; of what is being read just now
    /// the end is waited for; and a large page goes only whole.
    /// - Returns: what stays all the same.
    private func insist(
        _ file: any OpenFile, _ ranges: [Range<ByteCount>], _ stale: inout Stale
    ) -> [Range<ByteCount>] {
        do throws(BtrfsError) {
            try store.flush(file)
        } catch {
            stale.failures.append(error)
            return ranges
        }
        return ranges.flatMap { stays(file, $0) }
    }

    private func stays(_ file: any OpenFile, _ range: Range<ByteCount>) -> [Range<ByteCount>] {
        let unit = Self.largePage
        let around = range.lowerBound.roundedDown(to: unit)..<range.upperBound.roundedUp(to: unit)
        if letGo(file, around) || letGo(file, range) { return [] }
        let length = range.upperBound - range.lowerBound
        if length <= Self.grain {
            waitForReads(file, range)
            return letGo(file, range) ? [] : [range]
        }
        return halves(of: range).flatMap { letGo(file, $0) ? [] : stays(file, $0) }
    }

    /// A page that is being read is locked, and stays; whoever reads it too waits for it. Sector by
    /// sector, as a read ends at the first that is bad, and would not wait for those behind it.
    private func waitForReads(_ file: any OpenFile, _ range: Range<ByteCount>) {
        let sector = store.sectorBytes
        unsafe withUnsafeTemporaryAllocation(byteCount: sector.count, alignment: 8) { buffer in
            for start in stride(
                from: range.lowerBound.count, to: range.upperBound.count, by: sector.count)
            {
                _ = try? unsafe store.read(
                    file, at: .start + ByteCount(start), into: buffer)
            }
        }
    }

    /// No page of the cache is larger (PMD_ORDER on x86-64).
    private static let largePage = ByteCount.mebibytes(2)
}
