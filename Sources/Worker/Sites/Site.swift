// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// A pool's directory, open, and the file system it is on.
final class PoolSite: Sendable {
    let pool: WorkerOrder.Pool
    let directory: SharedDescriptor

    init(pool: WorkerOrder.Pool, directory: SharedDescriptor) {
        self.pool = pool
        self.directory = directory
    }

    /// A directory below the pool's, by no link, for reading.
    /// - Returns: nil where something of another file system is mounted on the way.
    func folder(_ path: String, on fileSystem: FileSystem) throws(BtrfsError) -> Folder? {
        let opened: Descriptor
        do throws(Errno) {
            opened = try directory.descriptor.open(
                beneath: FilePath(path), [.readOnly, .directory])
        } catch {
            throw BtrfsError("openat", path, error)
        }
        return try Folder(opened, on: fileSystem, path: path)
    }

    /// What to say of a directory or file that is on another file system.
    func problem(
        _ subject: String, isElsewhere path: String, _ volume: WorkerOrder.Volume
    ) -> Report.Problem {
        var problem = Report.Problem(
            subject: "\(pool.name):\(subject)",
            message: "\(path) is on another file system than its pool, one that is"
                + " mounted there, and was left alone. Unmount it (findmnt -T shows it), or make it"
                + " a pool of its own: qvm-pool add NAME file-reflink -o dir_path=DIRECTORY.")
        problem.about = .image(qube: volume.qube, volume: volume.name, path: path)
        return problem
    }
}

/// A Btrfs with the pools that lie on it. Pools on one file system are worked on together: they can
/// share.
struct Site: Sendable {
    let fileSystem: FileSystem
    /// What is noted of it is dated by this.
    let clock: MachineClock
    /// The images of it that are open.
    let openImages: OpenImages
    var pools: [PoolSite]
    /// dom0's own folders that lie on it.
    var systemFolders: [SystemFolder] = []
    /// Nameless files, one for each lane, opened before the worker has forbidden itself to write.
    var scratches: [BtrfsScratch] = []
    /// One more, that nothing is written to: what holes are taken from.
    var hole: BtrfsScratch?
    /// And one by which it is seen whether the file system lets anybody write.
    var tried: BtrfsScratch?
    /// Nothing can be opened on it for writing.
    var isFrozen = false
    /// For what has no room in memory.
    var spills: SpillPool?
    /// What fingerprints may take in memory.
    var fingerprintBytes = Fingerprints.heldBytes
    /// What is remembered about it; nil without a state directory.
    var notes: NoteFile?
    /// What jobs have under way; nil without a state directory, and where nothing is moved.
    var moves: MoveBook?
    /// The digests of its images; nil without a state directory, and for other work.
    var digests: DigestFile?
    /// How far its trees were read before anything was written.
    var treeLook: TreeLook?
    /// What is kept from run to run; nil without a cache directory.
    var cache: SiteCache?

    /// The engine's limits, with what metadata costs on this file system.
    var limits: ExecutionLimits {
        var limits = ExecutionLimits()
        if let info = try? fileSystem.spaceInfo() {
            limits.price = MetadataPrice(
                nodeBytes: fileSystem.nodeBytes, dataCopies: info.dataCopies,
                metadataCopies: info.metadataCopies)
        }
        return limits
    }

    /// A directory on it for nameless files.
    var home: SharedDescriptor? { pools.first?.directory ?? systemFolders.first?.directory }
}

/// Opens pools. What cannot be worked on is named, and the others go on.
struct Sites: Sendable {
    var sites: [Site] = []
    var problems: [Report.Problem] = []
    /// What was left out as it stands still.
    var still: [StillSite] = []
    private let clock: MachineClock

    init(_ order: WorkerOrder, clock: MachineClock) {
        self.clock = clock
        for pool in order.pools { add(pool, order) }
        for path in order.systemDirectories ?? [] { add(systemDirectory: path) }
        // Who asks for more than dom0's own files has Btrfs elsewhere, and no use for a complaint.
        let asksForMore = order.volumes.contains { $0.selected && !$0.isSystem }
        let isHere = sites.contains { !$0.systemFolders.isEmpty }
        if order.systemDirectories != nil, !asksForMore, !isHere {
            problems.append(
                Report.Problem(
                    .machine,
                    "none of its own folders is on Btrfs, so that nothing can be reported"
                        + " on or worked on"))
        }
    }

