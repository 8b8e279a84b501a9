// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs

@testable import Engine

/// Jobs on a model, as the worker puts them together.
struct ModelJob {
    let store: ModelStore
    var roles = ModelRoles()
    var limits = {
        var limits = ExecutionLimits()
        limits.settlePausesMilliseconds = [0, 0]
        return limits
    }()
    var lanes = 1
    var control: any JobControl = Unhindered()
    /// Of the first lane.
    var journal: (any MoveJournal)?
    var order = BatchOrder.asPlanned
    var now: @Sendable () -> ContinuousClock.Instant = { .now }
    /// How many read fingerprints.
    var threads = 1
    var checksumKind = ChecksumKind.crc32c
    /// The volume that each file belongs to; all to the first where it is not named.
    var owners: [InodeIdentifier: [Int]] = [:]
    var volumes = [ModelJob.volume()]

    static func volume(
        selected: Bool = true, skipped: Bool = false, level: Int? = nil, group: Int = 0
    ) -> Scope.Volume {
        Scope.Volume(
            isSelected: selected, isSkipped: skipped, packing: Replacement.Rewriting(number: level),
            group: group)
    }

    /// What survey and plan spill to; nil: they stay in memory.
    var spills: TestSpills?
    var includesLiveOnly = false
    var makesHoles = false
    /// What earlier jobs have found out.
    var verdicts = Verdicts()
    /// The level at which others pack; nil: what is packed stays.
    var levelOfOthers: Int?

    var scope: Scope {
        var scope = Scope(volumes: volumes, includesLiveOnly: includesLiveOnly)
        scope.makesHoles = makesHoles
        scope.levelOfOthers = levelOfOthers
        return scope
    }

    func survey() -> Survey {
        let state = store.state
        let images = state.files.filter { !$0.value.isScratch }.keys.sorted().map { inode in
            ImageFile(
                inode: inode, owners: owners[inode] ?? [0], isLive: roles.live.contains(inode))
        }
        return Surveyor.held(images, in: store, spills: spills)
    }

    func compressionPlan(level: Int? = 3) -> Plan {
        CompressionPlanner.plan(
            survey(), scope: scope, requested: Replacement.Rewriting(number: level),
            sectorBytes: store.sectorBytes,
            verdicts: verdicts)
    }

    /// What the eligible extents show.
    func fingerprints(
        of survey: Survey, forged: [UInt32: UInt32] = [:],
        into writer: FingerprintWriter? = nil
    ) throws -> Fingerprints {
        let fingerprinter = Fingerprinter(
            store: store,
            checksums: ModelChecksums(store: store, forged: forged, kind: checksumKind),
            decoder: ModelDecoder(), threads: threads)
        let eligible = try DedupePlanner.eligible(survey, scope: scope, spills: spills)
        return try fingerprinter.fingerprint(
            eligible, of: survey, into: writer ?? FingerprintWriter(spills: spills)
        ) { _ in }
    }

    private var resources: MatchResources {
        var resources = MatchResources()
        resources.spills = spills
        if spills != nil { resources.sortRecords = 16 }
        return resources
    }

    func dedupePlan(forged: [UInt32: UInt32] = [:]) throws -> Plan {
        let survey = survey()
        let fingerprints = try fingerprints(of: survey, forged: forged)
        return try DedupePlanner.plan(
            survey, fingerprints, scope: scope, sectorBytes: store.sectorBytes,
            resources: resources)
    }

    func optimizePlan() throws -> Plan {
        let survey = survey()
        return try DedupePlanner.plan(
            survey, try fingerprints(of: survey), scope: scope, sectorBytes: store.sectorBytes,
            compression: .packed(requested: .packed(level: 3)), verdicts: verdicts,
            resources: resources)
    }

    func holePlan() throws -> Plan {
        let survey = survey()
        return try DedupePlanner.planHoles(
            survey, try fingerprints(of: survey), scope: scope, sectorBytes: store.sectorBytes,
            resources: resources)
    }

    /// The checksums of whole sectors.
    func sums(ofSectors content: [UInt8]) throws -> [UInt32] {
        stride(from: 0, to: content.count, by: Int(ModelState.sector)).map { start in
            let sector = content[start..<(start + Int(ModelState.sector))]
            return unsafe Array(sector).withUnsafeBytes { unsafe checksumKind.checksum(of: $0) }
        }
    }

    /// - Parameter survey: what the plan was made from; nil to make one now.
    func execute(
        _ plan: Plan, by survey: Survey? = nil,
        progress: @escaping @Sendable (_ done: ByteCount, _ saved: ByteCount) -> Void = { _, _ in }
    ) throws(BtrfsError) -> ExecutionOutcome {
        let parts = (0..<lanes).map { lane in
            Executor.LaneParts(
                scratch: store.scratch(1_000_000 + UInt64(lane)), encoder: ModelEncoder(),
                journal: lane == 0 ? journal : nil)
        }
        let executor = Executor(
            store: store, roles: roles, survey: survey ?? self.survey(), lanes: parts,
            zeroes: makesHoles ? store.zeroes() : nil, limits: limits, control: control,
            now: now)
        return try executor.run(plan.replacements, order: order, progress: progress)
    }

    @discardableResult func compress() throws -> ExecutionOutcome {
        try execute(compressionPlan())
    }

    @discardableResult func dedupe() throws -> ExecutionOutcome { try execute(dedupePlan()) }
}

extension Surveyor {
    /// A survey that finds room for what it reads.
    static func held(
        _ images: [ImageFile], in catalog: some ExtentCatalog, spills: TestSpills? = nil,
        progress: (_ done: ByteCount, _ total: ByteCount) -> Void = { _, _ in }
    ) -> Survey {
        do throws(BtrfsError) {
            return try survey(images, in: catalog, spills: spills, progress: progress)
        } catch {
            // Only a test that gives too little room leads here, and it has to end.
            preconditionFailure("a survey had no room: \(error)")
        }
    }
}
