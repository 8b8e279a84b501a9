// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol
internal import Qubes
internal import SystemCalls

/// What each image is to its qube now: read again whenever a directory has changed, as a start
/// renames the precache under us.
final class RoleBook: LiveRoles {
    private let site: Site
    private let order: WorkerOrder
    private let state: Monitor<State>

    private struct State {
        var list: ImageList
        var live: Set<InodeIdentifier>
        var atRest: Set<InodeIdentifier>
        var leftOut: Set<InodeIdentifier>
        var nextCheck: ContinuousClock.Instant
    }

    /// How long a look at the directories is good for.
    private let trust: Duration

    init(
        site: Site, order: WorkerOrder, list: ImageList, trust: Duration = .milliseconds(200)
    ) {
        self.trust = trust
        self.site = site
        self.order = order
        state = Monitor(
            State(
                list: list, live: Self.live(list), atRest: Self.atRest(list),
                leftOut: Self.leftOut(list, order),
                nextCheck: site.clock.now() + trust))
    }

    func isLive(_ inode: InodeIdentifier) -> Bool {
        state.withLock { state in
            refresh(&state)
            return state.live.contains(inode)
        }
    }

    func isLeftOut(_ inode: InodeIdentifier) -> Bool {
        state.withLock { state in
            refresh(&state)
            return state.leftOut.contains(inode)
        }
    }

    /// It is an image that nobody writes to as long as no qube starts on it.
    /// - Parameter asOfNow: look again, however short ago that was.
    func isAtRest(_ inode: InodeIdentifier, asOfNow: Bool = false) -> Bool {
        state.withLock { state in
            if asOfNow { state.nextCheck = site.clock.now() }
            refresh(&state)
            return state.atRest.contains(inode)
        }
    }

    private func refresh(_ state: inout State) {
        guard site.clock.now() >= state.nextCheck else { return }
        if state.list.isOutdated(site: site) {
            let list = ImageList(site: site, order: order, includesSystem: false)
            // What could not be looked at again, as it was covered by a mount, is what it was.
            state.live = list.problems.isEmpty ? Self.live(list) : state.live.union(Self.live(list))
            state.atRest = Self.atRest(list)
            // Numbers are never given twice: what was to be left alone is, whatever became of it.
            state.leftOut.formUnion(Self.leftOut(list, order))
            state.list = list
        }
        state.nextCheck = site.clock.now() + trust
    }

    private static func live(_ list: ImageList) -> Set<InodeIdentifier> {
        Set(list.images.filter(\.role.isLive).map(\.inode))
    }

    private static func atRest(_ list: ImageList) -> Set<InodeIdentifier> {
        Set(list.images.filter(\.role.isAtRest).map(\.inode))
    }

    private static func leftOut(_ list: ImageList, _ order: WorkerOrder) -> Set<InodeIdentifier> {
        Set(list.images.filter { order.volumes[$0.volume].skipped }.map(\.inode))
    }
}
