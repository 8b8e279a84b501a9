// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// Plans which extents to compress. Pure.
public enum CompressionPlanner {
    /// The level where neither the request nor a qube's feature gives one.
    public static let defaultLevel = 3

    /// Plans every plain extent that is in scope. Whether it shrinks is found out by doing it; the
    /// prediction is made then.
    /// - Parameters:
    ///   - requestedLevel: the request's zstd level, which goes before the qubes' own.
    ///   - verdicts: what earlier jobs have tried in vain is not read again.
    public static func plan(
        _ survey: Survey, scope: Scope, requestedLevel: Int?, sectorBytes: ByteCount,
        verdicts: Verdicts = Verdicts()
    ) -> Plan {
        var plan = Plan()
        plan.add(
            survey.extents.indices, of: survey, scope: scope, requestedLevel: requestedLevel,
            sectorBytes: sectorBytes, verdicts: verdicts
        ) { survey.preallocatedRanges(of: survey.extents[$0]) }
        return plan
    }

    /// Why an extent is not compressed.
    struct Left: Error { let reason: LeftAloneReason }

    /// Of several qubes that use an extent, the one that wants it smallest decides; it stays plain
    /// only if all of those asked about want it so.
    static func level(
        for extent: Survey.Extent, _ survey: Survey, _ scope: Scope, _ requested: Int?
    ) -> Result<Int, Left> {
        if extent.compression != .none { return .failure(Left(reason: .alreadyCompressed)) }
        let levels = scope.owners(of: extent, in: survey).map { scope.volumes[$0] }
            .filter(\.isSelected)
            .map { $0.compressionLevel ?? requested ?? defaultLevel }
        let highest = levels.max() ?? 0
        if highest == 0 { return .failure(Left(reason: .switchedOff)) }
        return .success(requested ?? highest)
    }

    static func replacement(
        of extent: Survey.Extent, level: Int, holes: [Range<ByteCount>]
    ) -> Replacement {
        Replacement(
            address: extent.address, generation: extent.generation, diskBytes: extent.diskBytes,
            contentBytes: extent.contentBytes, pieces: [], holes: holes,
            rewriting: .packed(level: level), predictedSaving: .zero)
    }
}

extension Plan {
    /// Plans to compress those of the given extents that may be, in the order of the files: so that
    /// neighbours are written together.
    /// - Parameters:
    ///   - extents: by their index in the survey.
    ///   - verdicts: what was tried in vain before; it stays, unless holes can be made in it.
    ///   - holes: what of an extent, by its index, becomes holes when it is written anew.
    mutating func add<Failure: Error>(
        _ extents: some Sequence<Int>, of survey: Survey, scope: Scope,
        requestedLevel: Int?, sectorBytes: ByteCount, verdicts: Verdicts,
        holes: (Int) throws(Failure) -> [Range<ByteCount>]
    ) throws(Failure) {
        var chosen: [(extent: Survey.Extent, index: Int, level: Int)] = []
        for index in extents {
            let extent = survey.extents[index]
            switch scope.judge(extent, in: survey) {
            case .outside: continue
            case .leave(let reason): leftAlone.add(reason, diskBytes: extent.diskBytes)
            case .candidate where survey.isPreallocated(extent):
                leftAlone.add(.preallocated, diskBytes: extent.diskBytes)
            case .candidate:
                switch CompressionPlanner.level(for: extent, survey, scope, requestedLevel) {
                case .failure(let left): leftAlone.add(left.reason, diskBytes: extent.diskBytes)
                case .success(let level):
                    if verdicts.ruleOut(extent, level: level, in: survey),
                        try holes(index).isEmpty
                    {
                        leftAlone.add(.doesNotShrink, diskBytes: extent.diskBytes)
                    } else {
                        chosen.append((extent, index, level))
                    }
                }
            }
        }
        chosen.sort { survey.place(of: $0.extent) < survey.place(of: $1.extent) }
        for (place, (extent, index, level)) in chosen.enumerated() {
            let neighbours = [place - 1, place + 1].filter(chosen.indices.contains)
            // One sector cannot shrink but together with what is beside it.
            let isAlone = !neighbours.contains { survey.areAdjacent(chosen[$0].extent, extent) }
            if extent.contentBytes <= sectorBytes && isAlone {
                leftAlone.add(.tooSmall, diskBytes: extent.diskBytes)
            } else {
                replacements.append(
                    CompressionPlanner.replacement(
                        of: extent, level: level, holes: try holes(index)))
            }
        }
    }
}

extension Survey {
    /// Where an extent is referred to first: the files in their order.
    func place(of extent: Extent) -> (file: Int, offset: FileOffset) {
        guard let first = references(to: extent).first else { return (.max, .start) }
        return (first.file, first.fileOffset)
    }

    /// One goes on where the other ends, in the file that refers to both first.
    func areAdjacent(_ one: Extent, _ other: Extent) -> Bool {
        guard let first = references(to: one).first, let second = references(to: other).first,
            first.file == second.file
        else { return false }
        return first.fileOffset + first.lengthBytes == second.fileOffset
            || second.fileOffset + second.lengthBytes == first.fileOffset
    }
}
