// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Synchronization
internal import SystemCalls
internal import SystemPackage

/// An image that is open for reading, until it is let go of.
final class OpenImage: StoredFile {
    let shared: SharedDescriptor
    let inode: InodeIdentifier
    /// Its subvolume is read-only, as what `btrfs send` sends must be.
    let mayBeSent: Bool
    private let isClosed = Atomic<Bool>(false)

    init(_ descriptor: consuming Descriptor, _ inode: InodeIdentifier, mayBeSent: Bool) {
        shared = SharedDescriptor(descriptor)
        self.inode = inode
        self.mayBeSent = mayBeSent
    }

    /// What is said of an image that was let go of.
    static let gone = BtrfsError("read", "an image that was deleted", .staleNFSFileHandle)

    /// It was deleted, and its descriptor shows nothing any more.
    var isLetGo: Bool { isClosed.load(ordering: .acquiring) }

    /// Lets go of the image whoever holds this: a call that is in the kernel goes on with it to
    /// its end, and those that follow meet `nothing`.
    fileprivate func letGo(for nothing: borrowing Descriptor) throws(Errno) {
        isClosed.store(true, ordering: .releasing)
        try shared.descriptor.become(nothing)
    }
}

/// The images that a job has open. What was deleted gives its space back when nobody has it open,
/// and a job that is paused, or reads for long, holds files between its calls: they are asked for
/// meanwhile, by a thread that does not.
final class OpenImages: Sendable {
    private struct Entry {
        weak var image: OpenImage?
    }

    private struct State {
        var entries: [Entry] = []
        /// How many entries there may be until those that were closed are taken out.
        var limit = 64
    }

    private let fileSystem: FileSystem
    private let state = Monitor(State())

    init(of fileSystem: FileSystem) { self.fileSystem = fileSystem }

    /// Notes an image that was opened.
    func add(_ image: OpenImage) {
        state.withLock { state in
            if state.entries.count >= state.limit {
                state.entries.removeAll { $0.image == nil }
                state.limit = max(64, 2 * state.entries.count)
            }
            state.entries.append(Entry(image: image))
        }
    }

    /// Lets go of those that have no name any more.
    func letGoOfDeleted() {
        let images = state.withLock { $0.entries.compactMap(\.image) }.filter { !$0.isLetGo }
        let bySubvolume = Dictionary(grouping: images, by: \.inode.subvolume)
        let deleted = bySubvolume.values.flatMap { images in
            images.first.map(isInDeletedSubvolume) == true ? images : images.filter(hasNoName)
        }
        // An end of a pipe: no file of anybody's, and nothing that a file is asked for works on it.
        guard !deleted.isEmpty, let nothing = try? Descriptor.pipe() else { return }
        for image in deleted { try? image.letGo(for: nothing.first) }
    }

    /// The open file says so at once; its item in the tree does with the next commit.
    private func hasNoName(_ image: OpenImage) -> Bool {
        (try? image.shared.descriptor.status())?.links == 0
    }

    /// A subvolume that was deleted is not found in the trees, and goes when nobody has a file of
    /// it open (btrfs_del_inode_from_root in fs/btrfs/inode.c). What cannot be asked has lost
    /// nothing.
    private func isInDeletedSubvolume(_ image: OpenImage) -> Bool {
        do throws(BtrfsError) {
            _ = try fileSystem.inode(image.inode)
            return false
        } catch {
            return error.reason == .noSuchFileOrDirectory
        }
    }
}
