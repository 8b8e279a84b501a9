// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// Takes back what a job that was killed has left half moved: of an extent some references hold
/// what was written anew, the others the extent, and both take room.
///
/// Nothing is believed that was noted: what goes back is compared by the kernel, as all that is
/// shared, and what a qube has written since differs and stays.
public struct TakeBack: Sendable {
    private let store: any ExtentStore
    private let roles: any LiveRoles
    private let limits: ExecutionLimits
    private let control: any JobControl

    /// - Parameter control: a job that is cancelled leaves what it has not come to.
    public init(
        store: any ExtentStore, roles: any LiveRoles, limits: ExecutionLimits = ExecutionLimits(),
        control: any JobControl = Unhindered()
    ) {
        self.store = store
        self.roles = roles
        self.limits = limits
        self.control = control
    }

    /// Takes back each of them, as far as it goes.
    /// - Returns: how many references went back; nil when the job was cancelled before the end.
    public func run(_ moves: [NotedMove]) -> Int? {
        var count = 0
        for move in moves {
            if control.isCancelled { return nil }
            let context = LaneContext(
                store: store, roles: roles, limits: limits, control: control, zeroes: nil,
                newestGeneration: move.newestGeneration, now: { .now })
            let settler = Settler(context: context, isLastPass: true)
            count += settler.retreat(pending(move, context)).referencesMovedBack
        }
        return count
    }

    /// The replacement as the lane had it when it died, but that no other reason is known.
    private func pending(_ move: NotedMove, _ context: LaneContext) -> PendingReplacement {
        let replacement = Replacement(
            address: move.address, generation: move.newestGeneration, diskBytes: move.diskBytes,
            contentBytes: move.contentBytes, pieces: [], rewriting: .plain,
            predictedSaving: .zero)
        var pending = PendingReplacement(replacement: replacement)
        // Of most extents nothing or all has moved.
        guard case .all(let uses) = try? store.uses(ofExtentAt: move.address), !uses.isEmpty
        else { return pending }
        pending.moved = move.references.flatMap { moved($0, from: move.address, context) }
        return pending
    }

    /// The parts of what showed the extent that show another one now, each by itself: of one that a
    /// qube has written to the neighbours go back all the same.
    private func moved(
        _ reference: NotedMove.Reference, from address: LogicalAddress, _ context: LaneContext
    ) -> [Source] {
        guard !roles.isLeftOut(reference.inode),
            let inode = try? store.inode(reference.inode), inode.isRegularFile,
            let file = try? context.files.open(reference.inode, generation: inode.generation)
        else { return [] }
        let end = reference.fileOffset + reference.lengthBytes
        var parts: [Source] = []
        for extent in items(of: reference) {
            let from = max(extent.fileOffset, reference.fileOffset)
            let to = min(extent.fileOffset + extent.lengthBytes, end)
            guard from < to, case .regular(let place) = extent.storage, place.address != address
            else { continue }
            let start = reference.offsetInExtent + (from - reference.fileOffset)
            parts.append(
                Source(
                    range: start..<(start + (to - from)), file: file,
                    origin: .image(reference.inode), offset: from,
                    isLive: roles.isLive(reference.inode)))
        }
        return parts
    }

    /// The items that reach into a reference's place. Neighbours that were packed together are one
    /// item, which starts before; of one batch it is.
    private func items(of reference: NotedMove.Reference) -> [FileExtent] {
        let start = reference.fileOffset
        let last = FileOffset(start.rawValue + reference.lengthBytes.rawValue - 1)
        func found(from first: FileOffset) -> [FileExtent] {
            var items: [FileExtent] = []
            try? store.forEachFileExtent(of: reference.inode, from: first, through: last) {
                items.append($0)
            }
            return items
        }
        let items = found(from: start)
        if items.first?.fileOffset == start { return items }
        let back = min(limits.batchContent, start - .start)
        return found(from: FileOffset(start.rawValue - back.rawValue))
    }
}
