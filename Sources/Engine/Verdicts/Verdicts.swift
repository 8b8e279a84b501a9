// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs
internal import CChecksum

/// The verdicts on a file system's extents, kept from one run to the next. Pure.
///
/// What is lost of them costs time: the extents are read and packed again.
public struct Verdicts: Equatable, Sendable {
    /// The most that they take, in bytes; what has no room is asked again each time.
    public static let limitBytes = 64 << 20
    /// How many that are.
    public static let limit = (limitBytes - headerBytes - checksumBytes) / verdictBytes

    private static let magic: [UInt8] = Array("qbtrfsv\u{1}".utf8)
    private static let headerBytes = 8 + 16
    private static let verdictBytes = 16
    private static let checksumBytes = 4

    /// In the order of their addresses; one for each.
    private var verdicts: [Verdict] = []

    /// Nothing is known.
    public init() {}

    /// Reads what `encodedParts` gave. nil when it is of another file system or version, or broken.
    public init?(decoding encoded: [UInt8], fileSystem: FileSystem.Identity) {
        let end = encoded.count - Self.checksumBytes
        guard encoded.count <= Self.limitBytes, end >= Self.headerBytes,
            (end - Self.headerBytes).isMultiple(of: Self.verdictBytes),
            encoded.starts(with: Self.header(fileSystem)),
            Self.checksum(encoded[..<end]) == Array(encoded[end...])
        else { return nil }
        verdicts.reserveCapacity((end - Self.headerBytes) / Self.verdictBytes)
        for start in stride(from: Self.headerBytes, to: end, by: Self.verdictBytes) {
            guard
                let verdict = Verdict(
                    word: Self.integer(encoded, at: start),
                    generation: Self.integer(encoded, at: start + 8)),
                verdicts.last.map({ $0.address < verdict.address }) ?? true
            else { return nil }
            verdicts.append(verdict)
        }
    }

    /// How many there are.
    public var count: Int { verdicts.count }

    /// The bytes to keep, with a checksum of their own.
    public func encodedParts(for fileSystem: FileSystem.Identity) -> [[UInt8]] {
        var bytes = Self.header(fileSystem)
        bytes.reserveCapacity(Self.headerBytes + verdicts.count * Self.verdictBytes)
        for verdict in verdicts {
            Self.add(verdict.word, to: &bytes)
            Self.add(verdict.generation.rawValue, to: &bytes)
        }
        return [bytes, Self.checksum(bytes[...])]
    }

    // MARK: Asking

    /// Whether it is known that nothing is to be had by packing an extent so.
    func ruleOut(
        _ extent: Survey.Extent, _ rewriting: Replacement.Rewriting, in survey: Survey
    ) -> Bool {
        guard case .packed(let level) = rewriting, let verdict = verdict(on: extent),
            level <= verdict.level
        else { return false }
        if verdict.finding == .packed { return true }
        let used = Ranges.totalBytes(survey.usedRanges(of: extent))
        return verdict.usedParts == Verdict.usedParts(used, of: extent.contentBytes)
    }

    /// The level at which a job has packed an extent; nil where none is known to have.
    func packedLevel(of extent: Survey.Extent) -> Int? {
        verdict(on: extent).flatMap { $0.finding == .packed ? $0.level : nil }
    }

    private func verdict(on extent: Survey.Extent) -> Verdict? {
        var low = 0
        var high = verdicts.count
        while low < high {
            let middle = (low + high) / 2
            if verdicts[middle].address < extent.address {
                low = middle + 1
            } else {
                high = middle
            }
        }
        guard low < verdicts.count, verdicts[low].address == extent.address,
            verdicts[low].generation == extent.generation
        else { return nil }
        return verdicts[low]
    }

    /// Those that an estimate may rest on, which packs at one level and reckons the others from it.
    public var atEstimatedLevel: Verdicts {
        var others = self
        others.verdicts.removeAll { $0.level < Estimator.baseLevel }
        return others
    }

    // MARK: Learning

    /// Forgets the extents that a survey shows to be gone.
    /// - Parameter isWhole: it is of all files that verdicts may be about. Otherwise what it does
    ///   not show may be others', and only what has come in an extent's place says that it is gone.
    public mutating func forgetGone(in survey: Survey, isWhole: Bool) {
        let isWhole = isWhole && survey.unreadable.isEmpty
        var next = 0
        verdicts.removeAll { verdict in
            while next < survey.extents.count, survey.extents[next].address < verdict.address {
                next += 1
            }
            guard next < survey.extents.count, survey.extents[next].address == verdict.address
            else { return isWhole }
            return survey.extents[next].generation != verdict.generation
        }
    }

    /// Takes new ones, in any order; what is known of an extent by now goes before.
    public mutating func add(_ new: [Verdict], limit: Int = Verdicts.limit) {
        var merged: [Verdict] = []
        merged.reserveCapacity(verdicts.count + new.count)
        var room = limit - verdicts.count
        var next = 0
        for verdict in new.sorted(by: { $0.address < $1.address }) {
            while next < verdicts.count, verdicts[next].address < verdict.address {
                merged.append(verdicts[next])
                next += 1
            }
            if next < verdicts.count, verdicts[next].address == verdict.address {
                verdicts[next] = verdict.joined(with: verdicts[next])
            } else if let last = merged.last, last.address == verdict.address {
                merged[merged.count - 1] = verdict.joined(with: last)
            } else if room > 0 {
                merged.append(verdict)
                room -= 1
            }
        }
        verdicts = merged + verdicts[next...]
    }

    // MARK: Bytes

    private static func header(_ fileSystem: FileSystem.Identity) -> [UInt8] {
        magic + fileSystem.bytes.prefix(16)
    }

    private static func integer(_ bytes: [UInt8], at position: Int) -> UInt64 {
        (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[position + $1]) << UInt64(8 * $1) }
    }

    private static func add(_ value: UInt64, to bytes: inout [UInt8]) {
        for shift in stride(from: 0, to: 64, by: 8) {
            bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift)))
        }
    }

    private static func checksum(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        let sum = unsafe bytes.withUnsafeBytes {
            unsafe cchecksum_crc32c($0.baseAddress, $0.count)
        }
        return (0..<4).map { UInt8(truncatingIfNeeded: sum >> UInt32(8 * $0)) }
    }
}
