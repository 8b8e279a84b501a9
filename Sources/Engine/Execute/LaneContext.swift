// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// What all lanes of a job have in common.
struct LaneContext: Sendable {
    let store: any ExtentStore
    let files: FileCache
    let roles: any LiveRoles
    let limits: ExecutionLimits
    let control: any JobControl
    /// Where holes are taken from; nil where none are made.
    let zeroes: ZeroFile?
    /// What has an address of the survey and is newer is another extent.
    let newestGeneration: Generation
    let fresh: FreshSources
    let pageUses = PageUses()
    let successors = SuccessorKeepers()
    let refusal = DiskRefusal()
    let refusals: LearntRefusals
    let heavyWaves = HeavyWaves()

    init(
        store: any ExtentStore, roles: any LiveRoles, limits: ExecutionLimits,
        control: any JobControl, zeroes: ZeroFile?, newestGeneration: Generation,
        now: @escaping @Sendable () -> ContinuousClock.Instant
    ) {
        refusals = LearntRefusals(hold: limits.refusalHold, now: now)
        self.zeroes = zeroes
        self.newestGeneration = newestGeneration
        self.store = store
        self.roles = roles
        self.limits = limits
        self.control = control
        files = FileCache(store: store, limit: limits.openFiles)
        fresh = FreshSources(store: store)
    }

    /// Nothing new is begun: the job was cancelled, or the disk refuses writes.
    var isStopped: Bool { control.isCancelled || refusal.isSet }

    /// What the job has read, to be let go of.
    var pages: ReadPages {
        ReadPages(store: store, fresh: fresh, roles: roles, uses: pageUses)
    }

    /// For a look at things as they are now.
    var resolver: ReferenceResolver {
        ReferenceResolver(
            store: store, files: files, roles: roles, inodes: InodeBook(store: store),
            refusals: refusals, newestGeneration: newestGeneration)
    }
}
