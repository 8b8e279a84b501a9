// SPDX-License-Identifier: GPL-2.0-or-later
internal import SystemCalls
internal import SystemPackage

/// A look at the trees that a transaction needs: each is read from its first node to its last, and
/// nothing is done with it. What the kernel cannot read shows before anything is written.
///
/// Each node is waited for before the next one is known, so that one reader leaves most of a device
/// idle: the trees are read at a time, and large ones in several parts.
public struct TreeLook: Sendable {
    /// The trees that every write changes, whatever it writes.
    private static let common: [TreeIdentifier] = [
        .extents, .checksums, .roots, .devices, .blockGroups, .freeSpace,
    ]

    /// In how many parts a large tree is read, and by how many threads all of them.
    private static let parts: UInt64 = 4
    private static let threads = 8
    private static let bufferBytes = 1 << 20
    /// How often it is asked whether to go on: once in so many items.
    private static let itemsBetweenLooks = 4096
    private static let stop = BtrfsError("look", "a tree", .interrupted)

    /// A tree that is to be read from one key through another.
    private struct Part: Sendable {
        let tree: TreeIdentifier
        var from = ItemKey(objectIdentifier: 0, type: 0, offset: 0)
        var through = ItemKey(objectIdentifier: .max, type: .max, offset: .max)
    }

    /// What is left.
    private var left: [Part]
    private var isCut = false

    /// A look that has not begun.
    /// - Parameter subvolumes: where files are made.
    public init(subvolumes: [TreeIdentifier]) {
        left = (subvolumes + Self.common).map { Part(tree: $0) }
    }

    /// Every tree was read.
    public var isDone: Bool { left.isEmpty }

    /// Goes on from where it was, until it is done or `mayGoOn` says no.
    /// - Parameter mayGoOn: called from several threads.
    public mutating func proceed(
        in fileSystem: FileSystem, mayGoOn: @escaping @Sendable () -> Bool
    ) throws(BtrfsError) {
        if !isCut {
            isCut = true
            var parts: [Part] = []
            for part in left { parts += try Self.cut(part, in: fileSystem) }
            left = parts
        }
        let (parts, rest) = (left, Monitor<[Part]>([]))
        try concurrently(count: parts.count, threads: Self.threads) {
            (index) throws(BtrfsError) in
            if let part = try Self.proceed(parts[index], in: fileSystem, mayGoOn) {
                rest.withLock { $0.append(part) }
            }
        }
        left = rest.withLock { $0 }
    }

    /// - Returns: what is left of a part; nil when it was read to its end.
    private static func proceed(
        _ part: Part, in fileSystem: FileSystem, _ mayGoOn: () -> Bool
    ) throws(BtrfsError) -> Part? {
        guard mayGoOn() else { return part }
        var count = 0
        var rest = part
        do throws(BtrfsError) {
            try fileSystem.forEachItem(
                in: part.tree, from: part.from, through: part.through, bufferBytes: bufferBytes
            ) { (key, _, _) throws(BtrfsError) in
                count += 1
                guard count % itemsBetweenLooks == 0 else { return }
                rest.from = key
                if !mayGoOn() { throw stop }
            }
        } catch Self.stop {
            return rest
        } catch  where error.reason == .noSuchFileOrDirectory {
            // This file system has no such tree.
        }
        return nil
    }

    // MARK: Parts

    /// Cuts a tree where its keys say that about as much lies on each side: extents by their
    /// addresses, files by their numbers. The checksums' tree has one object, and addresses as
    /// offsets.
    private static func cut(
        _ whole: Part, in fileSystem: FileSystem
    ) throws(BtrfsError) -> [Part] {
        let key =
            whole.tree == .checksums
            ? ItemKey.checksum(of:) : { ItemKey(objectIdentifier: $0, type: 0, offset: 0) }
        // Above are objects of the file system's own, which are few.
        guard whole.tree.isLarge,
            let end = try highest(below: 1 << 63, in: whole.tree, fileSystem, key)
        else { return [whole] }
        return ranges(from: whole.from, to: end, through: whole.through, key).map {
            Part(tree: whole.tree, from: $0.lowerBound, through: $0.upperBound)
        }
    }

    /// All keys, in ranges of which each but the last ends at about as many parts of `end`. Pure.
    static func ranges(
        from first: ItemKey, to end: UInt64, through last: ItemKey, _ key: (UInt64) -> ItemKey
    ) -> [ClosedRange<ItemKey>] {
        var result: [ClosedRange<ItemKey>] = []
        var from = first
        for number in 1..<parts {
            let next = key(end / parts * number + 1)
            guard from < next, let previous = next.previous else { continue }
            result.append(from...previous)
            from = next
        }
        return result + [from...last]
    }

    /// The highest number that has an item, to within a thousandth; nil where there is none.
    private static func highest(
        below limit: UInt64, in tree: TreeIdentifier, _ fileSystem: FileSystem,
        _ key: (UInt64) -> ItemKey
    ) throws(BtrfsError) -> UInt64? {
        var (low, high) = (UInt64(0), limit)
        while high - low > max(low >> 10, 1) {
            let middle = low + (high - low) / 2
            guard let through = key(limit).previous else { return nil }
            do throws(BtrfsError) {
                let isThere = try fileSystem.hasItem(
                    in: tree, from: key(middle), through: through, writtenSince: Generation(0))
                if isThere { low = middle } else { high = middle }
            } catch  where error.reason == .noSuchFileOrDirectory {
                return nil
            }
        }
        return low > 0 ? low : nil
    }
}

extension TreeIdentifier {
    /// One that grows with what is stored.
    fileprivate var isLarge: Bool {
        switch self {
        case .roots, .chunks, .devices, .freeSpace, .blockGroups: false
        default: true
        }
    }
}
