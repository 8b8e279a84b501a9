// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// Plans which extents to compress. Pure.
public enum CompressionPlanner {
    /// The level where neither the request nor a qube's feature gives one.
    public static let defaultLevel = 3

    /// Plans every extent in scope that is plain, or packed worse than is wanted; or, where plain
    /// is asked for, every one that is packed. Whether it shrinks is found out by doing it; the
    /// prediction is made then.
    /// - Parameters:
    ///   - requested: what the request says, which goes before the qubes' own wishes.
    ///   - verdicts: what earlier jobs have tried in vain is not read again.
    public static func plan(
        _ survey: Survey, scope: Scope, requested: Replacement.Rewriting?,
        sectorBytes: ByteCount, verdicts: Verdicts = Verdicts()
    ) -> Plan {
        var plan = Plan()
        plan.add(
            survey.extents.indices, of: survey, scope: scope, requested: requested,
            sectorBytes: sectorBytes, verdicts: verdicts
        ) { survey.preallocatedRanges(of: survey.extents[$0]) }
        return plan
    }

    /// Why an extent is not compressed.
    struct Left: Error { let reason: LeftAloneReason }

    /// A level, and whether somebody has asked for it: a request, or a qube's feature.
    struct Wanted {
        let level: Int
        let isExplicit: Bool
    }

    /// Of several qubes that use an extent, the one that wants it smallest decides; it stays plain
    /// only if all of those asked about want it so: then nil.
    static func wanted(
        for extent: Survey.Extent, _ survey: Survey, _ scope: Scope,
        _ requested: Replacement.Rewriting?
    ) -> Wanted? {
        let own = scope.owners(of: extent, in: survey).map { scope.volumes[$0] }
            .filter(\.isSelected).map(\.packing)
        let smallest = own.map { $0 ?? requested ?? .packed(level: defaultLevel) }.max()
        guard let smallest, case .packed(let level) = smallest else { return nil }
        return Wanted(
            level: requested?.level ?? level,
            isExplicit: requested != nil || own.contains(smallest))
    }

    /// How to write an extent anew, or why it stays as it is.
    static func rewriting(
        for extent: Survey.Extent, _ survey: Survey, _ scope: Scope,
        _ requested: Replacement.Rewriting?, _ verdicts: Verdicts
    ) -> Result<Replacement.Rewriting, Left> {
        if requested == .plain {
            if extent.compression == .none { return .failure(Left(reason: .alreadyPlain)) }
            return isForThemAlone(extent, survey, scope)
                ? .success(.plain) : .failure(Left(reason: .packedForOthers))
        }
        let wanted = wanted(for: extent, survey, scope, requested)
        if extent.compression != .none, !isWorsePacked(extent, than: wanted, scope, verdicts) {
            return .failure(Left(reason: .alreadyCompressed))
        }
        guard let wanted else { return .failure(Left(reason: .switchedOff)) }
        return .success(.packed(level: wanted.level))
    }

    /// Nobody uses it but those asked about, and qubes that want nothing compressed.
    private static func isForThemAlone(
        _ extent: Survey.Extent, _ survey: Survey, _ scope: Scope
    ) -> Bool {
        scope.owners(of: extent, in: survey).map { scope.volumes[$0] }
            .allSatisfy { $0.isSelected || $0.packing == .plain }
    }

    /// zstd at any level packs better than zlib and LZO. The level of a zstd extent is not on the
    /// disk, so that it has to be reckoned; and to read all of them is for those who ask for it.
    private static func isWorsePacked(
        _ extent: Survey.Extent, than wanted: Wanted?, _ scope: Scope, _ verdicts: Verdicts
    ) -> Bool {
        guard let wanted, let others = scope.levelOfOthers else { return false }
        return switch extent.compression {
        case .none, .zlib, .lzo: true
        case .zstd:
            wanted.isExplicit && wanted.level > verdicts.packedLevel(of: extent) ?? others
        }
    }

    static func replacement(
        of extent: Survey.Extent, _ rewriting: Replacement.Rewriting, holes: [Range<ByteCount>]
    ) -> Replacement {
        Replacement(
            address: extent.address, generation: extent.generation, diskBytes: extent.diskBytes,
            contentBytes: extent.contentBytes, pieces: [], holes: holes, rewriting: rewriting,
            predictedSaving: .zero, aim: rewriting == .plain ? .plain : .space)
    }
}

extension Plan {
    /// Plans to write those of the given extents anew that may be, in the order of the files: so
    /// that neighbours are written together.
    /// - Parameters:
    ///   - extents: by their index in the survey.
    ///   - verdicts: what was tried in vain before; it stays, unless holes can be made in it.
    ///   - holes: what of an extent, by its index, becomes holes when it is written anew.
    mutating func add<Failure: Error>(
        _ extents: some Sequence<Int>, of survey: Survey, scope: Scope,
        requested: Replacement.Rewriting?, sectorBytes: ByteCount, verdicts: Verdicts,
        holes: (Int) throws(Failure) -> [Range<ByteCount>]
    ) throws(Failure) {
        var chosen: [(extent: Survey.Extent, index: Int, rewriting: Replacement.Rewriting)] = []
        for index in extents {
            let extent = survey.extents[index]
            switch scope.judge(extent, in: survey) {
            case .outside: continue
            case .leave(let reason): leftAlone.add(reason, diskBytes: extent.diskBytes)
            case .candidate where survey.isPreallocated(extent):
                leftAlone.add(.preallocated, diskBytes: extent.diskBytes)
            case .candidate:
                switch CompressionPlanner.rewriting(
                    for: extent, survey, scope, requested, verdicts)
                {
                case .failure(let left): leftAlone.add(left.reason, diskBytes: extent.diskBytes)
                case .success(let rewriting):
                    if verdicts.ruleOut(extent, rewriting, in: survey), try holes(index).isEmpty {
                        leftAlone.add(
                            extent.compression == .none ? .doesNotShrink : .alreadyCompressed,
                            diskBytes: extent.diskBytes)
                    } else {
                        chosen.append((extent, index, rewriting))
                    }
                }
            }
        }
        chosen.sort { survey.place(of: $0.extent) < survey.place(of: $1.extent) }
        for (place, (extent, index, rewriting)) in chosen.enumerated() {
            let neighbours = [place - 1, place + 1].filter(chosen.indices.contains)
            // One sector cannot shrink but in one frame with what is beside it.
            let isAlone =
                extent.contentBytes >= EncodedIO.frameContentBytes
                || !neighbours.contains { survey.areAdjacent(chosen[$0].extent, extent) }
            if extent.diskBytes <= sectorBytes && isAlone && rewriting != .plain {
                leftAlone.add(
                    extent.compression == .none ? .tooSmall : .alreadyCompressed,
                    diskBytes: extent.diskBytes)
            } else {
                replacements.append(
                    CompressionPlanner.replacement(
                        of: extent, rewriting, holes: try holes(index)))
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
