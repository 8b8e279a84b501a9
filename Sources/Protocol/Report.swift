// SPDX-License-Identifier: GPL-2.0-or-later

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
        /// Its other flags, as `lsattr(1)` calls them: `c` new writes are compressed, `m` they are
        /// not, `i` nothing may change it.
        public var flags: String?
        /// Of a revision: when its state was current, in seconds since 1970.
        public var createdAt: Int64?
        /// What it takes; `exclusiveBytes` is what no other inode uses.
        public var figures: Figures?

        /// Makes an image.
        public init(
            path: String, role: String, sizeBytes: UInt64, nocow: Bool, flags: String? = nil,
            createdAt: Int64? = nil, figures: Figures? = nil
        ) {
            self.path = path
            self.role = role
            self.sizeBytes = sizeBytes
            self.nocow = nocow
            self.flags = flags
            self.createdAt = createdAt
            self.figures = figures
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
        /// What becomes of what is written from now on; nil where that is not known.
        public var newData: NewData?
        /// What features say about it, and whose they are.
        public var settings: Settings?
        /// How its live image has grown for weeks; nil where it has not, or nobody knows.
        public var growth: Growth?

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
        /// The name of its template, as far as the caller may see that.
        public var template: String?
        /// It is in use; nil where qubesd did not say.
        public var isRunning: Bool?
        /// What remains to be gained, by the last estimate; nil when there is none.
        public var gains: [Gain]?

        /// Makes a qube.
        public init(name: String, kind: String, figures: Figures, volumes: [Volume]) {
            self.name = name
            self.kind = kind
            self.figures = figures
            self.volumes = volumes
        }
    }

    /// Something that could not be looked at, or was left alone.
    public struct Problem: Codable, Equatable, Sendable {
        /// Which thing, for people.
        public var subject: String
        /// What is wrong with it and what to do.
        public var message: String
        /// Which thing, for programs, and for whoever judges who may read it; nil where nobody has
        /// said so, and then it is for dom0 alone.
        public var about: Subject?

        /// Makes a problem.
        public init(_ about: Subject, _ message: String) {
            self.about = about
            subject = about.text
            self.message = message
        }

        /// Makes a problem that is for dom0 alone.
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
    /// The qubes by template: each template with the qubes that start from it, one another's
    /// disposables among them.
    public var families: [QubeSet]?
    /// The dedupe groups that somebody has named, and that of the templates' roots.
    public var groups: [QubeSet]?
    /// What is taken in each pool.
    public var pools: [QubeSet]?
    /// The machine as a whole; only for callers that asked for it.
    public var machine: MachineFigures?
    /// How the totals went; only for callers that asked for the machine.
    public var history: [HistoryPoint]?

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
