// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs
internal import SystemCalls

/// Records by their number, which never change: in memory, or, where they are many, in a spill file
/// that is read as memory. The kernel holds what of it is looked at, as long as nobody needs the
/// room more.
public struct Column<Record: BitwiseCopyable & Sendable>: RandomAccessCollection, Sendable {
    /// How many there are.
    public let count: Int
    private let held: [Record]
    private let mapping: Mapping?
    /// Given back when nobody looks any more.
    private let spill: (any SpillFile)?

    /// Those in memory.
    public init(_ records: [Record] = []) {
        held = records
        count = records.count
        mapping = nil
        spill = nil
    }

    /// Those that `spill` has: at least one, and nothing else.
    init(count: Int, in spill: any SpillFile) throws(BtrfsError) {
        self.count = count
        self.spill = spill
        held = []
        let mapping = try spill.map()
        precondition(unsafe mapping.bytes.count == count * MemoryLayout<Record>.stride)
        self.mapping = mapping
    }

    private init(_ column: Column, mapping: Mapping) {
        count = column.count
        held = column.held
        spill = column.spill
        self.mapping = mapping
    }

    /// The same for who asks for records here and there, while others go through it in order: where
    /// memory is short, nothing is read ahead in vain. As advice is of a mapping, it has its own.
    func scattered() throws(BtrfsError) -> Column {
        guard let spill, mapping != nil else { return self }
        let other = try spill.map()
        other.expectRandomReads()
        return Column(self, mapping: other)
    }

    /// 0.
    public var startIndex: Int { 0 }
    /// How many there are.
    public var endIndex: Int { count }

    /// A record by its number.
    public subscript(index: Int) -> Record {
        guard let mapping else { return held[index] }
        precondition(index >= 0 && index < count)
        // Safe: what was written as such a record, at an address that is a multiple of its stride.
        return unsafe mapping.bytes.load(
            fromByteOffset: index * MemoryLayout<Record>.stride, as: Record.self)
    }
}

extension RandomAccessCollection where Index == Int {
    /// The first index of `range` whose record is in the second part; the records of which
    /// something is true all stand behind those of which it is not. The range's end, where there is
    /// none.
    func partitioningIndex(
        in range: Range<Int>? = nil, _ isInSecond: (Element) -> Bool
    ) -> Int {
        var low = range?.lowerBound ?? startIndex
        var high = range?.upperBound ?? endIndex
        while low < high {
            let middle = (low + high) / 2
            if isInSecond(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

/// Every so many-th key of a column whose records are in the order of their keys, in memory: a
/// search looks at the column itself within two pages only.
struct Fences: Sendable {
    /// The records from one to the next.
    static let distance = 256

    private var keys: [UInt64] = []
    private var count = 0

    /// The key of the next record.
    mutating func append(_ key: UInt64) {
        if count.isMultiple(of: Self.distance) { keys.append(key) }
        count += 1
    }

    /// Where the last record is whose key is at most `key`, if there is one.
    func range(of key: UInt64) -> Range<Int> {
        let next = keys.partitioningIndex { $0 > key }
        guard next > 0 else { return 0..<0 }
        return ((next - 1) * Self.distance)..<min(next * Self.distance, count)
    }
}

/// Makes a column, record by record.
public struct ColumnWriter<Record: BitwiseCopyable & Sendable>: Sendable {
    /// What is written at a time.
    private static var blockBytes: Int { 256 << 10 }

    private var buffer: [Record] = []
    /// How many may be in `buffer`.
    private var capacity: Int
    private var spilled = 0
    private let spills: (any SpillSource)?
    private var spill: (any SpillFile)?

    /// Without files to spill to everything stays in memory, however much it is.
    public init(spills: (any SpillSource)? = nil) {
        self.spills = spills
        capacity = spills.map { Self.records(in: $0.columnBytes) } ?? .max
    }

    /// How many were added.
    public var count: Int { spilled + buffer.count }

    /// Adds one at the end.
    public mutating func append(_ record: Record) throws(BtrfsError) {
        if buffer.count >= capacity { try flush() }
        buffer.append(record)
    }

    private mutating func flush() throws(BtrfsError) {
        if spill == nil { spill = spills?.take() }
        guard let spill else {
            capacity = .max
            return
        }
        try spill.append(records: buffer)
        spilled += buffer.count
        capacity = Self.records(in: Self.blockBytes)
        if spilled == buffer.count {
            // The first time: a block is enough from now on.
            buffer = []
            buffer.reserveCapacity(capacity)
        } else {
            buffer.removeAll(keepingCapacity: true)
        }
    }

    /// The column. The writer is empty afterwards.
    public mutating func finish() throws(BtrfsError) -> Column<Record> {
        defer { self = ColumnWriter(spills: spills) }
        guard spill != nil else { return Column(buffer) }
        try flush()
        guard let spill else { return Column() }
        return try Column(count: spilled, in: spill)
    }

    private static func records(in bytes: Int) -> Int {
        max(bytes / MemoryLayout<Record>.stride, 1)
    }
}
