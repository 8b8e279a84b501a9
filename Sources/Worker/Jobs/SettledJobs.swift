// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import FoundationEssentials
internal import Protocol

/// What jobs have left behind: as long as a survey under the same rules is the same, the same job
/// has nothing to do. So a second run reads what files refer to, and no more. Pure.
struct SettledJobs: Equatable {
    /// The most bytes that are read of a file of them.
    static let limitBytes = 64 << 10
    /// How many jobs are remembered; the oldest is forgotten first.
    static let limit = 8

    private struct Entry: Codable, Equatable {
        let work: WorkerOrder.Work
        let high: UInt64
        let low: UInt64
        let leftAlone: [JobResult.LeftAlone]
    }

    private var entries: [Entry] = []

    init() {}

    /// Reads what `encoded` gave; nil when it is broken.
    init?(decoding bytes: [UInt8]) {
        guard let entries = try? JSONDecoder().decode([Entry].self, from: Data(bytes)) else {
            return nil
        }
        self.entries = Array(entries.prefix(Self.limit))
    }

    func encoded() -> [UInt8] { (try? JSONEncoder().encode(entries)).map([UInt8].init) ?? [] }

    /// What such a job would leave alone, and do nothing else; nil when it may find something.
    func leftAlone(by work: WorkerOrder.Work, at digest: SurveyDigest) -> LeftAlone? {
        let entry = entries.first {
            $0.work == work && $0.high == digest.high && $0.low == digest.low
        }
        guard let entry else { return nil }
        var left = LeftAlone()
        for item in entry.leftAlone {
            guard let reason = LeftAloneReason(rawValue: item.reason) else { return nil }
            left.add(
                reason, extents: Int(clamping: item.count),
                diskBytes: ByteCount(UInt64(item.diskBytes)))
        }
        return left
    }

    /// Remembers a job that has come to its end, unless it left something that may go another time.
    mutating func remember(
        _ work: WorkerOrder.Work, at digest: SurveyDigest, leaving leftAlone: LeftAlone
    ) {
        entries.removeAll { $0.work == work }
        guard leftAlone.tallies.keys.allSatisfy({ !$0.isPassing }) else { return }
        let left = leftAlone.tallies.map {
            JobResult.LeftAlone(
                reason: $0.key.rawValue, count: UInt64($0.value.extents),
                diskBytes: $0.value.disk.rawValue)
        }
        entries.append(
            Entry(work: work, high: digest.high, low: digest.low, leftAlone: left))
        entries = Array(entries.suffix(Self.limit))
    }
}
