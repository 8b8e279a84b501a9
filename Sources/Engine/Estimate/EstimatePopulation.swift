// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs

/// All that jobs would write anew, sorted into strata that a sample is drawn from. Pure.
///
/// Nothing of it is cut into frames before one is drawn: of a tebibyte there would be millions.
struct EstimatePopulation {
    /// What becomes of content.
    enum Kind: Hashable, Sendable {
        /// Dedupe leaves its extent; compression packs it, alone or after dedupe.
        case kept
        /// Dedupe gives its extent up; compression alone packs it.
        case given
        /// Unique parts of extents that dedupe gives up: packed by both together.
        case left
    }

    /// Content of one kind, of the same volumes, that is to get the same level.
    struct Stratum: Sendable {
        let kind: Kind
        /// In `EstimatePopulation.owners`.
        let domain: Int
        /// The level that the settings ask for.
        let level: Int
        /// In the order of their addresses.
        var members: [Member] = []
        /// For each member, the content up to its end.
        var ends: [UInt64] = []

        var totalBytes: UInt64 { ends.last ?? 0 }
    }

    /// An extent, or a part of one.
    struct Member: Sendable {
        /// In the survey.
        let extent: Int
        /// The part of its content; nil for all that files use of it.
        let range: Range<ByteCount>?
    }

    /// The sets of volumes that share extents.
    private(set) var owners: [Set<Int>] = []
    /// For each set, what its extents take on the device.
    private(set) var diskBytes: [UInt64] = []
    /// For each set, what dedupe brings.
    private(set) var dedupe: [EstimatedSaving] = []
    private(set) var strata: [Stratum] = []

    private var domains: [Set<Int>: Int] = [:]
    private var numbers: [Key: Int] = [:]

    private struct Key: Hashable {
        let kind: Kind
        let domain: Int
        let level: Int
    }

    /// - Parameters:
    ///   - compression: what compression would replace, at the levels that settings ask for.
    ///   - dedupe: what dedupe would replace.
    init(_ survey: Survey, compression: Plan, dedupe: Plan, scope: Scope) {
        let given = Dictionary(
            dedupe.replacements.map { ($0.address, $0) }, uniquingKeysWith: { first, _ in first })
        let packed = Dictionary(
            compression.replacements.map { ($0.address, $0.rewriting) },
            uniquingKeysWith: { first, _ in first })
        for (index, extent) in survey.extents.enumerated() {
            let domain = domain(scope.owners(of: extent, in: survey))
            diskBytes[domain] += extent.diskBytes.rawValue
            let replacement = given[extent.address]
            let used = survey.usedRanges(of: extent)
            let left =
                replacement.map {
                    Ranges.subtract($0.partsElsewhere, from: used)
                } ?? []
            if let replacement {
                self.dedupe[domain] =
                    self.dedupe[domain] + Self.saving(of: replacement, extent, left: left)
            }
            guard case .packed(let level)? = packed[extent.address] else { continue }
            add(
                Member(extent: index, range: nil), bytes: Ranges.totalBytes(used),
                to: Key(kind: replacement == nil ? .kept : .given, domain: domain, level: level))
            for range in left {
                add(
                    Member(extent: index, range: range),
                    bytes: range.upperBound - range.lowerBound,
                    to: Key(kind: .left, domain: domain, level: level))
            }
        }
    }

    /// Of a packed extent nobody knows what its unique parts will take when they are packed anew:
    /// the plan takes their share of it, and the truth lies between a half of that and all.
    private static func saving(
        of replacement: Replacement, _ extent: Survey.Extent, left: [Range<ByteCount>]
    ) -> EstimatedSaving {
        let saving = Double(replacement.predictedSaving.rawValue)
        guard extent.compression != .none, !left.isEmpty else {
            return EstimatedSaving(bytes: saving)
        }
        let rewritten = Double(extent.diskBytes.rawValue) - saving
        return EstimatedSaving(bytes: saving, doubtBytes: max(rewritten, 0) / 2)
    }

    private mutating func domain(_ set: Set<Int>) -> Int {
        if let known = domains[set] { return known }
        domains[set] = owners.count
        owners.append(set)
        diskBytes.append(0)
        dedupe.append(EstimatedSaving())
        return owners.count - 1
    }

    private mutating func add(_ member: Member, bytes: ByteCount, to key: Key) {
        guard bytes > .zero else { return }
        let number = numbers[key] ?? strata.count
        if number == strata.count {
            numbers[key] = number
            strata.append(Stratum(kind: key.kind, domain: key.domain, level: key.level))
        }
        strata[number].members.append(member)
        strata[number].ends.append(strata[number].totalBytes + bytes.rawValue)
    }
}
