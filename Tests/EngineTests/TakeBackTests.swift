// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import SystemCalls
import SystemPackage
import Testing

@testable import Engine

/// What a kill leaves half moved, and what the next job makes of it.
@Suite struct TakeBackTests {
    /// A journal that outlives its job.
    private final class Journal: MoveJournal {
        private let noted = Monitor<[NotedMove]>([])

        var moves: [NotedMove] { noted.withLock { $0 } }
        func add(_ moves: [NotedMove]) { noted.withLock { $0 += moves } }
        func clear() { noted.withLock { $0 = [] } }
    }

    /// A machine as a kill leaves it.
    private struct Death {
        var state: ModelState
        let moves: [NotedMove]

        /// Nameless files go with the process.
        init(_ state: ModelState, _ moves: [NotedMove]) {
            self.state = state
            self.moves = moves
            for (inode, file) in state.files where file.isScratch { self.state.clear(inode) }
        }

        func takeBack(_ roles: ModelRoles = ModelRoles()) -> (ModelStore, Int?) {
            let store = ModelStore(state)
            return (store, TakeBack(store: store, roles: roles).run(moves))
        }
    }

    /// Kills a job before one of its requests; nil when it has fewer.
    private static func kill(
        _ state: ModelState, before number: Int, compress: Bool = true
    ) throws -> Death? {
        var job = ModelJob(store: ModelStore(state))
        let journal = Journal()
        let death = Monitor<Death?>(nil)
        var faults = ModelStore.Faults()
        faults.onShare = { request, _, state in
            if request == number { death.withLock { $0 = Death(state, journal.moves) } }
            return nil
        }
        job.store.set(faults)
        job.journal = journal
        _ = compress ? try job.compress() : try job.dedupe()
        #expect(journal.moves.isEmpty, "what has moved is under way no more")
        return death.withLock { $0 }
    }

    /// Two files that end within the last sector of what they share.
    private static func withTails() -> ModelState {
        var state = ModelState()
        for number in UInt64(1)...3 { state.make(number) }
        let content = Content.sectors(repeatElement(1009, count: 15)) + [1, 2, 3]
        state.write(content, to: 1, at: 0)
        for number in UInt64(2)...3 {
            state.clone(1, 0..<UInt64(content.count), to: number, at: 0)
        }
        return state
    }

    @Test func `Whenever a job is killed, the next one gives back what stands twice`() throws {
        let states = [
            ExecutorLawTests.compressible(), ExecutorFaultTests.several(), Self.withTails(),
        ]
        for state in states {
            var kills = 0
            var twice = 0
            while let death = try Self.kill(state, before: kills + 1) {
                kills += 1
                if death.state.diskUse > state.diskUse { twice += 1 }
                let (store, count) = death.takeBack()
                #expect(count != nil)
                #expect(store.state.diskUse <= state.diskUse, "killed before request \(kills)")
                #expect(store.state.brokenFiles.isEmpty)
            }
            #expect(kills >= 3 && twice > 0)
        }
    }

    @Test func `What a qube has written meanwhile stays, and its neighbours go back`() throws {
        let state = ExecutorLawTests.compressible()
        var death = try #require(try Self.kill(state, before: 3))
        #expect(death.state.diskUse > state.diskUse)
        let moved = death.moves.flatMap(\.references).map(\.inode)
        let number = try #require(
            moved.first { inode in
                death.state.files[inode]?.items.contains { item in
                    !death.moves.contains { $0.address.rawValue == item.address }
                } == true
            }
        ).number
        let before = death.state.diskUse
        death.state.write(Content.sectors([1071]), to: number, at: 8 * 1024)
        let written = death.state.diskUse - before
        let (store, count) = death.takeBack()
        #expect(try #require(count) > 0)
        #expect(store.state.brokenFiles.isEmpty)
        #expect(store.state.diskUse <= state.diskUse + written)
    }

    @Test func `A note of what is gone, is another extent, or is left out moves nothing`() throws {
        let state = ExecutorLawTests.compressible()
        let death = try #require(try Self.kill(state, before: 3))
        let move = try #require(death.moves.first)
        func changed(
            address: UInt64? = nil, generation: UInt64? = nil
        ) -> NotedMove {
            NotedMove(
                address: address.map { LogicalAddress($0) } ?? move.address,
                newestGeneration: generation.map { Generation($0) } ?? move.newestGeneration,
                diskBytes: move.diskBytes, contentBytes: move.contentBytes,
                references: move.references)
        }
        for other in [changed(address: 4096), changed(generation: 1)] {
            let store = ModelStore(death.state)
            #expect(TakeBack(store: store, roles: ModelRoles()).run([other]) == 0)
            #expect(store.log.requests.isEmpty)
        }
        let all = ModelRoles(leftOut: Set(move.references.map(\.inode)))
        let (store, count) = death.takeBack(all)
        #expect(count == 0 && store.log.requests.isEmpty)
    }

    @Test func `A cancelled job leaves what it has not come to for the next one`() throws {
        let death = try #require(try Self.kill(ExecutorLawTests.compressible(), before: 3))
        let control = CancelledJob()
        let store = ModelStore(death.state)
        #expect(
            TakeBack(store: store, roles: ModelRoles(), control: control).run(death.moves) == nil)
        #expect(store.log.requests.isEmpty)
    }

    @Test func `What is only pointed to a keeper takes no room, and is not noted`() throws {
        let death = try #require(
            try Self.kill(ExecutorLawTests.doubled(), before: 1, compress: false))
        #expect(death.moves == [])
    }

    @Test func `On a file system that was made read-only what is under way stays noted`() throws {
        var job = ModelJob(store: ModelStore(ExecutorLawTests.compressible()))
        let journal = Journal()
        job.journal = journal
        var faults = ModelStore.Faults()
        faults.onShare = { number, _, _ in number > 1 ? .refuse(.readOnlyFileSystem) : nil }
        job.store.set(faults)
        #expect(throws: BtrfsError.self) { try job.compress() }
        #expect(!journal.moves.isEmpty)
    }

    private struct CancelledJob: JobControl {
        var isCancelled: Bool { true }
        func checkpoint() throws(BtrfsError) { throw .cancellation }
    }
}

