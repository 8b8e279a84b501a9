// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Protocol
internal import SystemCalls
internal import SystemPackage

/// A folder of dom0's own, open.
final class SystemFolder: Sendable {
    let path: String
    let directory: SharedDescriptor

    init(path: String, directory: SharedDescriptor) {
        self.path = path
        self.directory = directory
    }
}

/// Finds the files below dom0's own folders: in subvolumes that lie below, too, but not in what is
/// mounted there, nor through a link, nor in a pool. A file of several names is found once.
///
/// It holds a descriptor for each level of directories, and of each file its number and size; of
/// more files than `fileLimit` it keeps the largest. Files are opened when their extents are
/// worked on, and not here.
struct SystemWalk: Sendable {
    /// The most files that are kept.
    static let fileLimit = 500_000
    /// The most directories one in another.
    static let depthLimit = 128

    /// A file.
    struct File: Sendable {
        let inode: InodeIdentifier
        let sizeBytes: UInt64
    }

    private(set) var files: [File] = []
    private(set) var problems: [Report.Problem] = []
    /// How many names were found of each file that has several.
    private(set) var names: [InodeIdentifier: Int] = [:]

    /// Files of this size or less are passed over.
    private let passedBytes: UInt64
    private let limit: Int
    private let pools: Set<FileStatus.Identity>
    private var leftOut = 0
    private var unread = 0

    /// - Parameters:
    ///   - pools: their directories are not entered.
    ///   - passedBytes: files of this size or less are passed over.
    init(
        _ folders: [SystemFolder], on fileSystem: FileSystem, except pools: [PoolSite],
        passing passedBytes: ByteCount, limit: Int = Self.fileLimit
    ) {
        self.passedBytes = passedBytes.rawValue
        self.limit = limit
        self.pools = Set(pools.compactMap { try? $0.directory.descriptor.status().identity })
        for folder in folders {
            guard let own = try? folder.directory.descriptor.duplicate(),
                let top = try? Folder(own, on: fileSystem, path: folder.path)
            else {
                unread += 1
                continue
            }
            enter(top, depth: 0)
        }
        keepLargest()
        describe()
    }

    private mutating func enter(_ folder: borrowing Folder, depth: Int) {
        if pools.contains(folder.status.identity) { return }
        guard depth < Self.depthLimit else {
            unread += 1
            return
        }
        // Only the names of directories are kept: of those there are few.
        var below: [String] = []
        do throws(Errno) {
            try folder.descriptor.forEachEntry { name, kind throws(Errno) in
                switch kind {
                case .directory: below.append(name)
                case .file: add(name, of: folder)
                case .other: break
                }
            }
        } catch {
            unread += 1
        }
        for name in below {
            do throws(BtrfsError) {
                enter(try folder.folder(ofSameMount: name), depth: depth + 1)
            } catch  where error.reason == .noSuchFileOrDirectory {
            } catch  where error.reason == .improperLink {
                // Something else is mounted there.
            } catch {
                unread += 1
            }
        }
    }

    private mutating func add(_ name: String, of folder: borrowing Folder) {
        // It may be gone since; a file that is mounted there is not ours.
        guard let file = folder.file(name), let inode = file.inode,
            file.status.identity.device == folder.status.identity.device,
            file.status.sizeBytes > passedBytes
        else { return }
        let status = file.status
        if status.links > 1 {
            if names[inode] == nil, names.count >= limit {
                leftOut += 1
                return
            }
            names[inode, default: 0] += 1
            if names[inode] != 1 { return }
        }
        files.append(File(inode: inode, sizeBytes: status.sizeBytes))
        if files.count >= 2 * limit { keepLargest() }
    }

    private mutating func keepLargest() {
        guard files.count > limit else { return }
        files.sort { ($1.sizeBytes, $0.inode) < ($0.sizeBytes, $1.inode) }
        leftOut += files.count - limit
        files.removeLast(files.count - limit)
    }

    private mutating func describe() {
        if unread > 0 {
            problems.append(
                Report.Problem(
                    .machine,
                    "\(unread) of its own folders could not be read"))
        }
        if leftOut > 0 {
            problems.append(
                Report.Problem(
                    .machine,
                    "\(leftOut) of its own files were left out: one job takes the"
                        + " \(limit) largest"))
        }
    }
}
