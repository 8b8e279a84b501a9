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
    /// As it was when it was listed.
    let status: FileStatus
    let hasNoChecksums: Bool

    var sizeBytes: UInt64 { status.sizeBytes }
}

/// A directory or file that another file system is mounted over.
struct Elsewhere: Sendable {
    let path: String
    let problem: Report.Problem
}

/// Lists the images of an order's volumes on one site, by name and never through a link.
struct ImageList: Sendable {
    private(set) var images: [ListedImage] = []
    private(set) var problems: [Report.Problem] = []
    /// Paths below the pools that are on other file systems, as `problems` says of them.
    private(set) var elsewhere: [Elsewhere] = []
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
                site.systemFolders, on: site.fileSystem, except: site.pools,
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
                if Self.changed(try? pool.folder(path, on: site.fileSystem)) != time {
                    return true
                }
            }
        }
        return false
    }

    private static func changed(_ folder: consuming Folder?) -> FileStatus.Time? {
        guard let folder else { return nil }
        return folder.status.changed
    }

    private mutating func list(
        _ path: String, _ volumes: [(Int, WorkerOrder.Volume)], _ pool: PoolSite,
        _ fileSystem: FileSystem
    ) {
        do throws(BtrfsError) {
            guard let folder = try pool.folder(path, on: fileSystem) else {
                for (_, volume) in volumes where volume.selected {
                    add(volume.volumeIdentifier, elsewhere: path, pool, volume)
                }
                return
            }
            changed["\(pool.pool.name):\(path)"] = folder.status.changed
            for name in try names(in: folder, path) {
                for (index, volume) in volumes {
                    let base = Self.split(volume.volumeIdentifier).base
                    guard
                        let role = ImageRole.of(
                            fileName: name, volume: base, isVolatile: volume.isVolatile),
                        let file = folder.file(name)
                    else { continue }
                    let filePath = "\(path)/\(name)"
                    guard let inode = file.inode else {
                        if volume.selected { add(filePath, elsewhere: filePath, pool, volume) }
                        continue
                    }
                    let item = try? fileSystem.inode(inode)
                    images.append(
                        ListedImage(
                            volume: index, path: filePath, role: role, inode: inode,
                            status: file.status, hasNoChecksums: item?.hasNoChecksums ?? false))
                }
            }
        } catch  where error.reason == .noSuchFileOrDirectory {
            // A qube that was never started, or was removed meanwhile, has no directory.
        } catch {
            for qube in Set(volumes.map(\.1.qube)).sorted() {
                problems.append(
                    Report.Problem(.qube(qube), "its directory cannot be read: \(error.reason)"))
            }
        }
    }

    private mutating func add(
        _ subject: String, elsewhere path: String, _ pool: PoolSite, _ volume: WorkerOrder.Volume
    ) {
        let problem = pool.problem(subject, isElsewhere: path, volume)
        problems.append(problem)
        elsewhere.append(Elsewhere(path: "\(pool.pool.directory)/\(path)", problem: problem))
    }

    private func names(
        in folder: borrowing Folder, _ path: String
    ) throws(BtrfsError) -> [String] {
        do throws(Errno) {
            return try folder.descriptor.entries()
        } catch {
            throw BtrfsError("getdents", path, error)
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
