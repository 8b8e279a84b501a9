// SPDX-License-Identifier: GPL-2.0-or-later
internal import CBtrfs
internal import Glibc
internal import SystemCalls
internal import SystemPackage

/// The key of an item in a tree (`struct btrfs_key`): ordered by objectid, then type, then offset.
public struct ItemKey: Hashable, Comparable, Sendable {
    /// What the item belongs to: an inode number, an address.
    public var objectIdentifier: UInt64
    /// The item's type (`BTRFS_*_KEY`).
    public var type: UInt8
    /// What tells items of one object and type apart.
    public var offset: UInt64

    /// Makes a key.
    public init(objectIdentifier: UInt64, type: UInt8, offset: UInt64) {
        self.objectIdentifier = objectIdentifier
        self.type = type
        self.offset = offset
    }

    /// By objectid, then type, then offset.
    public static func < (left: ItemKey, right: ItemKey) -> Bool {
        (left.objectIdentifier, left.type, left.offset)
            < (right.objectIdentifier, right.type, right.offset)
    }

    /// The key right in front of this one; nil in front of the first.
    var previous: ItemKey? {
        if offset > 0 {
            return ItemKey(
                objectIdentifier: objectIdentifier, type: type, offset: offset - 1)
        }
        if type > 0 {
            return ItemKey(objectIdentifier: objectIdentifier, type: type - 1, offset: .max)
        }
        guard objectIdentifier > 0 else { return nil }
        return ItemKey(objectIdentifier: objectIdentifier - 1, type: .max, offset: .max)
    }

    /// The key right behind this one; nil behind the last.
    public var next: ItemKey? {
        var key = self
        if offset < .max {
            key.offset += 1
        } else if type < .max {
            key.type += 1
            key.offset = 0
        } else if objectIdentifier < .max {
            key = ItemKey(objectIdentifier: objectIdentifier + 1, type: 0, offset: 0)
        } else {
            return nil
        }
        return key
    }
}

/// The items that one search call has written into its buffer.
///
/// Pure: reads bytes as `struct btrfs_ioctl_search_header` says, and stops at whatever does not
/// fit.
enum SearchItems {
    /// `struct btrfs_ioctl_search_header`: transid, objectid, offset (64 bits each), type, len
    /// (32).
    static let headerBytes = 32

    /// Hands out each item with its key and the generation of the leaf it was found in.
    /// - Parameters:
    ///   - buffer: what the kernel has filled.
    ///   - count: how many items it says are in it.
    /// - Returns: false when an item did not fit into the buffer.
    static func forEach<Failure: Error>(
        in buffer: RawSpan, count: Int,
        _ body: (ItemKey, Generation, RawSpan) throws(Failure) -> Void
    ) throws(Failure) -> Bool {
        var position = 0
        for _ in 0..<max(count, 0) {
            guard let generation = buffer.integer(at: position, as: UInt64.self),
                let object = buffer.integer(at: position + 8, as: UInt64.self),
                let offset = buffer.integer(at: position + 16, as: UInt64.self),
                let longType = buffer.integer(at: position + 24, as: UInt32.self),
                let type = UInt8(exactly: longType),
                let length = buffer.integer(at: position + 28, as: UInt32.self),
                buffer.holds(position + headerBytes, lengthBytes: Int(length))
            else { return false }
            let start = position + headerBytes
            position = start + Int(length)
            let key = ItemKey(objectIdentifier: object, type: type, offset: offset)
            try body(key, Generation(generation), buffer.extracting(start..<position))
        }
        return true
    }
}

extension FileSystem {
    /// The buffer of one search call in bytes. The kernel takes up to 16 MiB; one leaf (64 KiB at
    /// most) must fit.
    public static let searchBufferBytes = 1 << 20

    /// Hands out every item from one key through another, in order (BTRFS_IOC_TREE_SEARCH_V2).
    ///
    /// The range is one of whole keys: between two objectids, items of every type are in it. What
    /// others commit meanwhile may or may not be seen.
    public func forEachItem(
        in tree: TreeIdentifier, from first: ItemKey, through last: ItemKey,
        bufferBytes: Int = FileSystem.searchBufferBytes,
        _ body: (ItemKey, Generation, RawSpan) throws(BtrfsError) -> Void
    ) throws(BtrfsError) {
        let fixedBytes = MemoryLayout<btrfs_ioctl_search_args_v2>.size
        let memory = UnsafeMutableRawBufferPointer.allocate(
            byteCount: fixedBytes + bufferBytes, alignment: 8)
        defer { unsafe memory.deallocate() }
        var start: ItemKey? = first
        while let from = start, from <= last {
            let count = unsafe try searchOnce(memory, tree: tree, from: from, through: last)
            if count == 0 { return }
            var lastSeen = from
            let filled = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(memory))
            let whole = try SearchItems.forEach(
                in: filled.extracting(droppingFirst: fixedBytes), count: count
            ) { (key, generation, content) throws(BtrfsError) in
                lastSeen = key
                try body(key, generation, content)
            }
            guard whole else {
                throw BtrfsError("TREE_SEARCH_V2", "tree \(tree.rawValue)", .ioError)
            }
            start = lastSeen.next
        }
    }

    /// Whether there is an item from one key through another in a leaf that this transaction or a
    /// later one has written. The kernel passes over whole branches that are older, by the
    /// generations that stand beside the addresses of nodes (btrfs_search_forward in
    /// fs/btrfs/ctree.c): that an old file has none costs a few nodes, however long it is.
    func hasItem(
        in tree: TreeIdentifier, from first: ItemKey, through last: ItemKey,
        writtenSince generation: Generation
    ) throws(BtrfsError) -> Bool {
        let memory = UnsafeMutableRawBufferPointer.allocate(
            byteCount: MemoryLayout<btrfs_ioctl_search_args_v2>.size + (64 << 10), alignment: 8)
        defer { unsafe memory.deallocate() }
        return unsafe try searchOnce(
            memory, tree: tree, from: first, through: last, writtenSince: generation, items: 1) > 0
    }

    private func searchOnce(
        _ memory: UnsafeMutableRawBufferPointer, tree: TreeIdentifier, from first: ItemKey,
        through last: ItemKey, writtenSince generation: Generation = Generation(0),
        items: UInt32 = .max
    ) throws(BtrfsError) -> Int {
        let fixedBytes = MemoryLayout<btrfs_ioctl_search_args_v2>.size
        var arguments = btrfs_ioctl_search_args_v2()
        arguments.key.tree_id = tree.rawValue
        arguments.key.min_objectid = first.objectIdentifier
        arguments.key.min_type = UInt32(first.type)
        arguments.key.min_offset = first.offset
        arguments.key.max_objectid = last.objectIdentifier
        arguments.key.max_type = UInt32(last.type)
        arguments.key.max_offset = last.offset
        arguments.key.max_transid = .max
        arguments.key.min_transid = generation.rawValue
        arguments.key.nr_items = items
        arguments.buf_size = UInt64(memory.count - fixedBytes)
        unsafe memory.storeBytes(of: arguments, as: btrfs_ioctl_search_args_v2.self)
        guard let base = memory.baseAddress,
            unsafe ioctl(root.rawValue, cbtrfs_TREE_SEARCH_V2, base) == 0
        else {
            throw BtrfsError(
                "TREE_SEARCH_V2", "tree \(tree.rawValue)", Errno(rawValue: errno))
        }
        return unsafe Int(memory.load(as: btrfs_ioctl_search_args_v2.self).key.nr_items)
    }
}
