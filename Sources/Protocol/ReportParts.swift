// SPDX-License-Identifier: GPL-2.0-or-later

/// Qubes, or volumes of them, that are counted together: a template's family, a dedupe group, a
/// pool. What two members share counts once, and is exclusive to both together.
public struct QubeSet: Codable, Equatable, Sendable {
    /// The template's, the group's or the pool's name.
    public var name: String
    /// The qubes with a volume in it, by name.
    public var qubes: [String]
    /// What they take together.
    public var figures: Figures

    /// Makes a set.
    public init(name: String, qubes: [String], figures: Figures) {
        self.name = name
        self.qubes = qubes
        self.figures = figures
    }
}

/// What could still be saved, as far as anybody has looked.
public struct Gain: Codable, Equatable, Sendable {
    /// What would save it: `compress`, `dedupe`, `optimize`.
    public var operation: String
    /// How much, in bytes.
    public var bytes: UInt64
    /// When that was reckoned, in seconds since 1970.
    public var measuredAt: Int64

    /// Makes a gain.
    public init(operation: String, bytes: UInt64, measuredAt: Int64) {
        self.operation = operation
        self.bytes = bytes
        self.measuredAt = measuredAt
    }
}

/// A snapshot or another subvolume that holds space, in bytes on disk.
public struct SpaceHolder: Codable, Equatable, Sendable {
    /// From the top of its file system; nil for all together that are beyond what is looked at each
    /// for itself.
    public var path: String?
    /// It was made from another subvolume.
    public var isSnapshot: Bool
    /// How many subvolumes it stands for, where that is not one.
    public var count: UInt64?
    /// What it has, each extent once.
    public var diskBytes: UInt64
    /// What comes back if it alone is deleted.
    public var exclusiveBytes: UInt64

    /// Makes one.
    public init(
        path: String?, isSnapshot: Bool, count: UInt64? = nil, diskBytes: UInt64,
        exclusiveBytes: UInt64
    ) {
        self.path = path
        self.isSnapshot = isSnapshot
        self.count = count
        self.diskBytes = diskBytes
        self.exclusiveBytes = exclusiveBytes
    }
}

/// What of a qube such subvolumes have as well.
public struct HeldOfQube: Codable, Equatable, Sendable {
    /// The qube's name.
    public var qube: String
    /// What does not come back if the qube goes, for that reason alone.
    public var bytes: UInt64

    /// Makes one.
    public init(qube: String, bytes: UInt64) {
        self.qube = qube
        self.bytes = bytes
    }
}

/// The machine as a whole: every file of every file system that has a pool.
public struct MachineFigures: Codable, Equatable, Sendable {
    /// All files, each extent once.
    public var everything: Figures
    /// All files that are none of a qube's volumes: dom0's own, snapshots, and images that no qube
    /// has any more.
    public var others: Figures
    /// What compression saves: the content of packed extents minus what they take.
    public var savedByCompressionBytes: UInt64
    /// What sharing saves: what all files refer to minus the same with each byte counted once.
    public var savedBySharingBytes: UInt64
    /// What remains to be gained; empty when nobody has estimated it.
    public var gains: [Gain]
    /// How many subvolumes are being deleted; nil for none, and for other readers than dom0.
    public var deletedSubvolumes: UInt64?
    /// About what comes back when the kernel is through with them.
    public var deletedSubvolumesBytes: UInt64?
    /// Snapshots and other subvolumes that are not in use, those first that would bring most; nil
    /// for none, and for other readers than dom0.
    public var holders: [SpaceHolder]?
    /// What comes back if all of them are deleted.
    public var holdersBytes: UInt64?
    /// The qubes whose space they keep, those first of which it is most.
    public var heldOfQubes: [HeldOfQube]?

    /// Makes figures.
    public init(
        everything: Figures, others: Figures, savedByCompressionBytes: UInt64,
        savedBySharingBytes: UInt64, gains: [Gain] = []
    ) {
        self.everything = everything
        self.others = others
        self.savedByCompressionBytes = savedByCompressionBytes
        self.savedBySharingBytes = savedBySharingBytes
        self.gains = gains
    }
}

/// The machine's totals at one moment.
public struct HistoryPoint: Codable, Equatable, Sendable {
    /// When, in seconds since 1970.
    public var at: Int64
    /// Of all file systems with pools: their devices' size.
    public var deviceBytes: UInt64
    /// What data takes.
    public var dataUsedBytes: UInt64
    /// What metadata takes.
    public var metadataUsedBytes: UInt64
    /// What no chunk takes.
    public var unallocatedBytes: UInt64
    /// What all files refer to, where a report has counted it.
    public var referencedBytes: UInt64?
    /// After a job: what it did.
    public var operation: String?
    /// After a job: what it saved.
    public var savedBytes: Int64?

    /// Makes a point.
    public init(
        at: Int64, deviceBytes: UInt64, dataUsedBytes: UInt64, metadataUsedBytes: UInt64,
        unallocatedBytes: UInt64, referencedBytes: UInt64? = nil, operation: String? = nil,
        savedBytes: Int64? = nil
    ) {
        self.at = at
        self.deviceBytes = deviceBytes
        self.dataUsedBytes = dataUsedBytes
        self.metadataUsedBytes = metadataUsedBytes
        self.unallocatedBytes = unallocatedBytes
        self.referencedBytes = referencedBytes
        self.operation = operation
        self.savedBytes = savedBytes
    }

    /// The sum of these file systems.
    public init(at: Int64, _ usages: [FileSystemUsage]) {
        func sum(_ part: KeyPath<FileSystemUsage, UInt64>) -> UInt64 {
            usages.reduce(0) {
                let sum = $0.addingReportingOverflow($1[keyPath: part])
                return sum.overflow ? .max : sum.partialValue
            }
        }
        self.init(
            at: at, deviceBytes: sum(\.deviceBytes), dataUsedBytes: sum(\.dataUsedBytes),
            metadataUsedBytes: sum(\.metadataUsedBytes),
            unallocatedBytes: sum(\.unallocatedBytes))
    }
}

extension Report {
    /// How the live image of a volume has grown, in all of the time since it was last seen to hold
    /// less than before.
    public struct Growth: Codable, Equatable, Sendable {
        /// The first look of these, in seconds since 1970.
        public var sinceAt: Int64
        /// The last one.
        public var lastAt: Int64
        /// By how much, holes left out.
        public var grownBytes: UInt64
        /// How often it was looked at, an hour or more apart.
        public var looks: Int

        /// Makes a growth.
        public init(sinceAt: Int64, lastAt: Int64, grownBytes: UInt64, looks: Int) {
            self.sinceAt = sinceAt
            self.lastAt = lastAt
            self.grownBytes = grownBytes
            self.looks = looks
        }

        /// Over how many whole days.
        public var days: Int64 {
            lastAt.subtractingReportingOverflow(sinceAt).partialValue / 86400
        }

        /// What shows whether any of it comes back.
        public static func trimCommand(_ qubes: [String], starts: Bool) -> String {
            "qvm-btrfs trim \(qubes.joined(separator: " "))" + (starts ? " --start" : "")
        }
    }
}
