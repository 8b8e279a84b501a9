// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol

// What a job's time did not suffice for, summed up over its file systems.

extension JobRemainder {
    /// The time was over before this file system's plan was made.
    /// - Parameter known: of how much content the checksums were read, and of how much they are
    ///   to be; nil where that had not begun.
    mutating func addUnplanned(known: (bytes: UInt64, of: UInt64)?) {
        unplannedFileSystems = (unplannedFileSystems ?? 0) + 1
        restSeconds = nil
        guard let known else { return }
        knownBytes = (knownBytes ?? 0) + known.bytes
        toKnowBytes = (toKnowBytes ?? 0) + known.of
    }

    /// A plan was carried out, or as much of it as there was time for.
    /// - Parameters:
    ///   - isPredicted: the plan tells what all of it saves.
    ///   - seconds: what it took.
    mutating func add(
        _ left: Remainder, of plan: ByteCount, isPredicted: Bool, seconds: Double
    ) {
        plannedBytes += plan.rawValue
        leftBytes += left.disk.rawValue
        leftContentBytes += left.content.rawValue
        if isPredicted {
            predictedBytes = (predictedBytes ?? 0) + left.predictedSaving.rawValue
        }
        let done = plan - min(left.disk, plan)
        if left.disk > .zero, done > .zero, unplannedFileSystems == nil {
            restSeconds = seconds * Double(left.disk.rawValue) / Double(done.rawValue)
        }
    }

    /// It has come to its end in time.
    var isNothing: Bool { leftBytes == 0 && unplannedFileSystems == nil }
}
