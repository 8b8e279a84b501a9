// SPDX-License-Identifier: GPL-2.0-or-later

/// What an external sort can sort: records that can be written as they stand in memory.
protocol SpillRecord: BitwiseCopyable, Comparable, Sendable {
    /// Puts records in order.
    static func sort(_ records: inout [Self])
}

extension SpillRecord {
    static func sort(_ records: inout [Self]) { records.sort() }
}

/// Two numbers that are sorted by the first, then the second.
struct SortRecord: SpillRecord {
    var key: UInt64
    var value: UInt64

    static func < (left: SortRecord, right: SortRecord) -> Bool {
        left.key != right.key ? left.key < right.key : left.value < right.value
    }

    /// By the digits of the keys, from the last to the first, which takes a fourth of the time that
    /// comparing takes where there are millions. What has equal keys is then compared.
    static func sort(_ records: inout [SortRecord]) {
        guard records.count > Digits.worthwhileCount else { return records.sort() }
        let varying = records.reduce(0) { $0 | ($1.key ^ records[0].key) }
        var other = records
        for shift in stride(from: 0, to: UInt64.bitWidth, by: Digits.bits)
        where varying >> shift & Digits.mask != 0 {
            Digits.distribute(records.span, by: shift, into: other.mutableSpan)
            swap(&records, &other)
        }
        sortEqualKeys(&records)
    }

    private static func sortEqualKeys(_ records: inout [SortRecord]) {
        var start = 0
        while start < records.count {
            var end = start + 1
            var isInOrder = true
            while end < records.count, records[end].key == records[start].key {
                isInOrder = isInOrder && records[end - 1].value <= records[end].value
                end += 1
            }
            if !isInOrder { records[start..<end].sort() }
            start = end
        }
    }

    /// Parts of a key.
    private enum Digits {
        /// 2048 counts fit into a core's own cache.
        static let bits = 11
        static let mask: UInt64 = 1 << 11 - 1
        /// Fewer are sorted as fast by comparing.
        static let worthwhileCount = 4096

        /// Puts records in the order of one digit; those of equal ones stay in theirs.
        static func distribute(
            _ records: Span<SortRecord>, by shift: Int,
            into result: consuming MutableSpan<SortRecord>
        ) {
            var places = [Int](repeating: 0, count: 1 << bits)
            for index in records.indices { places[digit(records[index].key, shift)] += 1 }
            var total = 0
            for index in places.indices {
                (places[index], total) = (total, total + places[index])
            }
            for index in records.indices {
                let digit = digit(records[index].key, shift)
                result[places[digit]] = records[index]
                places[digit] += 1
            }
        }

        @inline(__always)
        private static func digit(_ key: UInt64, _ shift: Int) -> Int {
            Int(truncatingIfNeeded: key >> shift & mask)
        }
    }
}
