// SPDX-License-Identifier: GPL-2.0-or-later

/// What jobs would save, as `btrfs.Estimate` reckons it. It is the `estimate` of a job's result.
public struct Estimate: Codable, Equatable, Sendable {
    /// Bytes that are expected to come back.
    public struct Saving: Codable, Equatable, Sendable {
        /// The expected value.
        public var savedBytes: UInt64
        /// What really comes back lies within this of it, 19 times of 20.
        public var errorBytes: UInt64

        /// Makes a saving.
        public init(savedBytes: UInt64, errorBytes: UInt64) {
            self.savedBytes = savedBytes
            self.errorBytes = errorBytes
        }
    }

    /// What compression brings at one level.
    public struct Level: Codable, Equatable, Sendable {
        /// The zstd level; left out for the one that each qube's settings ask for.
        public var level: Int?
        /// By `btrfs.Compress`.
        public var compress: Saving
        /// By `btrfs.Optimize`: dedupe, and compression of what it leaves.
        public var optimize: Saving

        /// Makes a level.
        public init(level: Int?, compress: Saving, optimize: Saving) {
            self.level = level
            self.compress = compress
            self.optimize = optimize
        }
    }

    /// What a set of files would save.
    public struct Figures: Codable, Equatable, Sendable {
        /// What it takes on the device now.
        public var diskBytes: UInt64
        /// By `btrfs.Dedupe`.
        public var dedupe: Saving
        /// By compression: first as the settings say, then by level.
        public var levels: [Level]

        /// Makes figures.
        public init(diskBytes: UInt64, dedupe: Saving, levels: [Level]) {
            self.diskBytes = diskBytes
            self.dedupe = dedupe
            self.levels = levels
        }

        /// What compression brings at a level; nil for what the settings say.
        public func level(_ level: Int?) -> Level? { levels.first { $0.level == level } }
    }

    /// One volume of a qube.
    public struct Volume: Codable, Equatable, Sendable {
        /// The volume's name.
        public var name: String
        /// What the extents that it uses would give back.
        public var figures: Figures

        /// Makes a volume.
        public init(name: String, figures: Figures) {
            self.name = name
            self.figures = figures
        }
    }

    /// One qube.
    public struct Qube: Codable, Equatable, Sendable {
        /// Its name.
        public var name: String
        /// What the extents that it uses would give back.
        public var figures: Figures
        /// Its volumes.
        public var volumes: [Volume]

        /// Makes a qube.
        public init(name: String, figures: Figures, volumes: [Volume]) {
            self.name = name
            self.figures = figures
            self.volumes = volumes
        }
    }

    /// What all of it would save: an extent that two qubes share counts once.
    public var total: Figures
    /// The qubes, largest first. A list of jobs leaves them out.
    public var qubes: [Qube]
    /// How many qubes more there were.
    public var qubesLeftOut: Int
    /// How many frames were packed to see what they shrink to.
    public var sampledFrames: UInt64

    /// Makes an estimate.
    public init(total: Figures, qubes: [Qube], qubesLeftOut: Int, sampledFrames: UInt64) {
        self.total = total
        self.qubes = qubes
        self.qubesLeftOut = qubesLeftOut
        self.sampledFrames = sampledFrames
    }
}

/// What an estimate had said of a job before it ran.
public struct EstimatedBefore: Codable, Equatable, Sendable {
    /// The job that estimated.
    public var job: String
    /// When it ended, seconds since 1970.
    public var endedAt: Int64
    /// What it said.
    public var saving: Estimate.Saving

    /// Makes one.
    public init(job: String, endedAt: Int64, saving: Estimate.Saving) {
        self.job = job
        self.endedAt = endedAt
        self.saving = saving
    }
}

/// The payload of `btrfs.Estimate`.
public struct EstimateRequest: StrictRequest, Equatable {
    /// The version of this message.
    public var version: ProtocolVersion
    /// Also count extents that only images of running qubes use.
    public var running: Bool
    /// Of the machine, all but these qubes; `dom0` is its own files. nil is none.
    public var exclude: [String]?

    /// Makes a request of the current version.
    public init(running: Bool, exclude: [String]? = nil) {
        version = .current
        self.exclude = exclude
        self.running = running
    }

    /// The request that an empty payload stands for.
    public init() { self.init(running: false) }

    /// Every key that this request knows.
    public enum CodingKeys: String, CodingKey, CaseIterable {
        case version, running, exclude
    }

    /// Reads it strictly; a key that it does not know is an error.
    public init(from decoder: any Decoder) throws {
        try Self.refuseUnknownKeys(decoder)
        let values = try decoder.container(keyedBy: CodingKeys.self)
        version = try values.decode(ProtocolVersion.self, forKey: .version)
        running = try values.decodeIfPresent(Bool.self, forKey: .running) ?? false
        exclude = try values.names(forKey: .exclude)
    }

    /// Leaves out what is not asked for: a daemon of an older release may not know it.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(version, forKey: .version)
        if running { try values.encode(true, forKey: .running) }
        try values.encodeIfPresent(exclude, forKey: .exclude)
    }
}
