// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation

/// What a device holds after its power was cut at some moment, with a write cache that is lost:
/// all that it was given before its last flush, and of what came after it any part.
struct PowerCut {
    /// What becomes of writes that no flush has followed.
    enum Fate: CaseIterable {
        case none, all, some, torn
    }

    /// The device as it was when `records` began.
    let base: String
    let records: [WrittenRecord]

    /// Makes the device as it is after a cut.
    /// - Parameters:
    ///   - place: how many of the records the device has been given.
    ///   - random: which of the writes behind the last flush are on it, and in what order.
    func replay(to path: String, place: Int, _ fate: Fate, _ random: inout Content) throws {
        try Command.check("cp", "--sparse=always", base, path)
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        defer { try? file.close() }
        let given = records.prefix(place)
        let flushed =
            given.lastIndex {
                if case .flush = $0 { true } else { false }
            } ?? given.startIndex
        for record in given[..<flushed] { try Self.write(record, to: file) }
        var rest = Array(given[flushed...])
        if fate == .some || fate == .torn {
            for index in rest.indices.reversed() {
                rest.swapAt(index, Int(random.next() >> 33) % (index + 1))
            }
        }
        for record in rest {
            let isKept = fate == .all || (fate != .none && random.next() >> 40 & 1 == 0)
            guard isKept else { continue }
            if fate == .torn, case .write(let offset, let data) = record, data.count > 4096 {
                // A disk writes whole sectors.
                let sectors = Int(random.next() >> 33) % (data.count / 4096)
                try Self.write(.write(offset: offset, data.prefix(sectors * 4096)), to: file)
            } else {
                try Self.write(record, to: file)
            }
        }
    }

    private static func write(_ record: WrittenRecord, to file: FileHandle) throws {
        switch record {
        case .flush: break
        case .write(let offset, let data):
            try file.seek(toOffset: offset)
            try file.write(contentsOf: data)
        case .punch(let range):
            try file.seek(toOffset: range.lowerBound)
            try file.write(contentsOf: Data(count: range.count))
        }
    }
}
