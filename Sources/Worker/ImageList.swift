// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol
internal import Qubes
internal import SystemCalls
internal import SystemPackage

/// An image file as its volume's directory shows it.
struct ListedImage: Sendable {
    /// The volume's index in the order.
    let volume: Int
    /// The path below the pool's directory.
    let path: String
    let role: ImageRole
    let inode: InodeIdentifier
    let sizeBytes: UInt64
    let hasNoChecksums: Bool
}

/// Lists the images of an order's volumes on one site, by name and never through a link.
struct ImageList: Sendable {
    private(set) var images: [ListedImage] = []
    private(set) var problems: [Report.Problem] = []
    /// When each directory that was listed last changed: a rename changes it.
    private(set) var changed: [String: FileStatus.Time] = [:]

    /// dom0's own files, where they were asked for.
    private(set) var system: SystemWalk?
    private var systemVolume = 0

    /// - Parameter includesSystem: look for dom0's own files too, if the order is about them.
    /// - Throws: never; what cannot be listed is named in `problems`.
    init(site: Site, order: WorkerOrder, includesSystem: Bool = true) {
        if includesSystem, !site.systemFolders.isEmpty,
            let volume = order.volumes.firstIndex(where: \.isSystem)
        {
            // What takes one sector can neither shrink nor be shared; a report counts it.
            let walk = SystemWalk(
                site.systemFolders, except: site.pools,
                passing: order.work == .report ? .zero : site.fileSystem.sectorBytes)
            systemVolume = volume
            problems += walk.problems
            system = walk
        }
        for pool in site.pools {
            let volumes = order.volumes.enumerated().filter { $1.pool == pool.pool.name }
            let byDirectory = Dictionary(grouping: volumes) {
                Self.split($0.element.volumeIdentifier).directory
            }
            for (directory, volumes) in byDirectory.sorted(by: { $0.key < $1.key }) {
                list(directory, volumes.map { ($0.offset, $0.element) }, pool, site.fileSystem)
            }
        }
    }

    /// Whether a directory has changed since it was listed, or is gone or new.
    func isOutdated(site: Site) -> Bool {
        for pool in site.pools {
            for (key, time) in changed where key.hasPrefix(pool.pool.name + ":") {
                let path = String(key.dropFirst(pool.pool.name.count + 1))
                let now = try? Self.open(path, pool).status().changed
                if now != time { return true }
            }
        }
        return false
    }

    private mutating func list(
        _ path: String, _ volumes: [(Int, WorkerOrder.Volume)], _ pool: PoolSite,
        _ fileSystem: FileSystem
    ) {
        do throws(Errno) {
            let directory = try Self.open(path, pool)
            let status = try directory.status()
            changed["\(pool.pool.name):\(path)"] = status.changed
            let subvolume = try Self.subvolume(of: directory, path)
            for name in try directory.entries() {
                for (index, volume) in volumes {
                    let base = Self.split(volume.volumeIdentifier).base
                    guard
                        let role = ImageRole.of(
                            fileName: name, volume: base, isVolatile: volume.isVolatile),
                        let entry = try? directory.status(ofEntry: name), entry.isRegularFile,
                        entry.identity.device == status.identity.device
                    else { continue }
                    let inode = InodeIdentifier(
                        subvolume: subvolume, number: entry.identity.inode)
                    let item = try? fileSystem.inode(inode)
                    images.append(
                        ListedImage(
                            volume: index, path: "\(path)/\(name)", role: role, inode: inode,
                            sizeBytes: entry.sizeBytes,
                            hasNoChecksums: item?.hasNoChecksums ?? false))
                }
            }
        } catch .noSuchFileOrDirectory {
            // A qube that was never started, or was removed meanwhile, has no directory.
        } catch {
            problems.append(
                Report.Problem(
                    subject: "pool \(pool.pool.name), directory \(path)",
                    message: "it cannot be read: \(error)"))
        }
    }

    private static func open(_ path: String, _ pool: PoolSite) throws(Errno) -> Descriptor {
        try pool.directory.descriptor.open(
            beneath: FilePath(path), [.readOnly, .directory, .noFollow])
    }

    private static func subvolume(
        of directory: borrowing Descriptor, _ path: String
    ) throws(Errno) -> TreeIdentifier {
        do throws(BtrfsError) {
            return try Subvolumes.identifier(of: directory, path: path)
        } catch {
            throw error.reason
        }
    }

    /// `appvms/work/private` is volume `private` in directory `appvms/work`.
    static func split(_ identifier: String) -> (directory: String, base: String) {
        guard let slash = identifier.lastIndex(of: "/") else { return (".", identifier) }
        return (
            String(identifier[..<slash]), String(identifier[identifier.index(after: slash)...])
        )
    }
}

extension ImageList {
    /// The images by inode, as the engine takes them: a file with several names is one, owned by
    /// all of its volumes.
    func imageFiles() -> [ImageFile] {
        var byInode: [InodeIdentifier: ImageFile] = [:]
        for image in images {
            let isTransient = image.role == .importing || image.role == .temporary
            var isRevision = false
            if case .revision = image.role { isRevision = true }
            var owners = byInode[image.inode]?.owners ?? []
            if !owners.contains(image.volume) { owners.append(image.volume) }
            let known = byInode[image.inode]
            byInode[image.inode] = ImageFile(
                inode: image.inode, sizeBytes: ByteCount(image.sizeBytes), owners: owners,
                isLive: image.role.isLive || known?.isLive == true,
                isRevision: isRevision && known?.isRevision != false,
                isTransient: isTransient && known?.isTransient != false)
        }
        addSystemFiles(to: &byInode)
        return byInode.values.sorted { $0.inode < $1.inode }
    }

    private func addSystemFiles(to byInode: inout [InodeIdentifier: ImageFile]) {
        guard let system else { return }
        let owners = [systemVolume]
        for file in system.files {
            if byInode[file.inode] != nil {
                // A name of an image: it stays what it is, and belongs to both.
                byInode[file.inode]?.owners.append(systemVolume)
            } else {
                byInode[file.inode] = ImageFile(
                    inode: file.inode, sizeBytes: ByteCount(file.sizeBytes), owners: owners)
            }
        }
    }

    /// How many names of each inode are known.
    func knownNames() -> [InodeIdentifier: Int] {
        let images = Dictionary(
            grouping: Set(images.map { Name(inode: $0.inode, path: $0.path) }), by: \.inode
        ).mapValues(\.count)
        guard let system else { return images }
        var known = images
        for file in system.files {
            known[file.inode, default: 0] += system.names[file.inode] ?? 1
        }
        return known
    }

    private struct Name: Hashable {
        let inode: InodeIdentifier
        let path: String
    }
}