    private mutating func add(_ pool: WorkerOrder.Pool, _ order: WorkerOrder) {
        do throws(Errno) {
            let path = FilePath(pool.directory)
            let directory = try Descriptor.open(path, [.readOnly, .directory])
            let own = SharedDescriptor(try directory.duplicate())
            let site = PoolSite(pool: pool, directory: own)
            if try site.holdsNone(of: order) {
                problems.append(
                    Report.Problem(
                        .pools([pool.name]),
                        "its directory holds none of its volumes. If it"
                            + " is on a disk of its own, that is not mounted: mount it, then try"
                            + " again"))
                return
            }
            try add(site, directory)
        } catch {
            problems.append(
                Report.Problem(.pools([pool.name]), "its directory cannot be opened: \(error)"))
        }
    }

    private mutating func add(
        _ pool: PoolSite, _ directory: consuming Descriptor
    ) throws(Errno) {
        do throws(BtrfsError) {
            let fileSystem = try FileSystem(directory: directory, path: pool.pool.directory)
            if let index = sites.firstIndex(where: {
                $0.fileSystem.identity == fileSystem.identity
            }) {
                sites[index].pools.append(pool)
            } else {
                sites.append(
                    Site(
                        fileSystem: fileSystem, clock: clock,
                        openImages: OpenImages(of: fileSystem), pools: [pool]))
            }
        } catch {
            guard error.reason == .inappropriateIOCTLForDevice else { throw error.reason }
            problems.append(
                Report.Problem(
                    .pools([pool.pool.name]),
                    "it is not on Btrfs; only pools on Btrfs can be reported on or worked on"))
        }
    }

    /// A folder that is not there, or not on Btrfs, has nothing to be worked on.
    private mutating func add(systemDirectory path: String) {
        guard
            let directory = try? Descriptor.open(
                FilePath(path), [.readOnly, .directory, .noFollow]),
            let own = try? directory.duplicate(),
            let fileSystem = try? FileSystem(directory: own, path: path)
        else { return }
        let folder = SystemFolder(path: path, directory: SharedDescriptor(directory))
        if let index = sites.firstIndex(where: { $0.fileSystem.identity == fileSystem.identity }) {
            sites[index].systemFolders.append(folder)
        } else {
            sites.append(
                Site(
                    fileSystem: fileSystem, clock: clock, openImages: OpenImages(of: fileSystem),
                    pools: [], systemFolders: [folder]))
        }
    }

    /// Opens the scratch files of every site: O_TMPFILE in the pool's own directory, never in a
    /// qube's. They have no name, so that nothing of them is left whatever ends the worker.
    mutating func openScratches(lanes: Int) throws(BtrfsError) {
        try openEach { (site, home) throws(BtrfsError) in
            for _ in 0..<lanes {
                site.scratches.append(try Self.openScratch(in: home, on: site.fileSystem))
            }
            site.hole = try Self.openScratch(in: home, on: site.fileSystem)
            site.tried = try Self.openScratch(in: home, on: site.fileSystem)
        }
    }

    /// Opens what sorts and fingerprints spill to: in the cache directory, or in a pool's own
    /// where that is not given.
    mutating func openCaches(
        in cache: SharedDescriptor?, _ places: WorkerPlaces
    ) throws(BtrfsError) {
        if let cache { CacheUpkeep(now: clock.epochSeconds()).prune(cache) }
        try openEach { (site, home) throws(BtrfsError) in
            site.fingerprintBytes = min(Fingerprints.heldBytes, places.heldBytes)
            if let cache { site.cache = SiteCache(in: cache, for: site.fileSystem) }
            do throws(Errno) {
                site.spills = try Self.spills(
                    in: cache, or: home, of: site, heldBytes: places.heldBytes)
            } catch {
                throw BtrfsError("open(O_TMPFILE)", "the cache directory", error)
            }
        }
    }

    /// What has room in the cache directory lies there; where there is none, or none any more, in
    /// the pool's own: a small or full cache directory ends no job.
    private static func spills(
        in cache: SharedDescriptor?, or home: SharedDescriptor, of site: Site, heldBytes: Int
    ) throws(Errno) -> SpillPool {
        if let cache, (cache.descriptor.roomBytes() ?? .max) >= spillRoom(of: site),
            let pool = try? SpillPool(
                in: cache, reserve: home, count: SpillPool.jobFiles, heldBytes: heldBytes)
        {
            return pool
        }
        return try SpillPool(in: home, count: SpillPool.jobFilesInPool, heldBytes: heldBytes)
    }

