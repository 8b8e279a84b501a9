// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// Keeps jobs from a file system whose metadata is damaged: a write that needs what cannot be read
/// makes the kernel set the file system read-only, and that is the end of every running qube.
struct MetadataGuard {
    /// The most time that a look takes before the worker can hear that its job is cancelled, in
    /// seconds; the rest of it comes later.
    static let firstLookSeconds = 8.0

    let site: Site

    /// A look at what a job writes to: the subvolumes that its nameless files are made in, and what
    /// each commit needs.
    var newLook: TreeLook { TreeLook(subvolumes: subvolumes.sorted()) }

    /// Those subvolumes.
    var subvolumes: Set<TreeIdentifier> {
        let homes = site.pools.map(\.directory) + site.systemFolders.map(\.directory)
        return Set(
            homes.compactMap {
                try? site.fileSystem.subvolume(holding: $0.descriptor, path: "a pool's directory")
            })
    }

    /// What is remembered, unless a scrub has been clean since: then it is forgotten.
    var remembered: SiteNotes.Damage? {
        guard let notes = site.notes, let damage = notes.read().damage else { return nil }
        let devices = ((try? site.fileSystem.deviceErrors()) ?? []).map(\.identifier)
        guard ScrubStatus.isClean(since: damage.foundAt, devices: devices, of: site.fileSystem)
        else { return damage }
        notes.update { $0.damage = nil }
        return nil
    }

    /// Notes down what could not be read, if it was metadata.
    /// - Returns: what was noted.
    @discardableResult
    func remember(_ error: BtrfsError) -> SiteNotes.Damage? {
        guard error.isDamagedMetadata else { return nil }
        let damage = SiteNotes.Damage(
            foundAt: site.clock.epochSeconds(), what: Self.words(error))
        site.notes?.update { $0.damage = damage }
        Log.note("damaged metadata, \(damage.what): \(error)")
        return damage
    }

    /// Reads on in the trees that every write needs.
    /// - Returns: what is damaged; nil when all could be read so far.
    func look(
        _ look: inout TreeLook, mayGoOn: @escaping @Sendable () -> Bool = { true }
    ) throws(BtrfsError) -> SiteNotes.Damage? {
        do throws(BtrfsError) {
            try look.proceed(in: site.fileSystem, mayGoOn: mayGoOn)
            return nil
        } catch {
            guard let damage = remember(error) else { throw error }
            return damage
        }
    }

    /// Why nothing is begun, and what to do.
    func refusal(_ damage: SiteNotes.Damage) -> String {
        "its metadata is damaged: \(damage.what) cannot be read (\(deviceText)). A write that needs"
            + " it makes the kernel set the file system read-only, and every running qube loses"
            + " what it writes. Nothing was begun, and no job will be until 'btrfs scrub start -B"
            + " \(point)' has ended without an uncorrectable error. See 'btrfs device stats"
            + " \(point)'. In dom0 --risk-read-only works all the same."
    }

    var point: String {
        site.home.flatMap { try? $0.descriptor.mount() }?.point ?? "/"
    }

    /// The devices, with what the kernel has counted of each.
    var deviceText: String {
        let devices = (try? site.fileSystem.deviceErrors()) ?? []
        return devices.map {
            let counts = DeviceErrorCounts($0).text
            return counts.isEmpty ? $0.path : "\($0.path): \(counts)"
        }.joined(separator: "; ")
    }

    /// What could not be read, in words: `the tree of extents`.
    static func words(_ error: BtrfsError) -> String {
        if error.call == "LOGICAL_INO_V2" { return "the tree of extents, or one of files," }
        let prefix = "tree "
        if error.subject.hasPrefix(prefix),
            let tree = UInt64(error.subject.dropFirst(prefix.count))
        {
            return TreeIdentifier(tree).name
        }
        return error.subject
    }
}

extension Failure {
    /// A failure on one of several file systems: where there is one, it is on that.
    init(_ error: BtrfsError, among sites: Sites) {
        if sites.sites.count == 1, let site = sites.sites.first {
            self.init(error, on: site)
        } else {
            self.init(error)
        }
    }

    /// A failure on one file system, whose devices and mount point are known. Damaged metadata is
    /// remembered.
    init(_ error: BtrfsError, on site: Site) {
        let metadata = MetadataGuard(site: site)
        let damage = metadata.remember(error)
        if let failure = Failure(madeReadOnly: site, error)
            ?? Failure(refusedWrite: error, on: site) ?? Failure(changedAtRest: error)
        {
            self = failure
        } else if let damage {
            self.init(.unsuitablePool, metadata.refusal(damage), detail: "\(error)")
        } else {
            self.init(error)
        }
    }
}