@Suite struct MovePageTests {
    private static func move(_ number: UInt64, references: Int) -> NotedMove {
        NotedMove(
            address: LogicalAddress(number << 20), newestGeneration: Generation(number),
            diskBytes: ByteCount(4096), contentBytes: ByteCount(131_072),
            references: (0..<references).map {
                NotedMove.Reference(
                    inode: ModelState.inode(257 + UInt64($0)),
                    fileOffset: FileOffset(UInt64($0) * 131_072), offsetInExtent: ByteCount(4096),
                    lengthBytes: ByteCount(8192))
            })
    }

    @Test func `What was noted is read again, however often something was added`() {
        var page = MovePage()
        #expect(MovePage.moves(page.bytes) == nil, "nothing is noted")
        page.add([Self.move(1, references: 3), Self.move(2, references: 0)])
        page.add([Self.move(3, references: 1)])
        #expect(
            MovePage.moves(page.bytes)
                == [
                    Self.move(1, references: 3), Self.move(2, references: 0),
                    Self.move(3, references: 1),
                ])
    }

    @Test func `Of a page that is not whole nothing is believed`() {
        var page = MovePage()
        page.add([Self.move(1, references: 2)])
        let bytes = page.bytes
        for index in bytes.indices {
            var other = bytes
            other[index] ^= 0x40
            #expect(MovePage.moves(other) == nil, "byte \(index)")
            #expect(MovePage.moves(Array(bytes.prefix(index))) == nil)
        }
        #expect(MovePage.moves(bytes + [0]) == nil)
    }

    @Test func `What has no room is not noted, and what has is`() {
        var page = MovePage()
        page.add([Self.move(1, references: 200_000), Self.move(2, references: 1)])
        #expect(MovePage.moves(page.bytes) == [Self.move(2, references: 1)])
        #expect(page.bytes.count <= MovePage.limitBytes)
    }

    @Test func `What reaches beyond every file or its own extent is no note`() {
        let good = Self.move(1, references: 1)
        func page(_ reference: NotedMove.Reference) -> [NotedMove]? {
            var page = MovePage()
            page.add([
                NotedMove(
                    address: good.address, newestGeneration: good.newestGeneration,
                    diskBytes: good.diskBytes, contentBytes: good.contentBytes,
                    references: [reference])
            ])
            return MovePage.moves(page.bytes)
        }
        func reference(
            _ fileOffset: UInt64, _ offset: UInt64, _ length: UInt64
        ) -> NotedMove.Reference {
            NotedMove.Reference(
                inode: ModelState.inode(257), fileOffset: FileOffset(fileOffset),
                offsetInExtent: ByteCount(offset), lengthBytes: ByteCount(length))
        }
        #expect(page(reference(0, 0, 4096)) != nil)
        #expect(page(reference(.max - 4095, 0, 4096)) == nil)
        #expect(page(reference(0, 131_072, 4096)) == nil)
        #expect(page(reference(0, .max, 4096)) == nil)
        #expect(page(reference(0, 0, 0)) == nil)
    }
}
