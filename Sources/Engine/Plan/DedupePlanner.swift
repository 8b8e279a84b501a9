// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// Plans which extents can go because what they hold stands elsewhere. Pure.
///
/// An extent's space comes back only when its last reference goes: so an extent is either replaced
/// whole, what is unique in it being written anew, or not touched. Extents are gone through once,
/// those that must stay first, then the largest: each is matched with what is kept so far, and then
/// either replaced or kept itself.
public struct DedupePlanner {
    /// The least of an extent's content that has to stand elsewhere: a fifth. The rest is read,
    /// written anew, and compared for each reference: on the benchmark's set the extents that have
    /// less in common were a quarter of all compares and 2 % of the gain.
    static let contentBytesForOneFreed: UInt64 = 5

    /// For how many replacements room is set aside at once: an array that grows stands twice while
    /// it does, which is hundreds of megabytes. What is not used of it takes no memory.
    private static let roomInAdvance = 1 << 21

    private let survey: Survey
    private let fingerprints: Fingerprints
    private let scope: Scope
    private let sectorBytes: ByteCount
    private let groups: GroupSets
    /// The groups of each extent, by its position in the fingerprints.
    private let groupNumbers: Column<UInt32>
    private var finder: ReferenceFinder
    private var holes: HoleFinder
    private var plan = Plan()
    private let compression: Compression
    private let verdicts: Verdicts
    private let price: MetadataPrice

    /// What becomes of extents that are not found elsewhere.
    public enum Compression: Equatable, Sendable {
        /// They stay as they are.
        case none
        /// They are compressed: at the request's level, if it has one, or at the qubes' own.
        case packed(requested: Replacement.Rewriting?)
    }

    /// Plans.
    /// - Parameter verdicts: what earlier jobs have tried to compress in vain.
    public static func plan(
        _ survey: Survey, _ fingerprints: Fingerprints, scope: Scope, sectorBytes: ByteCount,
        compression: Compression = .none, verdicts: Verdicts = Verdicts(),
        price: MetadataPrice = .usual, resources: MatchResources = MatchResources()
    ) throws(BtrfsError) -> Plan {
        var planner = try DedupePlanner(
            survey, fingerprints, scope, sectorBytes, compression, verdicts, price,
            spills: resources.spills)
        try planner.run(resources)
        return planner.plan
    }

    /// Plans holes, and nothing else.
    public static func planHoles(
        _ survey: Survey, _ fingerprints: Fingerprints, scope: Scope, sectorBytes: ByteCount,
        price: MetadataPrice = .usual, resources: MatchResources = MatchResources()
    ) throws(BtrfsError) -> Plan {
        var planner = try DedupePlanner(
            survey, fingerprints, scope, sectorBytes, .none, Verdicts(), price,
            spills: resources.spills)
        try planner.findHoles(resources.control)
        return planner.plan
    }

    private mutating func findHoles(_ control: any JobControl) throws(BtrfsError) {
        for position in 0..<fingerprints.count {
            try control.checkpoint()
            let extent = extent(position)
            guard scope.judge(extent, in: survey) == .candidate,
                let replacement = try replacement(of: extent, at: position, [])
            else { continue }
            plan.replacements.append(replacement)
        }
        try emptyUnwritten()
        countLeftAlone()
    }

    private init(
        _ survey: Survey, _ fingerprints: Fingerprints, _ scope: Scope, _ sectorBytes: ByteCount,
        _ compression: Compression, _ verdicts: Verdicts, _ price: MetadataPrice,
        spills: (any SpillSource)?
    ) throws(BtrfsError) {
        self.compression = compression
        self.verdicts = verdicts
        self.price = price
        self.survey = survey
        // Keepers are anywhere.
        finder = ReferenceFinder(try survey.scattered())
        holes = HoleFinder(survey, fingerprints, scope, price, sectorBytes: sectorBytes)
        self.fingerprints = fingerprints
        self.scope = scope
        self.sectorBytes = sectorBytes
        var groups = GroupSets()
        var memo = FilesMemo<Int>()
        var numbers = ColumnWriter<UInt32>(spills: spills)
        for position in 0..<fingerprints.count {
            let extent = survey.extents[fingerprints.extent(position)]
            let number = memo.value(of: extent, in: survey) {
                groups.number(of: scope.groups(of: extent, in: survey))
            }
            try numbers.append(UInt32(number))
        }
        groupNumbers = try numbers.finish()
        self.groups = groups
        plan.replacements.reserveCapacity(min(fingerprints.count, Self.roomInAdvance))
    }

    /// An extent by its position in the fingerprints.
    private func extent(_ position: Int) -> Survey.Extent {
        survey.extents[fingerprints.extent(position)]
    }

