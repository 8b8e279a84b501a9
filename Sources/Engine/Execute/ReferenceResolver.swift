// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs
internal import SystemPackage

/// Why an extent cannot be replaced now.
enum ReplacementObstacle: Error {
    case leave(LeftAloneReason)
    case failed(BtrfsError)
}

/// The inodes that one look at a batch comes by, each asked for once: hundreds of references are in
/// the same few files. For one thread, and for a moment.
final class InodeBook {
    private let store: any ExtentCatalog
    private var known: [InodeIdentifier: InodeItem?] = [:]
    private var ages: [TreeIdentifier: SubvolumeAge?] = [:]

    init(store: any ExtentCatalog) { self.store = store }

    func item(of inode: InodeIdentifier) throws(BtrfsError) -> InodeItem? {
        if let item = known[inode] { return item }
        let item = try store.inode(inode)
        known[inode] = .some(item)
        return item
    }

    /// How a subvolume's tree stands to its snapshots; nil where that is not to be had, which makes
    /// nothing but a figure worse.
    func age(of tree: TreeIdentifier) -> SubvolumeAge? {
        if let age = ages[tree] { return age }
        let age = try? store.age(ofSubvolume: tree)
        ages[tree] = .some(age)
        return age
    }
}

/// Finds every reference to an extent as it is now, and says whether all of them can follow.
struct ReferenceResolver {
    let store: any ExtentCatalog
    let files: FileCache
    let roles: any LiveRoles
    let inodes: InodeBook
    let refusals: LearntRefusals
    /// What is newer than the survey is another extent.
    let newestGeneration: Generation

    /// The extent with its references, or what stands in the way of any of them.
    func resolve(_ replacement: Replacement) throws(ReplacementObstacle) -> ReplacementTarget {
        let uses = try attempt { () throws(BtrfsError) in
            try store.uses(ofExtentAt: replacement.address)
        }
        guard case .all(let uses) = uses else { throw .leave(.tooManyReferences) }
        guard !uses.isEmpty else { throw .leave(.changedMeanwhile) }
        // Before anything of it is opened, read or written.
        if let refusal = refusals.admit(replacement.address, usedBy: uses.lazy.map(\.inode)) {
            throw .leave(LeftAloneReason(refusal: refusal))
        }
        var references: [OpenReference] = []
        for use in uses { references.append(try open(use, replacement)) }
        try checkTails(references)
        try checkUnwritten(references, replacement)
        // The widest moves last: until then it holds what the others must go back to if one fails.
        // Of equals the first by place is read, as the scout does.
        references.sort {
            ($0.isTail ? 1 : 0, $0.lengthBytes, $0.inode, $0.fileOffset)
                < ($1.isTail ? 1 : 0, $1.lengthBytes, $1.inode, $1.fileOffset)
        }
        return ReplacementTarget(
            replacement: replacement, references: references,
            usedRanges: Ranges.union(references.map(\.range)))
    }

    /// The references that can be read now, for others to go back to them.
    func holders(of replacement: Replacement) -> [OpenReference] {
        guard case .all(let uses) = try? store.uses(ofExtentAt: replacement.address)
        else { return [] }
        return uses.compactMap { use in
            guard let inode = try? inodes.item(of: use.inode), inode.isRegularFile else {
                return nil
            }
            return try? reference(use, inode, replacement)
        }
    }

    /// An image that holds what others could share, open; nil when it is not fit for that now.
    func keeper(_ inode: InodeIdentifier) -> (any OpenFile)? {
        guard let item = try? inodes.item(of: inode), item.isRegularFile, !item.hasNoChecksums
        else { return nil }
        return try? files.open(inode, generation: item.generation)
    }

    private func open(
        _ use: ExtentUse, _ replacement: Replacement
    ) throws(ReplacementObstacle) -> OpenReference {
        let inode = try attempt { () throws(BtrfsError) in
            try inodes.item(of: use.inode)
        }
        guard let inode else { throw .leave(.changedMeanwhile) }
        guard inode.isRegularFile else { throw .leave(.refused) }
        if inode.hasNoChecksums { throw .leave(.noChecksums) }
        if inode.isImmutable { throw .leave(.immutable) }
        if roles.isLeftOut(use.inode) { throw .leave(.skipped) }
        return try reference(use, inode, replacement)
    }

