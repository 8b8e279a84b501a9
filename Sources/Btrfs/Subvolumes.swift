// SPDX-License-Identifier: GPL-2.0-or-later
internal import CBtrfs
internal import Glibc
internal import SystemCalls

/// A subvolume as the tree of roots has it.
public struct Subvolume: Equatable, Sendable {
    /// Its tree.
    public let tree: TreeIdentifier
    /// It was made from another one (`btrfs subvolume snapshot`).
    public let isSnapshot: Bool
    /// Where it is, from the top of the file system, without a slash in front. What is no UTF-8 in
    /// it is replaced.
    public let path: String
}

/// Where a subvolume stands: in which directory of which other one (`struct btrfs_root_ref`).
private struct Standing {
    let parent: TreeIdentifier
    let directory: UInt64
    let name: String

    init?(key: ItemKey, item: RawSpan) {
        // dirid, sequence (64 bits each), name_len (16), then the name.
        guard let directory = item.integer(at: 0, as: UInt64.self),
            let length = item.integer(at: 16, as: UInt16.self)
        else { return nil }
        var bytes: [UInt8] = []
        for place in 0..<Int(length) {
            guard let byte = item.integer(at: 18 + place, as: UInt8.self) else { return nil }
            bytes.append(byte)
        }
        parent = TreeIdentifier(key.offset)
        self.directory = directory
        name = String(decoding: bytes, as: UTF8.self)
    }
}

extension FileSystem {
    /// The most subvolumes that one may lie below.
    private static let deepest = 64

    /// All subvolumes that stand in a directory, but for the topmost one, by their numbers.
    public func subvolumes() throws(BtrfsError) -> [Subvolume] {
        let first = ItemKey(objectIdentifier: 256, type: 0, offset: 0)
        let last = ItemKey(objectIdentifier: UInt64(bitPattern: -256), type: .max, offset: .max)
        var standings: [TreeIdentifier: Standing] = [:]
        var areSnapshots: [TreeIdentifier: Bool] = [:]
        try forEachItem(in: .roots, from: first, through: last) {
            (key, _, item) throws(BtrfsError) in
            let tree = TreeIdentifier(key.objectIdentifier)
            switch key.type {
            case UInt8(BTRFS_ROOT_ITEM_KEY):
                // The UUID of what it was made from, at 263 of `struct btrfs_root_item`.
                let parent = (0..<16).map { item.integer(at: 263 + $0, as: UInt8.self) ?? 0 }
                areSnapshots[tree] = parent.contains { $0 != 0 }
            case UInt8(BTRFS_ROOT_BACKREF_KEY):
                standings[tree] = Standing(key: key, item: item)
            default: break
            }
        }
        return standings.keys.sorted { $0.rawValue < $1.rawValue }.map { tree in
            Subvolume(
                tree: tree, isSnapshot: areSnapshots[tree] ?? false, path: path(tree, standings))
        }
    }

    private func path(
        _ tree: TreeIdentifier, _ standings: [TreeIdentifier: Standing]
    ) -> String {
        var names: [String] = []
        var tree = tree
        while let standing = standings[tree], names.count < Self.deepest {
            let folders = folders(of: standing.directory, in: standing.parent)
            names.append(folders + standing.name)
            tree = standing.parent
        }
        return names.reversed().joined(separator: "/")
    }

    /// The path of a directory in its subvolume, with a slash behind it; empty for the topmost one.
    private func folders(of directory: UInt64, in tree: TreeIdentifier) -> String {
        // struct btrfs_ioctl_ino_lookup_args: treeid, objectid (64 bits each), and a path that ends
        // with a zero; as an array Swift would import it as 4080 elements.
        var words = [UInt64](repeating: 0, count: 4096 / 8)
        words[0] = tree.rawValue
        words[1] = directory
        let status = unsafe words.withUnsafeMutableBytes { bytes -> Int32 in
            guard let start = bytes.baseAddress else { return -1 }
            return unsafe ioctl(root.rawValue, cbtrfs_INO_LOOKUP, start)
        }
        guard status == 0 else { return "?/" }
        let name = unsafe words.withUnsafeBytes { unsafe Array($0[16...].prefix { $0 != 0 }) }
        return String(decoding: name, as: UTF8.self)
    }
}
