// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// Sorts any number of records in bounded memory: full buffers are sorted and written to a file,
/// and merged at the end. What fits into one buffer never leaves memory.
struct ExternalSorter<Record: SpillRecord>: Sendable {
    /// The records held at a time.
    let capacity: Int
    private let spills: (any SpillSource)?
    private var spill: (any SpillFile)?
    private var buffer: [Record] = []
    /// Where each sorted run lies in the file, in records.
    private var runs: [Range<Int>] = []

    /// Without a file to spill to everything stays in memory, however much it is.
    init(capacity: Int, spills: (any SpillSource)?) {
        self.capacity = max(capacity, 16)
        self.spills = spills
    }

    /// How many records were added.
    var count: Int { (runs.last?.upperBound ?? 0) + buffer.count }

    mutating func append(_ record: Record) throws(BtrfsError) {
        if buffer.count >= capacity {
            if spill == nil { spill = spills?.take() }
            if let spill { try write(to: spill) }
        }
        buffer.append(record)
    }

    private mutating func write(to spill: any SpillFile) throws(BtrfsError) {
        Record.sort(&buffer)
        try spill.append(records: buffer)
        let start = runs.last?.upperBound ?? 0
        runs.append(start..<(start + buffer.count))
        buffer.removeAll(keepingCapacity: true)
    }

    /// The records in order. The sorter is empty afterwards.
    mutating func finish() throws(BtrfsError) -> SortedRecords<Record> {
        guard let spill, !runs.isEmpty else {
            Record.sort(&buffer)
            defer { buffer = [] }
            return SortedRecords(buffer)
        }
        if !buffer.isEmpty { try write(to: spill) }
        buffer = []
        defer {
            runs = []
            self.spill = nil
        }
        return try SortedRecords(runs: runs, in: spill, bufferRecords: capacity / 2)
    }
}

/// Records in order, one after the other, from memory or from sorted runs of a file.
struct SortedRecords<Record: SpillRecord>: Sendable {
    /// The next record of a run.
    private struct Head {
        var record: Record
        let run: Int
    }

    private var cursors: [RunCursor<Record>]
    /// A binary heap: the smallest record on top.
    private var heap: [Head] = []

    /// From sorted records.
    init(_ records: [Record]) {
        cursors = [RunCursor(records)]
        heap = records.first.map { [Head(record: $0, run: 0)] } ?? []
    }

    init(
        runs: [Range<Int>], in spill: any SpillFile, bufferRecords: Int
    ) throws(BtrfsError) {
        cursors = []
        let share = max(bufferRecords / runs.count, 64)
        for run in runs {
            let cursor = try RunCursor<Record>(run, in: spill, bufferRecords: share)
            heap.append(Head(record: cursor.current, run: cursors.count))
            cursors.append(cursor)
            siftUp(heap.count - 1)
        }
    }

    /// The record that `next` will give.
    var peek: Record? { heap.first?.record }

    mutating func next() throws(BtrfsError) -> Record? {
        guard let top = heap.first else { return nil }
        if try cursors[top.run].advance() {
            heap[0].record = cursors[top.run].current
        } else {
            heap.swapAt(0, heap.count - 1)
            heap.removeLast()
        }
        siftDown()
        return top.record
    }

    private mutating func siftUp(_ start: Int) {
        var place = start
        while place > 0, heap[place].record < heap[(place - 1) / 2].record {
            heap.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    private mutating func siftDown() {
        var place = 0
        while 2 * place + 1 < heap.count {
            let (left, right) = (2 * place + 1, 2 * place + 2)
            let isRight = right < heap.count && heap[right].record < heap[left].record
            let child = isRight ? right : left
            guard heap[child].record < heap[place].record else { return }
            heap.swapAt(place, child)
            place = child
        }
    }
}

/// One sorted run, a buffer at a time.
private struct RunCursor<Record: SpillRecord>: Sendable {
    private var buffer: [Record]
    private var position = 0
    private var left: Range<Int>
    private let spill: (any SpillFile)?
    private let bufferRecords: Int

    init(_ records: [Record]) {
        buffer = records
        left = 0..<0
        spill = nil
        bufferRecords = 0
    }

    init(_ run: Range<Int>, in spill: any SpillFile, bufferRecords: Int) throws(BtrfsError) {
        buffer = []
        left = run
        self.spill = spill
        self.bufferRecords = bufferRecords
        _ = try fill()
    }

    var current: Record { buffer[position] }

    /// - Returns: false at the end.
    mutating func advance() throws(BtrfsError) -> Bool {
        position += 1
        if position < buffer.count { return true }
        return try fill()
    }

    private mutating func fill() throws(BtrfsError) -> Bool {
        guard let spill, !left.isEmpty else { return false }
        let count = min(bufferRecords, left.count)
        buffer = try spill.records(left.lowerBound, count: count)
        position = 0
        left = (left.lowerBound + count)..<left.upperBound
        return true
    }
}
