// SPDX-License-Identifier: GPL-2.0-or-later

/// What qubes.xml says, as far as it matters here.
public struct Inventory: Equatable, Sendable {
    /// The pools of every driver, by name.
    public let pools: [Pool]
    /// The qubes, dom0 (class `AdminVM`) among them.
    public let qubes: [Qube]
    /// dom0's features: the defaults of ours for all qubes.
    public let adminFeatures: [String: String]
    /// The place of each qube by its name: a machine may have thousands.
    private let places: [String: Int]
    /// The dedupe groups in which dom0 lists a qube, by its name, each list sorted.
    let listedGroups: [String: [String]]
    /// What could not be read, and is in neither of them. In the order of the file.
    public let leftOut: [LeftOut]
    /// The qubes that are left out, as far as their names can be read.
    let unreadQubes: Set<String>
    /// One of them has no name that can be read.
    let hasNamelessQube: Bool
    /// The files of what could not be read, as far as they can be known: to be left alone.
    public let protection: Protection

    /// Makes an inventory.
    public init(
        pools: [Pool], qubes: [Qube], leftOut: [LeftOut] = [],
        protection: Protection = Protection()
    ) {
        self.pools = pools
        self.qubes = qubes
        places = Dictionary(qubes.enumerated().map { ($1.name, $0) }) { first, _ in first }
        adminFeatures = qubes.first { $0.kind == Qube.adminKind }?.features ?? [:]
        listedGroups = DedupeGroup.lists(adminFeatures)
        self.leftOut = leftOut
        let unread = leftOut.filter { $0.kind == .qube }
        unreadQubes = Set(unread.compactMap(\.qube))
        hasNamelessQube = unread.contains { $0.qube == nil }
        self.protection = protection
        hasUnknownDefaults =
            !qubes.contains { $0.kind == Qube.adminKind } && leftOut.contains { $0.kind == .qube }
    }

    /// The qube of this name.
    public func qube(named name: String) -> Qube? { places[name].map { qubes[$0] } }

    /// What is said of dom0, and with it the default of every feature, could not be read. Any
    /// qube that is left out may be dom0 where no other is.
    public let hasUnknownDefaults: Bool

    /// The pools that keep volumes as image files on a file system with reflinks.
    public var imagePools: [Pool] { pools.filter { $0.driver == Pool.imageDriver } }

    /// The pools of all other drivers that volumes lie on, but for dom0's kernels.
    public var otherPools: [Pool] {
        let used = Set(qubes.flatMap { $0.volumes.map(\.pool) })
        return pools.filter {
            used.contains($0.name) && $0.driver != Pool.imageDriver
                && $0.driver != Pool.kernelDriver
        }
    }
}

/// A storage pool.
public struct Pool: Equatable, Sendable {
    /// The only driver that we work on.
    public static let imageDriver = "file-reflink"
    /// The driver of dom0's kernels, which are no images of qubes.
    static let kernelDriver = "linux-kernel"

    /// Its name.
    public let name: String
    /// Its driver.
    public let driver: String
    /// The directory its images lie beneath; nil for drivers that have none.
    public let directory: String?

    /// Makes a pool.
    public init(name: String, driver: String, directory: String?) {
        self.name = name
        self.driver = driver
        self.directory = directory
    }
}

/// A qube.
public struct Qube: Equatable, Sendable {
    /// The class of dom0.
    public static let adminKind = "AdminVM"
    /// The class of templates.
    public static let templateKind = "TemplateVM"
    /// The name of dom0.
    public static let adminName = "dom0"
    /// What begins the tag that qubesd gives to a qube, and nobody can take from it: who made it.
    private static let creatorTag = "created-by-"
    /// The id of dom0 in qubes.xml.
    static let adminIdentifier = "domain-0"

    /// Its name.
    public let name: String
    /// Its UUID, where qubes.xml has one (Qubes 4.3 and later always).
    public let uuid: String?
    /// Its class: `TemplateVM`, `AppVM`, `StandaloneVM`, `DispVM`, `AdminVM`.
    public let kind: String
    /// The name of its template.
    public let template: String?
    /// Its features.
    public let features: [String: String]
    /// Its tags.
    public let tags: Set<String>
    /// Its volumes.
    public let volumes: [Volume]

    /// Makes a qube.
    public init(
        name: String, uuid: String? = nil, kind: String, template: String? = nil,
        features: [String: String] = [:], tags: Set<String> = [], volumes: [Volume] = []
    ) {
        self.name = name
        self.uuid = uuid
        self.kind = kind
        self.template = template
        self.features = features
        self.tags = tags
        self.volumes = volumes
    }
}

extension Qube {
    /// Who made it, by qubesd's word: dom0 where it has no tag of that kind.
    public var creator: String {
        let creators = tags.filter { $0.hasPrefix(Self.creatorTag) }
            .map { $0.dropFirst(Self.creatorTag.count) }.sorted()
        return creators.isEmpty ? Self.adminName : creators.joined(separator: "+")
    }
}

/// A volume of a qube.
public struct Volume: Equatable, Sendable {
    /// The name of the volume with the system.
    public static let rootName = "root"

    /// Its name: `root`, `private`, `volatile`, `kernel`.
    public let name: String
    /// The name of its pool.
    public let pool: String
    /// Its id: a path below the pool's directory, as `appvms/work/private`.
    public let identifier: String
    /// It starts from a snapshot of `source`.
    public let snapshotOnStart: Bool
    /// What the qube writes is kept when it stops.
    public let saveOnStop: Bool
    /// Its size in bytes, as of the last save of qubes.xml.
    public let sizeBytes: UInt64
    /// The volume id that it starts from.
    public let source: String?

    /// Kept nowhere between starts, and a copy of nothing.
    public var isVolatile: Bool { !snapshotOnStart && !saveOnStop }

    /// Makes a volume.
    public init(
        name: String, pool: String, identifier: String, snapshotOnStart: Bool, saveOnStop: Bool,
        sizeBytes: UInt64, source: String? = nil
    ) {
        self.name = name
        self.pool = pool
        self.identifier = identifier
        self.snapshotOnStart = snapshotOnStart
        self.saveOnStop = saveOnStop
        self.sizeBytes = sizeBytes
        self.source = source
    }
}
