// SPDX-License-Identifier: GPL-2.0-or-later

/// What something is expected to bring, and how sure that is.
public struct EstimatedSaving: Equatable, Sendable {
    /// The expected value in bytes.
    public var bytes: Double
    /// The variance of `bytes` from drawing a sample; 0 where all was looked at.
    public var variance: Double
    /// What it may be wrong by besides, for reasons that are no matter of chance, in bytes.
    public var doubtBytes: Double

    /// Makes one; exact without further arguments.
    public init(bytes: Double = 0, variance: Double = 0, doubtBytes: Double = 0) {
        self.bytes = bytes
        self.variance = variance
        self.doubtBytes = doubtBytes
    }

    /// The expected value, never negative.
    public var savedBytes: UInt64 { Self.whole(bytes) }

    /// The true value lies within this of `bytes` 19 times of 20: twice the standard error.
    public var errorBytes: UInt64 { Self.whole(2 * variance.squareRoot() + doubtBytes) }

    /// The sum of two that have nothing to do with each other.
    public static func + (left: EstimatedSaving, right: EstimatedSaving) -> EstimatedSaving {
        EstimatedSaving(
            bytes: left.bytes + right.bytes, variance: left.variance + right.variance,
            doubtBytes: left.doubtBytes + right.doubtBytes)
    }

    private static func whole(_ value: Double) -> UInt64 {
        // No sum of bytes comes near; a figure that is none must not trap.
        UInt64(min(max(value.isFinite ? value : 0, 0), 0x1p62))
    }
}

/// What jobs would save on a set of volumes.
public struct EstimateFigures: Equatable, Sendable {
    /// What compression brings at one level.
    public struct Level: Equatable, Sendable {
        /// The zstd level; nil for the one that each qube's settings ask for.
        public let level: Int?
        /// By compression alone.
        public let compress: EstimatedSaving
        /// By dedupe, and compression of what it leaves.
        public let optimize: EstimatedSaving
    }

    /// What the set takes on the device now.
    public let diskBytes: UInt64
    /// By dedupe alone.
    public let dedupe: EstimatedSaving
    /// By compression, first as the settings say, then level by level.
    public let levels: [Level]
}