    private func reference(
        _ use: ExtentUse, _ inode: InodeItem, _ replacement: Replacement
    ) throws(ReplacementObstacle) -> OpenReference {
        let (extent, reference, isPreallocated) = try item(of: use, replacement)
        guard extent.fileOffset.rawValue < inode.sizeBytes.rawValue else {
            // Behind the end there is nothing to share; a file that is being deleted has no end.
            throw .leave(inode.links == 0 ? .changedMeanwhile : .unalignedEnd)
        }
        let left = FileOffset(inode.sizeBytes.rawValue) - extent.fileOffset
        let length = min(extent.lengthBytes, left)
        let file = try attempt { () throws(BtrfsError) in
            try files.open(use.inode, generation: inode.generation)
        }
        let age = inodes.age(of: use.inode.subvolume)
        let isLeafShared = extent.leafGeneration.flatMap { age?.mayShare(leafOf: $0) } ?? false
        return OpenReference(
            file: file, inode: use.inode, fileOffset: extent.fileOffset,
            offsetInExtent: reference.offsetInExtent, lengthBytes: length,
            isTail: !length.isMultiple(of: store.sectorBytes), isLive: roles.isLive(use.inode),
            isPreallocated: isPreallocated, isLeafShared: isLeafShared,
            isRootShared: isLeafShared && age?.mayShareRoot == true)
    }

    /// The file extent item behind a use, when it still refers to the extent. Its generation need
    /// not be that of another item: of what was preallocated each part that is written gets its own
    /// (btrfs_mark_extent_written), and converted file systems have items that are older.
    private func item(
        of use: ExtentUse, _ replacement: Replacement
    ) throws(ReplacementObstacle) -> (FileExtent, FileExtent.Reference, isPreallocated: Bool) {
        var found: FileExtent?
        try attempt { () throws(BtrfsError) in
            try store.forEachFileExtent(
                of: use.inode, from: use.fileOffset, through: use.fileOffset
            ) { extent throws(BtrfsError) in found = extent }
        }
        guard let extent = found, let (reference, isPreallocated) = extent.storage.reference,
            reference.address == replacement.address,
            reference.diskBytes == replacement.diskBytes,
            extent.contentBytes == replacement.contentBytes,
            extent.generation <= newestGeneration
        else { throw .leave(.changedMeanwhile) }
        return (extent, reference, isPreallocated)
    }

    /// What was never written can become a hole, and nothing else: it must be planned so, no qube
    /// may be about to write there, and no other reference may show the same as written.
    private func checkUnwritten(
        _ references: [OpenReference], _ replacement: Replacement
    ) throws(ReplacementObstacle) {
        let unwritten = references.filter(\.isPreallocated)
        if unwritten.isEmpty { return }
        let ranges = Ranges.union(unwritten.map(\.range))
        let written = references.lazy.filter { !$0.isPreallocated }
        guard !unwritten.contains(where: \.isLive),
            Ranges.subtract(replacement.holes, from: ranges).isEmpty,
            !written.contains(where: { one in ranges.contains { $0.overlaps(one.range) } })
        else { throw .leave(.preallocated) }
    }

    /// A file that ends within a sector can only follow to a source that ends at the same byte. One
    /// such end is possible, if no other reference uses what lies behind it.
    private func checkTails(_ references: [OpenReference]) throws(ReplacementObstacle) {
        let tails = Set(references.filter(\.isTail).map(\.range.upperBound))
        guard let end = tails.first else { return }
        let furthest = references.map(\.range.upperBound).max()
        guard tails.count == 1, furthest == end else { throw .leave(.unalignedEnd) }
    }

    @discardableResult
    private func attempt<Result>(
        _ body: () throws(BtrfsError) -> Result
    ) throws(ReplacementObstacle) -> Result {
        do throws(BtrfsError) {
            return try body()
        } catch {
            switch error.reason {
            case .staleNFSFileHandle, .noSuchFileOrDirectory: throw .leave(.changedMeanwhile)
            case .ioError: throw .leave(.unreadable)
            default: throw .failed(error)
            }
        }
    }
}

extension FileExtent.Storage {
    /// The reference to an extent, and whether that part of it was never written; nil where there
    /// is none.
    fileprivate var reference: (FileExtent.Reference, isPreallocated: Bool)? {
        switch self {
        case .regular(let reference): (reference, false)
        case .preallocated(let reference): (reference, true)
        case .inline, .hole: nil
        }
    }
}

/// What a file is to the qubes at this moment. Asked between batches, as roles change under us.
public protocol LiveRoles: Sendable {
    /// A qube may be writing to it.
    func isLive(_ inode: InodeIdentifier) -> Bool
    /// Its qube is to be left out.
    func isLeftOut(_ inode: InodeIdentifier) -> Bool
}
