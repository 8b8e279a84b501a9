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