    private mutating func run(_ resources: MatchResources) throws(BtrfsError) {
        let salts = Set(groupNumbers).reduce(into: [UInt32: [UInt64]]()) { salts, number in
            salts[number] = groups.supersets(of: Int(number)).map(GroupSets.salt)
        }
        let standings = try Standing.column(
            of: survey, fingerprints, scope, spills: resources.spills)
        let members = standings.indices.lazy.map { [self] position in
            MatchMember(
                sectors: fingerprints.range(position), rank: standings[position].rank,
                salt: GroupSets.salt(Int(groupNumbers[position])),
                salts: salts[groupNumbers[position]] ?? [])
        }
        var matcher = try Matcher(members, in: fingerprints, resources: resources)
        fingerprints.expectRandomReads(true)
        try replaceDoubles(by: &matcher, members, standings)
        fingerprints.expectRandomReads(false)
        try emptyUnwritten()
        if case .packed(let requested) = compression {
            try compressOthers(requested: requested)
        } else {
            countLeftAlone()
        }
    }

    /// Replaces what is kept elsewhere: by rank, then by place, the order in which the matcher has
    /// its runs, the largest extents first. They are replaced in the same order: what others are
    /// pointed into has then gone to its new place already, and nothing is moved and compared
    /// twice. A look at all for each of a few ranks takes less than an order of all would.
    private mutating func replaceDoubles(
        by matcher: inout Matcher, _ members: LazyMapSequence<Range<Int>, MatchMember>,
        _ standings: Column<Standing>
    ) throws(BtrfsError) {
        for rank in Set(standings.lazy.map(\.rank)).sorted() {
            for position in standings.indices where standings[position].rank == rank {
                let runs = try matcher.runs(of: members[position])
                // Of most nothing is double or empty, and the survey is not asked about them.
                if runs.isEmpty, !standings[position].isPartlyUnwritten,
                    !fingerprints.holdsZeroes(position)
                {
                    continue
                }
                let extent = extent(position)
                guard scope.judge(extent, in: survey) == .candidate,
                    let replacement = try replacement(of: extent, at: position, runs)
                else { continue }
                plan.replacements.append(replacement)
            }
        }
    }

    /// What was allocated and never written.
    private mutating func emptyUnwritten() throws(BtrfsError) {
        for extent in survey.extents
        where survey.isPreallocated(extent) && scope.judge(extent, in: survey) == .candidate {
            let ranges = try holes.holes(in: extent, at: nil)
            let metadata = cost(of: extent, [], ranges, [], .plain).dataBytes(at: price)
            guard extent.diskBytes > metadata else { continue }
            plan.replacements.append(
                Replacement(
                    address: extent.address, generation: extent.generation,
                    diskBytes: extent.diskBytes, contentBytes: extent.contentBytes, pieces: [],
                    holes: ranges, rewriting: .plain,
                    predictedSaving: extent.diskBytes - metadata, predictedMetadata: metadata))
        }
    }

    /// Compresses what stays, in front of all replacements: they are pointed to what it becomes.
    private mutating func compressOthers(requested: Replacement.Rewriting?) throws(BtrfsError) {
        let replaced = Set(plan.replacements.map(\.address))
        var packed = Plan()
        packed.leftAlone = plan.leftAlone
        let others = survey.extents.indices.lazy.filter { [survey] in
            !replaced.contains(survey.extents[$0].address)
        }
        try packed.add(
            others, of: survey, scope: scope, requested: requested,
            sectorBytes: sectorBytes, verdicts: verdicts
        ) { index throws(BtrfsError) in
            try holes.holes(
                in: survey.extents[index], at: fingerprints.position(ofExtent: index),
                packedUnit: EncodedIO.frameContentBytes)
        }
        plan.leftAlone = packed.leftAlone
        plan.replacements.insert(contentsOf: packed.replacements, at: 0)
    }

    /// How what is unique in a replaced extent is written anew: of a packed one no worse than a job
    /// has packed it.
    private func rewriting(of extent: Survey.Extent) -> Replacement.Rewriting {
        var level: Int?
        if case .packed(let requested) = compression {
            level = CompressionPlanner.wanted(for: extent, survey, scope, requested)?.level
        }
        guard extent.compression == .none else {
            let known = verdicts.packedLevel(of: extent) ?? CompressionPlanner.defaultLevel
            return .packed(level: max(level ?? known, known))
        }
        return level.map { .packed(level: $0) } ?? .plain
    }

    /// The replacement, when it brings more than it costs.
    private mutating func replacement(
        of extent: Survey.Extent, at position: Int, _ runs: [Run]
    ) throws(BtrfsError) -> Replacement? {
        let holes = try holes.holes(in: extent, at: position)
        guard !runs.isEmpty || !holes.isEmpty else { return nil }
        let start = fingerprints.range(position).lowerBound
        let own = fingerprints.range(position)
        var pieces: [Replacement.Piece] = []
        for run in runs where !own.contains(run.keeper) {
            pieces += self.pieces(of: run, from: start)
        }
        pieces = pieces.flatMap { $0.without(holes) }
        let used = survey.usedRanges(of: extent)
        let unique = Ranges.subtract(pieces.map(\.range) + holes, from: used)
        let repeats = runs.filter { own.contains($0.keeper) }
            .flatMap { self.repeats(of: $0, from: start, in: unique) }
        let left = Ranges.subtract(repeats.map(\.range), from: unique)
        let leftDisk = rewrittenBytes(left, of: extent)
        let rewriting = rewriting(of: extent)
        let metadata = cost(
            of: extent, pieces.map(\.range) + repeats.map(\.range), holes, left, rewriting
        ).dataBytes(at: price)
        guard extent.diskBytes > leftDisk + metadata else { return nil }
        let freed = extent.diskBytes - leftDisk
        guard extent.diskBytes.rawValue <= freed.rawValue * Self.contentBytesForOneFreed else {
            return nil
        }
        return Replacement(
            address: extent.address, generation: extent.generation, diskBytes: extent.diskBytes,
            contentBytes: extent.contentBytes, pieces: pieces, repeats: repeats, holes: holes,
            rewriting: rewriting, predictedSaving: freed - metadata, predictedMetadata: metadata)
    }

