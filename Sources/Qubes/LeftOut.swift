// SPDX-License-Identifier: GPL-2.0-or-later

/// One thing in qubes.xml that could not be read. It is unknown to all: a guess at what it means
/// could be wrong about whose it is, or about a feature that says to leave it alone.
public struct LeftOut: Equatable, Sendable {
    /// What it is.
    public enum Kind: Equatable, Sendable {
        /// A pool; its volumes are left out, too.
        case pool
        /// A qube with all its volumes, or what stands where qubes do.
        case qube
        /// A volume; the rest of its qube is known.
        case volume
    }

    /// What it is.
    public let kind: Kind
    /// The name of the qube, or of the volume's, where that can be read.
    public let qube: String?
    /// What is wrong, with which thing, and where.
    public let error: InventoryError

    /// Makes one.
    public init(kind: Kind, qube: String? = nil, error: InventoryError) {
        self.kind = kind
        self.qube = qube
        self.error = error
    }

    /// The commands of dom0 that mend it, with words in capitals to be filled in.
    public var command: String {
        if case .noSuchPool(let quoted) = error.reason {
            let pool = String(quoted.dropFirst().dropLast())
            // A name that a shell would take apart is not put into a command.
            let name = Names.isPlain(pool) ? pool : "POOL"
            return "qvm-pool add \(name) \(Pool.imageDriver) -o dir_path=DIRECTORY"
                + "  # or qvm-remove \(qube ?? "QUBE")"
        }
        return "systemctl stop qubesd; sudoedit +\(error.line) /var/lib/qubes/qubes.xml;"
            + " systemctl start qubesd"
    }
}

/// The files of what could not be read: to be left alone with every extent they use, as those of a
/// qube with `btrfs.skip`.
///
/// What is neither here nor in the inventory is a file of nobody's: no job looks at it. Where it
/// shares an extent with an image that a job works on, it follows as a snapshot does, and the
/// kernel compares every byte of it.
public struct Protection: Equatable, Sendable {
    /// A volume that belongs to no qube that is known.
    public struct Volume: Equatable, Sendable {
        /// The name of its qube, or a text that no qube can have as its name.
        public let owner: String
        /// The name of its pool: one of the inventory or of the protection.
        public let pool: String
        /// Its id: a path below the pool's directory.
        public let identifier: String

        /// Makes one.
        public init(owner: String, pool: String, identifier: String) {
            self.owner = owner
            self.pool = pool
            self.identifier = identifier
        }
    }

    /// Pools that are left out while their directory is known. Their names have a `:`, which no
    /// pool of the inventory has.
    public var pools: [Pool] = []
    /// The volumes.
    public var volumes: [Volume] = []
    /// There are images whose path is not known: they may lie anywhere.
    public var hasUnknownPlaces = false

    /// Makes one that protects nothing.
    public init() {}
}
