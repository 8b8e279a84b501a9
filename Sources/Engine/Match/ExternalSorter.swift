// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// Two numbers that are sorted by the first, then the second.
struct SortRecord: BitwiseCopyable, Comparable, Sendable {
    var key: UInt64
    var value: UInt64

    static func < (left: SortRecord, right: SortRecord) -> Bool {
        left.key != right.key ? left.key < right.key : left.value < right.value
    }
}

/// Sorts any number of records in bounded memory: full buffers are sorted and written to a file,
/// and merged at the end. What fits into one buffer never leaves memory.
struct ExternalSorter {
    /// The records held at a time; each takes 16 bytes.
    let capacity: Int
    private let spill: (any SpillFile)?
    private var buffer: [SortRecord] = []
    /// Where each sorted run lies in the file, in records.
    private var runs: [Range<Int>] = []

    /// Without a file to spill to everything stays in memory, however much it is.
    init(capacity: Int, spill: (any SpillFile)?) {
        self.capacity = max(capacity, 16)
        self.spill = spill
    }

    /// How many records were added.
    var count: Int { (runs.last?.upperBound ?? 0) + buffer.count }

    mutating func append(_ record: SortRecord) throws(BtrfsError) {
        if buffer.count >= capacity, let spill { try write(to: spill) }
        buffer.append(record)
    }

    private mutating func write(to spill: any SpillFile) throws(BtrfsError) {
        buffer.sort()
        var failure: BtrfsError?
        unsafe buffer.withUnsafeBytes { bytes in
            do throws(BtrfsError) {
                unsafe try spill.append(bytes)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        let start = runs.last?.upperBound ?? 0
        runs.append(start..<(start + buffer.count))
        buffer.removeAll(keepingCapacity: true)
    }

    /// The records in order. The sorter is empty afterwards.
    mutating func finish() throws(BtrfsError) -> SortedRecords {
        guard let spill, !runs.isEmpty else {
            buffer.sort()
            defer { buffer = [] }
            return SortedRecords(buffer)
        }
        if !buffer.isEmpty { try write(to: spill) }
        buffer = []
        defer { runs = [] }
        return try SortedRecords(runs: runs, in: spill, bufferRecords: capacity / 2)
    }
}

/// Records in order, one after the other, from memory or from sorted runs of a file.
struct SortedRecords {
    private var cursors: [RunCursor]
    /// A binary heap of indices into `cursors`: the smallest record on top.
    private var heap: [Int] = []

    /// From sorted records.
    init(_ records: [SortRecord]) {
        cursors = [RunCursor(records)]
        heap = records.isEmpty ? [] : [0]
    }

    init(
        runs: [Range<Int>], in spill: any SpillFile, bufferRecords: Int
    ) throws(BtrfsError) {
        cursors = []
        let share = max(bufferRecords / runs.count, 64)
        for run in runs {
            cursors.append(try RunCursor(run, in: spill, bufferRecords: share))
        }
        for index in cursors.indices {
            heap.append(index)
            siftUp(heap.count - 1)
        }
    }

    /// The record that `next` will give.
    var peek: SortRecord? { heap.first.map { cursors[$0].current } }

    mutating func next() throws(BtrfsError) -> SortRecord? {
        guard let top = heap.first else { return nil }
        let record = cursors[top].current
        if try cursors[top].advance() {
            siftDown(0)
        } else {
            heap.swapAt(0, heap.count - 1)
            heap.removeLast()
            siftDown(0)
        }
        return record
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        cursors[heap[left]].current < cursors[heap[right]].current
    }

    private mutating func siftUp(_ start: Int) {
        var place = start
        while place > 0, isBefore(place, (place - 1) / 2) {
            heap.swapAt(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    private mutating func siftDown(_ start: Int) {
        var place = start
        while true {
            var least = place
            for child in [2 * place + 1, 2 * place + 2]
            where child < heap.count && isBefore(child, least) {
                least = child
            }
            if least == place { return }
            heap.swapAt(place, least)
            place = least
        }
    }
}

/// One sorted run, a buffer at a time.
private struct RunCursor {
    private var buffer: [SortRecord]
    private var position = 0
    private var left: Range<Int>
    private let spill: (any SpillFile)?
    private let bufferRecords: Int

    init(_ records: [SortRecord]) {
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

    var current: SortRecord { buffer[position] }

    /// - Returns: false at the end.
    mutating func advance() throws(BtrfsError) -> Bool {
        position += 1
        if position < buffer.count { return true }
        return try fill()
    }

    private mutating func fill() throws(BtrfsError) -> Bool {
        guard let spill, !left.isEmpty else { return false }
        let count = min(bufferRecords, left.count)
        let offset = UInt64(left.lowerBound * MemoryLayout<SortRecord>.stride)
        var failure: BtrfsError?
        buffer = unsafe [SortRecord](unsafeUninitializedCapacity: count) { memory, filled in
            do throws(BtrfsError) {
                unsafe try spill.read(at: offset, into: UnsafeMutableRawBufferPointer(memory))
                filled = count
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        position = 0
        left = (left.lowerBound + count)..<left.upperBound
        return true
    }
}
