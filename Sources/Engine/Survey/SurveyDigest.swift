// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// All that a plan is made from, as 128 bits: files with their roles, references, extents with
/// their generations, and the rules. Where two surveys have the same digest the same plan would be
/// made, so that a job that has just ended need not be planned again. Pure.
///
/// It tells surveys of one file system apart and withstands no forger: whoever could make two of
/// the same digest would have spared himself a job.
public struct SurveyDigest: Hashable, Sendable {
    /// Changes whenever plans are made otherwise: what an older release has settled may not be.
    private static let plannerVersion: UInt64 = 6

    /// The first 64 bits.
    public private(set) var high: UInt64 = 0x6a09_e667_f3bc_c908
    /// The others.
    public private(set) var low: UInt64 = 0xbb67_ae85_84ca_a73b

    /// The digest of a survey under these rules.
    public init(_ survey: Survey, scope: Scope) {
        add(Self.plannerVersion)
        add(scope)
        add(UInt64(survey.files.count))
        for file in survey.files { add(file) }
        for extent in survey.extents {
            add(extent.address.rawValue)
            add(extent.generation.rawValue)
            add(extent.diskBytes.rawValue)
            add(extent.contentBytes.rawValue)
            add(UInt64(extent.compression.rawValue))
            add(UInt64(extent.references.count))
        }
        for reference in survey.references {
            add(UInt64(reference.file) << 1 | (reference.isPreallocated ? 1 : 0))
            add(reference.fileOffset.rawValue)
            add(reference.lengthBytes.rawValue)
            add(reference.offsetInExtent.rawValue)
        }
    }

    private mutating func add(_ scope: Scope) {
        add((scope.includesLiveOnly ? 1 : 0) | (scope.makesHoles ? 2 : 0))
        add(scope.levelOfOthers.map { UInt64(bitPattern: Int64($0)) } ?? .max)
        add(UInt64(scope.volumes.count))
        for volume in scope.volumes {
            add(
                (volume.isSelected ? 1 : 0) | (volume.isSkipped ? 2 : 0)
                    | (volume.isFollower ? 4 : 0) | (volume.keepsAllocations ? 8 : 0))
            add(UInt64(volume.group))
            switch volume.packing {
            case nil: add(.max)
            case .plain: add(0)
            case .packed(let level): add(UInt64(bitPattern: Int64(level)))
            }
        }
    }

    private mutating func add(_ file: Survey.File) {
        let image = file.image
        add(image.inode.subvolume.rawValue)
        add(image.inode.number)
        add(file.inode.generation.rawValue)
        add(file.inode.sizeBytes.rawValue)
        add((image.isLive ? 1 : 0) | (image.isTransient ? 2 : 0))
        add((file.inode.hasNoChecksums ? 1 : 0) | (file.inode.isImmutable ? 2 : 0))
        add(UInt64(image.owners.count))
        for owner in image.owners { add(UInt64(owner)) }
    }

    private mutating func add(_ value: UInt64) {
        high = WindowHashes.mix(high ^ value)
        low = WindowHashes.mix(low &+ value &* 0x9e37_79b9_7f4a_7c15)
    }
}
