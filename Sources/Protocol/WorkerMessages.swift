// SPDX-License-Identifier: GPL-2.0-or-later

/// What the daemon writes to a worker's standard input: one job, validated, all of it, in one line.
/// Lines that follow it are each a `WorkerControl`.
///
/// Both come from the same release, and `form` says that they do: a daemon may have been started
/// before an upgrade put another worker in its place.
public struct WorkerOrder: Codable, Equatable, Sendable {
    /// What to do.
    public enum Work: Codable, Equatable, Sendable {
        /// Measure, change nothing.
        case report
        /// Say what becomes of new data, after setting what new images inherit.
        case newData(NewDataSetting?)
        /// Say what jobs would save, change nothing.
        case estimate(running: Bool)
        /// Compare images with the digests that are kept of them.
        /// - accepts: what is other than it was is kept as it is now.
        case verify(accepts: Bool)
        /// Look whether all is fit, change nothing.
        case check
        /// Compress at this zstd level, or at each volume's own; at level 0 unpack instead.
        case compress(level: Int?, running: Bool)
        /// Share equal data.
        case dedupe(running: Bool)
        /// Share equal data, and compress what is left.
        case optimize(level: Int?, running: Bool)
        /// Make fewer and larger extents.
        case defragment(running: Bool)
        /// Make holes of zeroes, and of what was allocated and never written.
        case sparsify(running: Bool)
    }

    /// A pool of driver `file-reflink`.
    public struct Pool: Codable, Equatable, Sendable {
        /// Its name.
        public var name: String
        /// Its directory, an absolute path from qubes.xml.
        public var directory: String

        /// Makes a pool.
        public init(name: String, directory: String) {
            self.name = name
            self.directory = directory
        }
    }

    /// A pool of another driver: a check of the machine says where one lies on Btrfs.
    public struct OtherPool: Codable, Equatable, Sendable {
        /// Its name.
        public var name: String
        /// Its driver.
        public var driver: String
        /// Its directory, an absolute path from qubes.xml; nil where it has none.
        public var directory: String?

        /// Makes a pool.
        public init(name: String, driver: String, directory: String? = nil) {
            self.name = name
            self.driver = driver
            self.directory = directory
        }
    }

    /// A volume of a qube on one of the pools.
    public struct Volume: Codable, Equatable, Sendable {
        /// The qube's name.
        public var qube: String
        /// The qube's class.
        public var qubeKind: String
        /// The volume's name.
        public var name: String
        /// The pool's name.
        public var pool: String
        /// The volume's id: a path below the pool's directory.
        public var volumeIdentifier: String
        /// The request is about it. Others are there because they may share with it.
        public var selected: Bool
        /// The qube's feature `btrfs.skip`: not to be touched, with every extent it uses.
        public var skipped: Bool
        /// Kept nowhere between starts: its only image is `NAME-dirty.img`.
        public var isVolatile: Bool
        /// The qube's own zstd level, by its feature `btrfs.compress`; 0 means off.
        public var compressionLevel: Int?
        /// Volumes with the same group may come to share data.
        public var dedupeGroup: String
        /// It lives from start to stop as a snapshot of another volume: an extent that it shares
        /// with others is of their groups alone. nil for no.
        public var follows: Bool?
        /// In a report: the set that its qube is counted in, by the template that it starts from.
        public var family: String?

        /// The qube that dom0's own files belong to.
        public static let systemQube = "dom0"
        /// The name of the volume that stands for them. It is on no pool.
        public static let systemName = "system"

        /// It stands for dom0's own files.
        public var isSystem: Bool { qube == Self.systemQube && pool.isEmpty }

        /// Makes a volume.
        public init(
            qube: String, qubeKind: String, name: String, pool: String, volumeIdentifier: String,
            selected: Bool, skipped: Bool, isVolatile: Bool, compressionLevel: Int?,
            dedupeGroup: String
        ) {
            self.qube = qube
            self.qubeKind = qubeKind
            self.name = name
            self.pool = pool
            self.volumeIdentifier = volumeIdentifier
            self.selected = selected
            self.skipped = skipped
            self.isVolatile = isVolatile
            self.compressionLevel = compressionLevel
            self.dedupeGroup = dedupeGroup
        }
    }

    /// The form of orders, and of what workers say. It is raised with every change of either that
    /// the other side would pass over or misread: a worker takes no order of another form.
    public static let currentForm = 2

    /// The form that it has.
    public var form: Int
    /// The version of this message.
    public var version: ProtocolVersion
    /// What to do.
    public var work: Work
    /// dom0's own folders, absolute paths: one of the volumes stands for them. nil without them.
    public var systemDirectories: [String]?
    /// All `file-reflink` pools.
    public var pools: [Pool]
    /// All volumes on those pools.
    public var volumes: [Volume]
    /// The pools of other drivers that volumes lie on; nil where nobody asks about them.
    public var otherPools: [OtherPool]?
    /// The caller asked for the machine: the reply may name file systems.
    public var wholeMachine: Bool
    /// Go on while the machine runs on battery.
    public var onBattery: Bool
    /// Work although metadata is known to be damaged; nil is no.
    public var risksReadOnly: Bool?
    /// After so many seconds from its start the worker begins nothing new; nil is no limit.
    public var forSeconds: Int?

    /// Makes an order.
    public init(
        work: Work, pools: [Pool], volumes: [Volume], wholeMachine: Bool, onBattery: Bool = false,
        risksReadOnly: Bool? = nil, systemDirectories: [String]? = nil
    ) {
        version = .current
        form = Self.currentForm
        self.systemDirectories = systemDirectories
        self.work = work
        self.pools = pools
        self.volumes = volumes
        self.wholeMachine = wholeMachine
        self.onBattery = onBattery
        self.risksReadOnly = risksReadOnly
    }
}

/// What the daemon writes to a worker after its order, a word a line. A worker acts within a
/// second.
public enum WorkerControl: String, Sendable, CaseIterable {
    /// Hold.
    case pause
    /// Go on.
    case resume
    /// Finish or take back what is half done, measure, and end.
    case cancel
}

/// What a worker writes to its standard output, one JSON object a line.
///
/// The last line is `report`, `result`, `cancelled` or `failure`; a worker that ends without one
/// was interrupted.
public enum WorkerMessage: Codable, Equatable, Sendable {
    /// How far it is.
    case progress(JobProgress)
    /// The end of a report.
    case report(Report)
    /// The end of a check.
    case check(CheckReport)
    /// The end of a look at new data.
    case newData(NewDataReply)
    /// The end of a job.
    case result(JobResult)
    /// The end of a job that was cancelled, with what it had brought by then.
    case cancelled(JobResult)
    /// The end, without success: the exception's kind and message for the caller, and a detail for
    /// dom0's log.
    case failure(kind: String, message: String, detail: String)
}