    /// What the survey's references cost; there may be others in snapshots, which the executor
    /// counts before it does anything.
    private func cost(
        of extent: Survey.Extent, _ elsewhere: [Range<ByteCount>], _ holes: [Range<ByteCount>],
        _ left: [Range<ByteCount>], _ rewriting: Replacement.Rewriting
    ) -> ReplacementCost {
        let references = survey.references(to: extent)
        var cost = ReplacementCost(references: references.count)
        cost.add(holes: holes.count * references.count)
        cost.add(references: elsewhere.count * references.count)
        let unit = rewriting == .plain ? DedupeRange.limitBytes : EncodedIO.frameContentBytes
        let frames = Ranges.cut(left, atMultiplesOf: unit).count
        cost.add(references: frames * references.count)
        cost.add(extents: frames)
        return cost
    }

    /// What parts of an extent will take when they are written anew: of a compressed one their
    /// share of what it takes, and a sector more for each.
    private func rewrittenBytes(
        _ ranges: [Range<ByteCount>], of extent: Survey.Extent
    ) -> ByteCount {
        let length = Ranges.totalBytes(ranges)
        guard extent.compression != .none else { return length }
        let share =
            Double(length.rawValue) / Double(extent.contentBytes.rawValue)
            * Double(extent.diskBytes.rawValue)
        return ByteCount(UInt64(share)).roundedUp(to: sectorBytes)
            + ByteCount(UInt64(ranges.count) * sectorBytes.rawValue)
    }

    /// A run of what stands again and again in the extent itself: all of it but the original, which
    /// is written anew, and so must be in use and stand nowhere else.
    private func repeats(
        of run: Run, from start: Int, in unique: [Range<ByteCount>]
    ) -> [Replacement.Repeat] {
        let unit = run.sectors.lowerBound - run.keeper
        let original = bytes(run.keeper - start)..<bytes(run.sectors.lowerBound - start)
        guard unique.contains(where: { $0.clamped(to: original) == original }) else { return [] }
        return stride(from: run.sectors.lowerBound, to: run.sectors.upperBound, by: unit).map {
            let end = min($0 + unit, run.sectors.upperBound)
            return Replacement.Repeat(
                range: bytes($0 - start)..<bytes(end - start), original: original.lowerBound)
        }.filter { item in
            // None of it is a hole.
            unique.contains { $0.clamped(to: item.range) == item.range }
        }
    }

    /// A run as pieces that each lie within one reference of the keeper.
    private mutating func pieces(of run: Run, from start: Int) -> [Replacement.Piece] {
        let (keeper, sectors) = fingerprints.keeper(at: run.keeper)
        let keeperStart = sectors.lowerBound
        var pieces: [Replacement.Piece] = []
        var done = 0
        while done < run.sectors.count {
            let position = bytes(run.keeper + done - keeperStart)
            guard
                let reference = finder.best(ofExtent: keeper, showing: position)
            else { break }
            let here = bytes(run.sectors.lowerBound + done - start)
            let length = min(
                bytes(run.sectors.count - done), reference.rangeInExtent.upperBound - position)
            let place = Replacement.Place(
                inode: survey.files[reference.file].image.inode,
                offset: reference.fileOffset + (position - reference.offsetInExtent))
            pieces.append(Replacement.Piece(range: here..<(here + length), keeper: place))
            done += Int(length.rawValue / sectorBytes.rawValue)
        }
        return pieces
    }

    private func bytes(_ sectors: Int) -> ByteCount {
        ByteCount(UInt64(sectors) * sectorBytes.rawValue)
    }

    private mutating func countLeftAlone() {
        for extent in survey.extents {
            if case .leave(let reason) = scope.judge(extent, in: survey) {
                plan.leftAlone.add(reason, diskBytes: extent.diskBytes)
            }
        }
    }
}

extension Replacement.Piece {
    /// The parts of it that are not among `ranges`.
    fileprivate func without(_ ranges: [Range<ByteCount>]) -> [Replacement.Piece] {
        Ranges.subtract(ranges, from: [range]).map { part in
            Replacement.Piece(
                range: part,
                keeper: Replacement.Place(
                    inode: keeper.inode,
                    offset: keeper.offset + (part.lowerBound - range.lowerBound)))
        }
    }
}
