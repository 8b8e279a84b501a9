// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Protocol
internal import SystemCalls
internal import SystemPackage

extension PoolSite {
    /// Whether none of the directories is there that the pool's volumes lie in, as where the disk
    /// that is to hold them is not mounted. The first start of a qube makes the directory of what
    /// is kept nowhere else, so that volatile volumes say nothing.
    func holdsNone(of order: WorkerOrder) throws(Errno) -> Bool {
        let volumes = order.volumes.filter { $0.pool == pool.name && !$0.isVolatile }
        let folders = Set(volumes.map { ImageList.split($0.volumeIdentifier).directory })
        for folder in folders {
            do throws(Errno) {
                _ = try directory.descriptor.open(
                    beneath: FilePath(folder), [.readOnly, .directory])
                return false
            } catch .noSuchFileOrDirectory {
            } catch {
                // Something is there; what it is shows later.
                return false
            }
        }
        return !folders.isEmpty
    }
}

extension Sites {
    /// What is wrong, when none of the volumes that were asked for can be worked on: they lie on no
    /// pool that is fit, or on other file systems that are mounted below one; or when there is no
    /// such pool at all.
    func problemOfAllSelected(_ order: WorkerOrder) -> Report.Problem? {
        let fit = Set(
            sites.flatMap { site in
                site.pools.map(\.pool.name) + (site.systemFolders.isEmpty ? [] : [""])
            })
        let wanted = Set(order.volumes.filter(\.selected).map(\.pool))
        if fit.isEmpty || (!wanted.isEmpty && fit.isDisjoint(with: wanted)) {
            return problems.first { problem in
                wanted.isEmpty || wanted.contains { problem.subject == "pool \($0)" }
                    || problem.subject == WorkerOrder.Volume.systemQube
            }
        }
        return allElsewhere(order)
    }

    /// What is wrong, when all volumes that were asked for are on other file systems than their
    /// pools.
    private func allElsewhere(_ order: WorkerOrder) -> Report.Problem? {
        var problem: Report.Problem?
        for volume in order.volumes where volume.selected {
            let path = ImageList.split(volume.volumeIdentifier).directory
            guard let (pool, fileSystem) = place(of: volume.pool),
                Self.isElsewhere(path, pool, fileSystem)
            else { return nil }
            if problem == nil {
                problem = pool.problem(volume.volumeIdentifier, isElsewhere: path, volume)
            }
        }
        return problem
    }

    private func place(of name: String) -> (PoolSite, FileSystem)? {
        for site in sites {
            if let pool = site.pools.first(where: { $0.pool.name == name }) {
                return (pool, site.fileSystem)
            }
        }
        return nil
    }

    private static func isElsewhere(
        _ path: String, _ pool: PoolSite, _ fileSystem: FileSystem
    ) -> Bool {
        do throws(BtrfsError) {
            switch try pool.folder(path, on: fileSystem) {
            case .some: return false
            case nil: return true
            }
        } catch {
            return false
        }
    }
}

extension Site {
    /// The mount that it is reached by; nil when the kernel does not say.
    var mount: Mount? { home.flatMap { try? $0.descriptor.mount() } }

    /// Where it is mounted, for commands.
    var point: String { mount?.point ?? "/" }
}
