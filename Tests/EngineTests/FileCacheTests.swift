// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Testing

@testable import Engine

@Suite struct FileCacheTests {
    private func store(files: UInt64) -> ModelStore {
        var state = ModelState()
        for number in 1...files {
            state.make(number)
            state.write(Array(repeating: 7, count: 4096), to: number, at: 0)
        }
        return ModelStore(state)
    }

    @Test("As many files as the limit says stay open, those that were asked for last")
    func limit() throws {
        let limit = ExecutionLimits().openFiles
        let cache = FileCache(store: store(files: 300), limit: limit)
        let open = { try cache.open(ModelState.inode($0), generation: ModelStore.generation) }
        let first = try open(1)
        for number in 2...UInt64(limit) { _ = try open(number) }
        #expect(cache.count == limit)
        #expect(try open(1) === first)
        let second = try open(2)
        _ = try open(300)
        #expect(cache.count == limit)
        #expect(try open(2) === second)
        #expect(try open(1) === first)
    }
}
