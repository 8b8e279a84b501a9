// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// What to replace, in the order to do it, and what stays.
public struct Plan: Equatable, Sendable {
    /// One for each extent to replace.
    public var replacements: [Replacement] = []
    /// Extents in scope that stay as they are.
    public var leftAlone = LeftAlone()

    /// Nothing yet.
    public init() {}

    /// What the plan expects to cost in metadata, in bytes of data.
    public var predictedMetadata: ByteCount {
        replacements.reduce(ByteCount.zero) { $0 + $1.predictedMetadata }
    }

    /// By how much data grows at most where what is packed is to be plain.
    public var growth: ByteCount {
        replacements.reduce(ByteCount.zero) {
            $1.aim == .plain && $1.isPacked ? $0 + ($1.contentBytes - $1.diskBytes) : $0
        }
    }

    /// What the plan expects to come back on balance: data less metadata.
    public var predictedSaving: ByteCount {
        replacements.reduce(ByteCount.zero) { $0 + $1.predictedSaving }
    }
}
