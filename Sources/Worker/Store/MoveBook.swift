// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import SystemCalls
internal import SystemPackage

/// What the lanes of a job have under way on one file system, in the state directory: the next job
/// finds there what a kill has left half moved, and takes it back.
///
/// Written to the page cache and not waited for: it outlives the worker, and after a power cut is
/// what the kernel had written of it. What cannot be noted, or read, costs that and nothing else.
struct MoveBook: Sendable {
    private let file: SiteFile
    private let lanes: Int
    /// It was said that something could not be noted: it is as true of the next thousand batches.
    private let hasComplained = Monitor(false)

    /// nil where it cannot be had: then nothing is noted.
    init?(in directory: SharedDescriptor, for fileSystem: FileSystem, lanes: Int) {
        self.lanes = lanes
        do throws(Errno) {
            file = try SiteFile("moves", in: directory, for: fileSystem)
        } catch {
            let name = SiteFile.name("moves", fileSystem)
            Log.note("\(name) cannot be opened in the state directory: \(error)")
            return nil
        }
    }

    /// What was under way when its job died.
    func read() -> [NotedMove] {
        (0..<lanes).flatMap { lane -> [NotedMove] in
            let start = Self.start(ofLane: lane)
            let head = file.read(at: start, count: MovePage.headBytes)
            guard let length = MovePage.lengthBytes(head: head) else { return [] }
            return MovePage.moves(head + file.read(at: start + UInt64(head.count), count: length))
                ?? []
        }
    }

    /// All of it has gone back, as far as it could.
    func clear() { for lane in 0..<lanes { clear(lane: lane) } }

    /// Where one lane notes things.
    func journal(ofLane lane: Int) -> any MoveJournal { LaneJournal(book: self, lane: lane) }

    private static func start(ofLane lane: Int) -> UInt64 {
        UInt64(lane) * UInt64(MovePage.limitBytes)
    }

    private func clear(lane: Int) {
        write([UInt8](repeating: 0, count: MovePage.headBytes), lane: lane)
    }

    private func write(_ bytes: [UInt8], lane: Int) {
        do throws(Errno) {
            try file.write(bytes, at: Self.start(ofLane: lane))
        } catch {
            let isFirst = hasComplained.withLock { hasComplained in
                defer { hasComplained = true }
                return !hasComplained
            }
            if isFirst { Log.note("what is under way cannot be noted in \(file.name): \(error)") }
        }
    }

    private final class LaneJournal: MoveJournal {
        private let book: MoveBook
        private let lane: Int
        /// What stands there.
        private let page = Monitor(MovePage())

        init(book: MoveBook, lane: Int) {
            self.book = book
            self.lane = lane
        }

        func add(_ moves: [NotedMove]) {
            let bytes = page.withLock { page in
                page.add(moves)
                return page.bytes
            }
            book.write(bytes, lane: lane)
        }

        func clear() {
            page.withLock { $0 = MovePage() }
            book.clear(lane: lane)
        }
    }
}
