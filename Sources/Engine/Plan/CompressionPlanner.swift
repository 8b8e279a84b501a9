// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// Plans which extents to compress. Pure.
public enum CompressionPlanner {
    /// The level where neither the request nor a qube's feature gives one.
    public static let defaultLevel = 3

    /// Plans every plain extent that is in scope. Whether it shrinks is found out by doing it; the
    /// prediction is made then.
    /// - Parameter requestedLevel: the request's zstd level, which goes before the qubes' own.
    public static func plan(
        _ survey: Survey, scope: Scope, requestedLevel: Int?, sectorBytes: ByteCount
    ) -> Plan {
        var plan = Plan()
        for extent in survey.extents {
            switch scope.judge(extent, in: survey) {
            case .outside: continue
            case .leave(let reason): plan.leftAlone.add(reason, diskBytes: extent.diskBytes)
            case .candidate:
                switch level(for: extent, survey, scope, requestedLevel, sectorBytes) {
                case .failure(let left):
                    plan.leftAlone.add(left.reason, diskBytes: extent.diskBytes)
                case .success(let level):
                    plan.replacements.append(replacement(of: extent, level: level))
                }
            }
        }
        return plan
    }

    /// Why an extent is not compressed.
    struct Left: Error { let reason: LeftAloneReason }

    /// Of several qubes that use an extent, the one that wants it smallest decides; it stays plain
    /// only if all of those asked about want it so.
    static func level(
        for extent: Survey.Extent, _ survey: Survey, _ scope: Scope, _ requested: Int?,
        _ sectorBytes: ByteCount
    ) -> Result<Int, Left> {
        if extent.compression != .none { return .failure(Left(reason: .alreadyCompressed)) }
        if extent.contentBytes <= sectorBytes { return .failure(Left(reason: .tooSmall)) }
        let levels = scope.owners(of: extent, in: survey).map { scope.volumes[$0] }
            .filter(\.isSelected)
            .map { $0.compressionLevel ?? requested ?? defaultLevel }
        let highest = levels.max() ?? 0
        if highest == 0 { return .failure(Left(reason: .switchedOff)) }
        return .success(requested ?? highest)
    }

    static func replacement(of extent: Survey.Extent, level: Int) -> Replacement {
        Replacement(
            address: extent.address, generation: extent.generation, diskBytes: extent.diskBytes,
            contentBytes: extent.contentBytes, pieces: [], rewriting: .packed(level: level),
            predictedSaving: .zero)
    }
}
