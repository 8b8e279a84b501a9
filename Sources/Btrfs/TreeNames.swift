// SPDX-License-Identifier: GPL-2.0-or-later
internal import Glibc
public import SystemPackage

extension TreeIdentifier {
    /// The tree of free space; old file systems have none.
    public static let freeSpace = TreeIdentifier(10)
    /// The tree of block groups; most file systems have them in the tree of extents.
    public static let blockGroups = TreeIdentifier(11)

    /// What a person calls it.
    public var name: String {
        switch self {
        case .roots: "the tree of roots"
        case .chunks: "the tree of chunks"
        case .extents: "the tree of extents"
        case .devices: "the tree of devices"
        case .checksums: "the tree of checksums"
        case .freeSpace: "the tree of free space"
        case .blockGroups: "the tree of block groups"
        default: "the tree of files of subvolume \(rawValue)"
        }
    }
}

extension Errno {
    /// What Btrfs gives for a node that makes no sense (EUCLEAN).
    public static let structureNeedsCleaning = Errno(rawValue: EUCLEAN)
}

extension BtrfsError {
    /// A tree could not be read: not the content of a file, but what says where content is.
    public var isDamagedMetadata: Bool {
        guard [.ioError, .structureNeedsCleaning].contains(reason) else { return false }
        return call == "TREE_SEARCH_V2" || call == "LOGICAL_INO_V2"
    }
}

/// A look at the trees that a transaction needs: each is read from its first node to its last, and
/// nothing is done with it. What the kernel cannot read shows before anything is written.
public struct TreeLook: Sendable {
    /// The trees that every write changes, whatever it writes.
    private static let common: [TreeIdentifier] = [
        .roots, .devices, .extents, .blockGroups, .checksums, .freeSpace,
    ]

    private static let last = ItemKey(objectIdentifier: .max, type: .max, offset: .max)
    private static let bufferBytes = 4 << 20
    /// How often it is asked whether to go on: once in so many items.
    private static let itemsBetweenLooks = 4096
    private static let stop = BtrfsError("look", "a tree", .interrupted)

    private let trees: [TreeIdentifier]
    private var tree = 0
    private var key = ItemKey(objectIdentifier: 0, type: 0, offset: 0)

    /// A look that has not begun.
    /// - Parameter subvolumes: where files are made; they come first.
    public init(subvolumes: [TreeIdentifier]) { trees = subvolumes + Self.common }

    /// Every tree was read.
    public var isDone: Bool { tree >= trees.count }

    /// Goes on from where it was, until it is done or `mayGoOn` says no.
    public mutating func proceed(
        in fileSystem: FileSystem, mayGoOn: () -> Bool
    ) throws(BtrfsError) {
        while !isDone {
            var count = 0
            var seen = key
            do throws(BtrfsError) {
                try fileSystem.forEachItem(
                    in: trees[tree], from: key, through: Self.last,
                    bufferBytes: Self.bufferBytes
                ) { (key, _, _) throws(BtrfsError) in
                    count += 1
                    guard count % Self.itemsBetweenLooks == 0 else { return }
                    seen = key
                    if !mayGoOn() { throw Self.stop }
                }
            } catch Self.stop {
                key = seen
                return
            } catch  where error.reason == .noSuchFileOrDirectory {
                // This file system has no such tree.
            }
            tree += 1
            key = ItemKey(objectIdentifier: 0, type: 0, offset: 0)
        }
    }
}
