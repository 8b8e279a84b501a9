// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// A run of sectors that stands elsewhere too.
public struct Run: Equatable, Sendable {
    /// The sectors, by their place.
    public let sectors: Range<Int>
    /// Where the first of them stands as well.
    public let keeper: Int

    /// Makes a run.
    public init(sectors: Range<Int>, keeper: Int) {
        self.sectors = sectors
        self.keeper = keeper
    }
}

/// How one extent takes part.
public struct MatchMember: Sendable {
    /// Its sectors.
    public let sectors: Range<Int>
    /// Extents of a lower rank keep what those of a higher one give up; of equal ranks the earlier
    /// one does. 0 to 127.
    public let rank: UInt8
    /// The group its content may be found in by others.
    public let salt: UInt64
    /// The groups in which it may find others' content; its own among them.
    public let salts: [UInt64]

    /// Makes a member.
    public init(sectors: Range<Int>, rank: UInt8, salt: UInt64, salts: [UInt64]) {
        self.sectors = sectors
        self.rank = rank
        self.salt = salt
        self.salts = salts
    }
}

/// The memory and files of matching.
public struct MatchResources: Sendable {
    /// The records that a sort holds in memory; each takes 16 bytes.
    public var sortRecords = 2 << 20
    /// For what has no room in memory; without them it stays there.
    public var spills: (any SpillSource)?
    /// Asked at each member.
    public var control: any JobControl = Unhindered()

    /// The defaults: 32 MiB, and no files.
    public init() {}
}

/// Finds runs that stand more than once, in bounded memory, whatever the number of sectors.
///
/// Each extent's anchors are sorted by hash. Of equal ones the first, by rank and place, is the
/// keeper's; every other is paired with it and with no other, so that a sector that stands in a
/// million places makes a million pairs and not their square. The pairs, sorted by rank and place,
/// then meet the extents in that order, and are extended to the longest equal run around them.
///
/// Where one block stands again and again (zeroes), the first place of all may be in a short
/// stretch of it, and would cut long ones to pieces. There the keeper is the first in a stretch
/// that is as long; see `Keepers`.
public struct Matcher {
    private let fingerprints: Fingerprints
    private var reader: SumReader
    private var here = SumCursor()
    private var there = SumCursor()
    private var pairs: SortedRecords<SortRecord>
    private let control: any JobControl
    /// How many anchors were sorted.
    public let anchorCount: Int

    /// Sorts the anchors of all members.
    public init(
        _ members: some Sequence<MatchMember>, in fingerprints: Fingerprints,
        resources: MatchResources = MatchResources()
    ) throws(BtrfsError) {
        self.fingerprints = fingerprints
        reader = fingerprints.reader()
        control = resources.control
        let window = WindowHashes.window(sectorCount: fingerprints.sectorCount)
        var anchors = ExternalSorter<SortRecord>(
            capacity: resources.sortRecords, spills: resources.spills)
        var picker = WindowHashes(window: window)
        for member in members {
            try control.checkpoint()
            let found = try picker.anchors(of: member.sectors, in: &reader)
            for (anchor, depth) in zip(found, Repetition.depths(of: found, window: window)) {
                let key = PlaceKey(rank: member.rank, place: anchor.place, depth: depth)
                try anchors.append(
                    SortRecord(key: anchor.hash ^ member.salt, value: key.rawValue))
                for salt in member.salts where salt != member.salt {
                    try anchors.append(
                        SortRecord(key: anchor.hash ^ salt, value: key.asking.rawValue))
                }
            }
        }
        anchorCount = anchors.count
        pairs = try Self.pair(&anchors, resources)
    }

    /// Pairs every anchor but the first of its hash with the keeper.
    private static func pair(
        _ anchors: inout ExternalSorter<SortRecord>, _ resources: MatchResources
    ) throws(BtrfsError) -> SortedRecords<SortRecord> {
        var pairs = ExternalSorter<SortRecord>(
            capacity: resources.sortRecords, spills: resources.spills)
        var records = try anchors.finish()
        var hash: UInt64?
        var keepers = Keepers()
        while let record = try records.next() {
            if record.key != hash {
                hash = record.key
                keepers = Keepers()
            }
            let place = PlaceKey(rawValue: record.value)
            if let keeper = keepers.keeper(for: place) {
                try pairs.append(
                    SortRecord(key: place.answered.rawValue, value: UInt64(keeper.place)))
            }
            if !place.isAsking { keepers.add(place) }
        }
        return try pairs.finish()
    }

    /// The runs of a member: in order, apart from each other, each as long as it can be. To be
    /// asked for in the order of rank and place, each member once.
    public mutating func runs(of member: MatchMember) throws(BtrfsError) -> [Run] {
        try control.checkpoint()
        var runs: [Run] = []
        var covered = member.sectors.lowerBound
        let start = PlaceKey(rank: member.rank, place: member.sectors.lowerBound)
        let end = PlaceKey(rank: member.rank, place: member.sectors.upperBound)
        while let pair = pairs.peek, pair.key < end.rawValue {
            _ = try pairs.next()
            let place = PlaceKey(rawValue: pair.key).place
            guard pair.key >= start.rawValue, place >= covered else { continue }
            var keepers = [Int(pair.value)]
            while let other = pairs.peek, other.key == pair.key {
                _ = try pairs.next()
                keepers.append(Int(other.value))
            }
            // An extent that holds the same twice cannot be replaced by itself, but see below.
            var best: Run?
            for keeper in keepers where !member.sectors.contains(keeper) {
                let run = try extend(place, keeper, within: covered..<member.sectors.upperBound)
                if run.sectors.count > best?.sectors.count ?? 0 { best = run }
            }
            let length = best?.sectors.count ?? 0
            if length < Repetition.unitSectors,
                let own = try repetition(at: place, end: member.sectors.upperBound),
                own.sectors.count > length
            {
                best = own
            }
            guard let best, best.sectors.count >= WindowHashes.sectors else { continue }
            runs.append(best)
            covered = best.sectors.upperBound
        }
        return runs
    }

    /// What follows the mebibyte at a place, if it is that mebibyte again and again: its keeper is
    /// that place, in the same extent.
    private mutating func repetition(
        at original: Int, end: Int
    ) throws(BtrfsError) -> Run? {
        let start = original + Repetition.unitSectors
        var reached = start
        while reached < end, try areEqual(reached, reached - Repetition.unitSectors) {
            reached += 1
        }
        guard reached - start >= Repetition.unitSectors else { return nil }
        return Run(sectors: start..<reached, keeper: original)
    }

    /// The longest run around two places, within limits here and within one extent there.
    private mutating func extend(
        _ place: Int, _ keeper: Int, within limits: Range<Int>
    ) throws(BtrfsError) -> Run {
        let other = fingerprints.keeper(at: keeper).sectors
        var start = 0
        while place - start > limits.lowerBound, keeper - start > other.lowerBound,
            try areEqual(place - start - 1, keeper - start - 1)
        {
            start += 1
        }
        var end = 0
        while place + end < limits.upperBound, keeper + end < other.upperBound,
            try areEqual(place + end, keeper + end)
        {
            end += 1
        }
        return Run(sectors: (place - start)..<(place + end), keeper: keeper - start)
    }

    private mutating func areEqual(_ place: Int, _ keeper: Int) throws(BtrfsError) -> Bool {
        guard let sum = try here.sum(at: place, &reader) else { return false }
        return try there.sum(at: keeper, &reader) == sum
    }
}
