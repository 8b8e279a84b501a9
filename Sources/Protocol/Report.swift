// SPDX-License-Identifier: GPL-2.0-or-later

/// What a set of files takes, in bytes. The words are those of `docs/architecture.md`.
public struct Figures: Codable, Equatable, Sendable {
    /// The files' apparent size.
    public var sizeBytes: UInt64
    /// Mapped, not holes, counted per file.
    public var dataBytes: UInt64
    /// On the device: each extent once, compressed size.
    public var diskBytes: UInt64
    /// Of disk, what comes back if this set of files goes.
    public var exclusiveBytes: UInt64
    /// What comes back if the revisions go.
    public var revisionsBytes: UInt64
    /// Of disk, what is stored compressed.
    public var compressedDiskBytes: UInt64
    /// The content that `compressedDiskBytes` unpacks to.
    public var compressedDataBytes: UInt64
    /// The number of extents, each once.
    public var extents: UInt64

    /// Disk minus exclusive.
    public var sharedBytes: UInt64 { diskBytes - min(exclusiveBytes, diskBytes) }
    /// Data over disk; nil when nothing is on disk.
    public var ratio: Double? {
        diskBytes == 0 ? nil : Double(dataBytes) / Double(diskBytes)
    }

    /// Makes figures; all zero without arguments.
    public init(
        sizeBytes: UInt64 = 0, dataBytes: UInt64 = 0, diskBytes: UInt64 = 0,
        exclusiveBytes: UInt64 = 0, revisionsBytes: UInt64 = 0, compressedDiskBytes: UInt64 = 0,
        compressedDataBytes: UInt64 = 0, extents: UInt64 = 0
    ) {
        self.sizeBytes = sizeBytes
        self.dataBytes = dataBytes
        self.diskBytes = diskBytes
        self.exclusiveBytes = exclusiveBytes
        self.revisionsBytes = revisionsBytes
        self.compressedDiskBytes = compressedDiskBytes
        self.compressedDataBytes = compressedDataBytes
        self.extents = extents
    }
}

/// The reply of `btrfs.Report`.
public struct Report: Codable, Equatable, Sendable {
    /// One image file.
    public struct Image: Codable, Equatable, Sendable {
        /// Its path below the pool's directory.
        public var path: String
        /// Its role: `clean`, `dirty`, `precache`, `revision`, `import`, `volatile`, `temporary`.
        public var role: String
        /// Its inode's apparent size in bytes.
        public var sizeBytes: UInt64
        /// NOCOW: cannot be compressed or shared.
        public var nocow: Bool

        /// Makes an image.
        public init(path: String, role: String, sizeBytes: UInt64, nocow: Bool) {
            self.path = path
            self.role = role
            self.sizeBytes = sizeBytes
            self.nocow = nocow
        }
    }

    /// One volume of a qube.
    public struct Volume: Codable, Equatable, Sendable {
        /// The volume's name: `root`, `private`, `volatile`.
        public var name: String
        /// The pool's name.
        public var pool: String
        /// What it takes.
        public var figures: Figures
        /// Its files.
        public var images: [Image]

        /// Makes a volume.
        public init(name: String, pool: String, figures: Figures, images: [Image]) {
            self.name = name
            self.pool = pool
            self.figures = figures
            self.images = images
        }
    }

    /// One qube.
    public struct Qube: Codable, Equatable, Sendable {
        /// Its name.
        public var name: String
        /// Its class: `TemplateVM`, `AppVM`, `StandaloneVM`, `DispVM`.
        public var kind: String
        /// What all its volumes take together.
        public var figures: Figures
        /// Its volumes.
        public var volumes: [Volume]

        /// Makes a qube.
        public init(name: String, kind: String, figures: Figures, volumes: [Volume]) {
            self.name = name
            self.kind = kind
            self.figures = figures
            self.volumes = volumes
        }
    }

    /// A pool that could not be looked at.
    public struct Problem: Codable, Equatable, Sendable {
        /// Which pool or file.
        public var subject: String
        /// What is wrong with it and what to do.
        public var message: String

        /// Makes a problem.
        public init(subject: String, message: String) {
            self.subject = subject
            self.message = message
        }
    }

    /// The version of this message.
    public var version: ProtocolVersion
    /// When the survey was made, seconds since 1970.
    public var generatedAt: Int64
    /// The qubes that the caller may see, by name.
    public var qubes: [Qube]
    /// What all of them take together: an extent that two share counts once.
    public var total: Figures
    /// The file systems that their pools lie on; only for callers that asked for the machine.
    public var fileSystems: [FileSystemUsage]
    /// What could not be looked at.
    public var problems: [Problem]

    /// Makes a report.
    public init(
        generatedAt: Int64, qubes: [Qube], total: Figures, fileSystems: [FileSystemUsage],
        problems: [Problem]
    ) {
        version = .current
        self.generatedAt = generatedAt
        self.qubes = qubes
        self.total = total
        self.fileSystems = fileSystems
        self.problems = problems
    }
}

/// A Btrfs file system's own account.
public struct FileSystemUsage: Codable, Equatable, Sendable {
    /// The pools on it, by name.
    public var pools: [String]
    /// The devices' size.
    public var deviceBytes: UInt64
    /// Of the devices, what no chunk takes.
    public var unallocatedBytes: UInt64
    /// What data chunks hold.
    public var dataTotalBytes: UInt64
    /// Of that, what is used.
    public var dataUsedBytes: UInt64
    /// What metadata chunks hold.
    public var metadataTotalBytes: UInt64
    /// Of that, what is used.
    public var metadataUsedBytes: UInt64

    /// Makes an account.
    public init(
        pools: [String], deviceBytes: UInt64, unallocatedBytes: UInt64, dataTotalBytes: UInt64,
        dataUsedBytes: UInt64, metadataTotalBytes: UInt64, metadataUsedBytes: UInt64
    ) {
        self.pools = pools
        self.deviceBytes = deviceBytes
        self.unallocatedBytes = unallocatedBytes
        self.dataTotalBytes = dataTotalBytes
        self.dataUsedBytes = dataUsedBytes
        self.metadataTotalBytes = metadataTotalBytes
        self.metadataUsedBytes = metadataUsedBytes
    }
}