    /// What a job may come to spill, in bytes: 4 GiB for each TiB.
    private static func spillRoom(of site: Site) -> UInt64 {
        let used = (try? site.fileSystem.spaceInfo())?.data.usedBytes.rawValue ?? 0
        return max(16 << 20, used / 256)
    }

    /// Opens something for each site. One that refuses is named and left out, as one that is
    /// mounted read-only; the others go on.
    /// - Throws: the first refusal, where no site is left. Then none is left out.
    private mutating func openEach(
        _ open: (_ site: inout Site, _ home: SharedDescriptor) throws(BtrfsError) -> Void
    ) throws(BtrfsError) {
        var opened: [Site] = []
        var refused: [(site: Site, error: BtrfsError)] = []
        for var site in sites {
            do throws(BtrfsError) {
                if let home = site.home { try open(&site, home) }
                opened.append(site)
            } catch {
                refused.append((site, error))
            }
        }
        if opened.isEmpty, let first = refused.first { throw first.error }
        sites = opened
        for (site, error) in refused {
            let failure = Failure(error, on: site)
            Log.note(failure.detail)
            problems.append(Report.Problem(Subject(site), failure.message))
        }
    }

    /// Opens what is remembered from run to run, in the state directory, as far as a task has to do
    /// with it.
    mutating func openKept(in state: SharedDescriptor?, for task: WorkerTask) {
        guard let state else { return }
        for index in sites.indices {
            let fileSystem = sites[index].fileSystem
            sites[index].notes = NoteFile(in: state, for: fileSystem)
            if task.movesReferences {
                sites[index].moves = MoveBook(in: state, for: fileSystem, lanes: JobWork.lanes)
            }
            if task.comparesImages {
                sites[index].digests = DigestFile(in: state, for: fileSystem)
            }
        }
    }

    /// Leaves out the sites whose metadata is damaged, before anything is written to them: a
    /// nameless file is a write, too.
    mutating func leaveDamaged() throws(BtrfsError) {
        for index in sites.indices.reversed() {
            let metadata = MetadataGuard(site: sites[index])
            let end = ContinuousClock.now + .seconds(MetadataGuard.firstLookSeconds)
            var damage = metadata.remembered
            if damage == nil {
                var look = metadata.newLook
                damage = try metadata.look(&look) { ContinuousClock.now < end }
                sites[index].treeLook = look
            }
            guard let damage else { continue }
            problems.append(
                Report.Problem(Subject(sites[index]), metadata.refusal(damage)))
            sites.remove(at: index)
        }
    }

    /// Opens what a report's sort spills to. A report needs no file on a machine that gives none,
    /// as on a pool that is mounted read-only: it then holds all in memory.
    mutating func openReportSpills(in cache: SharedDescriptor?) {
        for index in sites.indices {
            let home = sites[index].isFrozen ? nil : sites[index].home
            guard let directory = cache ?? home else { continue }
            sites[index].spills = try? SpillPool(in: directory, count: 1)
        }
    }

    private static func openScratch(
        in home: SharedDescriptor, on fileSystem: FileSystem
    ) throws(BtrfsError) -> BtrfsScratch {
        let scratch: Descriptor
        do throws(Errno) {
            scratch = try home.descriptor.open(
                beneath: ".", [.readWrite, .temporary, .exclusive])
        } catch {
            throw BtrfsError("open(O_TMPFILE)", "a directory of the file system", error)
        }
        // A directory may hand down NOCOW, and what has no checksums shares with nothing that has;
        // or a compression that would repack what is written plain for good reason.
        // In two steps, as the kernel refuses to set `m` on what is still NOCOW
        // (check_fsflags_compatible in fs/btrfs/ioctl.c).
        let flags = try FileFlags.of(scratch)
        if flags.contains(.noCopyOnWrite) { try FileFlags([]).set(on: scratch) }
        try FileFlags.noCompress.set(on: scratch)
        return try BtrfsScratch(SharedDescriptor(scratch), on: fileSystem)
    }
}
