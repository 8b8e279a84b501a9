// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Engine
import Testing

/// What must hold on a model whatever happened to a job.
struct Laws {
    private let diskUse: UInt64
    private let writtenByOwners: UInt64
    private let metadataUse: UInt64
    private let metadataOfOwners: UInt64
    private let unreadable: Set<ModelDevice.Sector>
    private let cached: Set<ModelDevice.Sector>
    private let store: ModelStore
    private let job: ModelJob

    init(before job: ModelJob) {
        self.job = job
        store = job.store
        diskUse = store.state.diskUse
        writtenByOwners = store.state.writtenByOwners
        metadataUse = store.state.metadataUse
        metadataOfOwners = store.state.metadataOfOwners
        unreadable = store.state.unreadableSectors
        cached = store.state.cachedSectors
    }

    /// Content is what the owners wrote, also when nothing of it is in the cache; what the device
    /// gave back before it gives back now; disk use, of data and with metadata, has not grown but
    /// by what they wrote meanwhile, nothing is left in a scratch file, no page that was read is
    /// left, and no request was above its limit.
    ///
    /// - Parameters:
    ///   - outcome: says what could not go back, as what it would go back to cannot be read: a good
    ///     copy is not given up for that.
    ///   - itemsMore: what went back may have come in one piece and go in several.
    ///   - growth: by how much data may have grown, as it was to be unpacked.
    func check(
        _ comment: Comment? = nil, _ outcome: ExecutionOutcome? = nil, itemsMore: UInt64 = 0,
        growth: UInt64 = 0, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        checkContent(comment, sourceLocation: sourceLocation)
        let state = store.state
        let twice = outcome?.standsTwice.rawValue ?? 0
        #expect(twice == 0 || !unreadable.isEmpty, comment, sourceLocation: sourceLocation)
        let allowed = diskUse + growth + twice + (state.writtenByOwners - writtenByOwners)
        #expect(state.diskUse <= allowed, comment, sourceLocation: sourceLocation)
        let allowedWithTrees =
            allowed + metadataUse + (state.metadataOfOwners - metadataOfOwners)
            + (itemsMore + Self.itemsAroundBadSector * UInt64(unreadable.count)) * 2
            * ModelState.referenceBytes
        #expect(
            state.diskUse + state.metadataUse <= allowedWithTrees, comment,
            sourceLocation: sourceLocation)
        checkScratch(comment, sourceLocation)
        checkPages(comment, sourceLocation)
        checkRequests(comment, sourceLocation)
    }

    /// Law 1 alone.
    func checkContent(
        _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let state = store.state
        #expect(state.brokenFiles.isEmpty, comment, sourceLocation: sourceLocation)
        #expect(
            state.unreadableSectors.isSubset(of: unreadable), comment,
            sourceLocation: sourceLocation)
    }

    /// What is moved around a sector that cannot be read goes in halves, and halves of those.
    private static let itemsAroundBadSector: UInt64 = 16

    private func checkScratch(_ comment: Comment?, _ location: SourceLocation) {
        let left = store.state.files.values.filter { $0.isScratch && !$0.items.isEmpty }
        #expect(left.isEmpty, comment, sourceLocation: location)
    }

    /// What a job reads goes, but for what qubes write to. Of a file of which something was there
    /// before, or does not go, more may stay (`FreshSources.grain`).
    private func checkPages(_ comment: Comment?, _ location: SourceLocation) {
        let state = store.state
        let warm = Set(cached.union(state.device.pinned).map(\.inode))
        let left = state.cachedSectors.filter { sector in
            !warm.contains(sector.inode) && !job.roles.live.contains(sector.inode)
                && !state.isOfOwner(sector)
        }
        #expect(left.isEmpty, comment, sourceLocation: location)
    }

    private func checkRequests(_ comment: Comment?, _ location: SourceLocation) {
        let tooLong = store.log.requests.filter { request in
            let files = [request.source, request.destination]
            let isLive = files.contains(where: job.roles.live.contains)
            let limit = isLive ? job.limits.liveRequest : job.limits.request
            return request.lengthBytes > limit.rawValue
        }
        #expect(tooLong.isEmpty, comment, sourceLocation: location)
    }
}
