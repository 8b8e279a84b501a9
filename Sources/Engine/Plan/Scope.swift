// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// What a job may work on: rules about volumes, applied to extents. Pure.
public struct Scope: Sendable {
    /// The rules for one volume.
    public struct Volume: Equatable, Sendable {
        /// The request is about it.
        public let isSelected: Bool
        /// It is to be left out, with every extent it uses.
        public let isSkipped: Bool
        /// How it wants its content; nil where nothing is set.
        public let packing: Replacement.Rewriting?
        /// Volumes of one group may come to share data.
        public let group: Int
        /// It is a snapshot of another volume: what both use is of the other's group alone.
        public let isFollower: Bool
        /// Whoever uses it may count on what is allocated and holds nothing: no hole is made.
        public let keepsAllocations: Bool

        /// Makes rules.
        public init(
            isSelected: Bool, isSkipped: Bool, packing: Replacement.Rewriting?, group: Int,
            isFollower: Bool = false, keepsAllocations: Bool = false
        ) {
            self.keepsAllocations = keepsAllocations
            self.isFollower = isFollower
            self.isSelected = isSelected
            self.isSkipped = isSkipped
            self.packing = packing
            self.group = group
        }
    }

    /// The volumes, in the order's order.
    public let volumes: [Volume]
    /// Extents that only images of running qubes use are in scope as well.
    public let includesLiveOnly: Bool
    /// What reads as zeroes may become a hole: the kernel was seen to make them as it should.
    public var makesHoles = false
    /// The level at which others than our jobs pack zstd extents here: those that are worse packed
    /// than is wanted, and zlib and LZO ones, are packed again. nil: what is packed stays.
    public var levelOfOthers: Int?

    /// Makes a scope.
    public init(volumes: [Volume], includesLiveOnly: Bool) {
        self.volumes = volumes
        self.includesLiveOnly = includesLiveOnly
    }

    /// What to do with an extent.
    public enum Judgement: Equatable, Sendable {
        /// It may be worked on.
        case candidate
        /// It is none of the request's business.
        case outside
        /// It stays as it is.
        case leave(LeftAloneReason)
    }

    /// Judges an extent by who uses it.
    public func judge(_ extent: Survey.Extent, in survey: Survey) -> Judgement {
        var isSelected = false
        var isSkipped = false
        var allLive = true
        var allTransient = true
        var isPreallocated = false
        var hasNoChecksums = false
        for reference in survey.references(to: extent) {
            let file = survey.files[reference.file]
            isSelected = isSelected || file.image.owners.contains { volumes[$0].isSelected }
            isSkipped = isSkipped || file.image.owners.contains { volumes[$0].isSkipped }
            allLive = allLive && file.image.isLive
            allTransient = allTransient && file.image.isTransient
            isPreallocated = isPreallocated || reference.isPreallocated
            hasNoChecksums = hasNoChecksums || file.inode.hasNoChecksums
        }
        if !isSelected { return .outside }
        if isSkipped { return .leave(.skipped) }
        if isPreallocated, !makesHoles(in: extent, of: survey) { return .leave(.preallocated) }
        if hasNoChecksums { return .leave(.noChecksums) }
        if allTransient { return .leave(.beingMade) }
        if allLive && !includesLiveOnly { return .leave(.onlyLive) }
        return .candidate
    }

    /// Whether what an extent holds of zeroes may become holes. What is allocated and not yet
    /// written stays where a running qube uses it: its next write may count on that room.
    func makesHoles(in extent: Survey.Extent, of survey: Survey) -> Bool {
        makesHoles
            && survey.references(to: extent).allSatisfy { reference in
                let image = survey.files[reference.file].image
                return !(reference.isPreallocated && image.isLive)
                    && !image.owners.contains { volumes[$0].keepsAllocations }
            }
    }

    /// The groups of an extent: those of the volumes that use it. Snapshots follow what they were
    /// made from, and count only for what nobody else uses.
    func groups(of extent: Survey.Extent, in survey: Survey) -> Set<Int> {
        let owners = owners(of: extent, in: survey)
        let origins = owners.filter { !volumes[$0].isFollower }
        return Set((origins.isEmpty ? owners : origins).map { volumes[$0].group })
    }

    /// The indices of the volumes that use an extent.
    func owners(of extent: Survey.Extent, in survey: Survey) -> Set<Int> {
        var owners: Set<Int> = []
        for reference in survey.references(to: extent) {
            owners.formUnion(survey.files[reference.file].image.owners)
        }
        return owners
    }
}
