// SPDX-License-Identifier: GPL-2.0-or-later
internal import Engine
internal import Protocol

extension WorkerOrder {
    /// The order's volumes as rules for the engine.
    var scope: Scope {
        var groups: [String: Int] = [:]
        let volumes = volumes.map { volume in
            let group = groups[volume.dedupeGroup] ?? groups.count
            groups[volume.dedupeGroup] = group
            return Scope.Volume(
                isSelected: volume.selected, isSkipped: volume.skipped,
                packing: Replacement.Rewriting(number: volume.compressionLevel),
                group: group,
                isFollower: volume.follows ?? false, keepsAllocations: volume.isSystem)
        }
        return Scope(volumes: volumes, includesLiveOnly: work.includesRunning)
    }
}

extension WorkerOrder {
    /// Its survey shows every file that any job may be about: of each pool it always does.
    var isOfAllFiles: Bool { wholeMachine && systemDirectories != nil }
}

extension WorkerOrder.Work {
    /// Whether what is packed worse than is wanted is packed again.
    var packsAgain: Bool {
        switch self {
        case .compress, .optimize: true
        case .report, .check, .newData, .estimate, .verify, .dedupe, .defragment, .sparsify: false
        }
    }

    /// Whether extents that only images of running qubes use are worked on too.
    fileprivate var includesRunning: Bool {
        switch self {
        case .report, .check, .newData, .verify: false
        case .estimate(let running): running
        case .compress(_, let running), .optimize(_, let running): running
        case .dedupe(let running), .defragment(let running), .sparsify(let running): running
        }
    }
}
