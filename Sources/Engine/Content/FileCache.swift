// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import SystemCalls

/// Open files by inode, a bounded number of them: those least recently asked for are let go.
final class FileCache: Sendable {
    /// The most that stay open.
    let limit: Int
    private let store: any ContentStore
    private let state = Monitor(State())

    private struct State {
        var files: [Key: (file: any OpenFile, lastUse: UInt64)] = [:]
        var clock: UInt64 = 0
    }

    private struct Key: Hashable {
        let inode: InodeIdentifier
        let generation: Generation
    }

    init(store: any ContentStore, limit: Int) {
        self.store = store
        self.limit = limit
    }

    /// How many are open.
    var count: Int { state.withLock { $0.files.count } }

    func open(_ inode: InodeIdentifier, generation: Generation) throws(BtrfsError) -> any OpenFile {
        let key = Key(inode: inode, generation: generation)
        let known = state.withLock { state -> (any OpenFile)? in
            state.clock += 1
            state.files[key]?.lastUse = state.clock
            return state.files[key]?.file
        }
        if let known { return known }
        let file = try store.open(inode, generation: generation)
        state.withLock { state in
            state.files[key] = (file, state.clock)
            if state.files.count > limit,
                let oldest = state.files.min(by: { $0.value.lastUse < $1.value.lastUse })
            {
                state.files[oldest.key] = nil
            }
        }
        return file
    }
}
