// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// Sets what the directory of a qube hands down to images that are made from now on, and says what
/// becomes of new data. It touches no image: not its content, its flags or its times.
struct NewDataWork {
    let order: WorkerOrder
    let sites: Sites
    let setting: NewDataSetting?

    func run() throws(Failure) -> NewDataReply {
        if let setting { try set(setting) }
        var volumes: [NewDataReply.Volume] = []
        let facts = NewDataFacts()
        for site in sites.sites {
            // A flag that was just set may not be in the trees yet.
            do throws(BtrfsError) {
                try site.fileSystem.synchronize()
            } catch {
                throw Failure(error)
            }
            let list = ImageList(site: site, order: order, includesSystem: false)
            for index in order.volumes.indices where order.volumes[index].selected {
                if let newData = facts.newData(ofVolume: index, list, site, order) {
                    volumes.append(.init(name: order.volumes[index].name, newData: newData))
                }
            }
        }
        return NewDataReply(volumes: volumes)
    }

    private func set(_ setting: NewDataSetting) throws(Failure) {
        var done: Set<String> = []
        for volume in order.volumes where volume.selected {
            let path = ImageList.split(volume.volumeIdentifier).directory
            guard done.insert("\(volume.pool):\(path)").inserted else { continue }
            // It would count for other qubes, too.
            let isShared =
                path == "."
                || order.volumes.contains {
                    $0.pool == volume.pool && $0.qube != volume.qube
                        && ImageList.split($0.volumeIdentifier).directory == path
                }
            if isShared {
                throw Failure(
                    .unsuitablePool,
                    "The images of volume \(volume.name) lie in a directory with those of other"
                        + " qubes; only the mount option compress can be set for them.")
            }
            try set(setting, of: path, in: volume.pool)
        }
    }

    private func set(
        _ setting: NewDataSetting, of path: String, in pool: String
    ) throws(Failure) {
        for site in sites.sites {
            guard let pool = site.pools.first(where: { $0.pool.name == pool }) else { continue }
            let folder = try folder(path, pool, site)
            do throws(BtrfsError) {
                switch setting {
                case .zstd: try CompressionProperty.set("zstd", on: folder.descriptor)
                case .off: try CompressionProperty.set("none", on: folder.descriptor)
                case .inherit: try CompressionProperty.remove(from: folder.descriptor)
                }
            } catch {
                guard error.reason == .invalidArgument else { throw Failure(error) }
                throw Failure(
                    .unsuitablePool,
                    "The qube's directory is NOCOW (chattr +C): images made in it cannot be"
                        + " compressed.", detail: "\(error)")
            }
        }
    }

    private func folder(
        _ path: String, _ pool: PoolSite, _ site: Site
    ) throws(Failure) -> Folder {
        let found: Folder?
        do throws(BtrfsError) {
            found = try pool.folder(path, on: site.fileSystem)
        } catch {
            throw Failure(
                .unsuitablePool,
                "The qube has no directory for images yet; start it once, then try again.",
                detail: "\(error)")
        }
        if let found { return found }
        // It is of one qube, whose name its caller knows.
        guard let volume = order.volumes.first(where: \.selected) else {
            throw Failure(.unsuitablePool, "The qube has no volume to look at.")
        }
        throw Failure(unfit: pool.problem(path, isElsewhere: path, volume))
    }
}
