// SPDX-License-Identifier: GPL-2.0-or-later
internal import SystemCalls
internal import SystemPackage

/// A look at the trees that a transaction needs: each is read from its first node to its last, and
/// nothing is done with it. What the kernel cannot read shows before anything is written.
///
/// Each node is waited for before the next one is known, so that one reader leaves most of a device
/// idle. So there are several, and who has nothing left to read gets a part of what another has in
/// front of it: where in a tree most of it lies is seen no sooner than there.
public struct TreeLook: Sendable {
    /// The trees that every write changes, whatever it writes.
    private static let common: [TreeIdentifier] = [
        .extents, .checksums, .roots, .devices, .blockGroups, .freeSpace,
    ]

    private static let threads = 16
    private static let bufferBytes = 1 << 20
    /// How often it is asked whether to go on: once in so many items.
    private static let itemsBetweenLooks = 4096
    private static let stop = BtrfsError("look", "a tree", .interrupted)

    /// A tree that is to be read from one key through another.
    struct Part: Equatable, Sendable {
        let tree: TreeIdentifier
        var from = ItemKey(objectIdentifier: 0, type: 0, offset: 0)
        var through = ItemKey(objectIdentifier: .max, type: .max, offset: .max)

        /// Leaves what lies behind a key to somebody else: of the objects as many as were read, or
        /// half, and of the last one as much as was read of it.
        /// - Returns: what was left; nil where this is too short to be divided.
        mutating func divide() -> Part? {
            guard from < through else { return nil }
            var middle = from
            let objects = through.objectIdentifier - from.objectIdentifier
            if objects > 0 {
                middle = ItemKey(
                    objectIdentifier: from.objectIdentifier
                        + max(1, min(objects / 2, from.objectIdentifier)), type: 0, offset: 0)
            } else {
                let end = from.type == through.type ? through.offset : .max
                guard from.offset < end else { return nil }
                middle.offset += max(1, min((end - from.offset) / 2, from.offset))
            }
            guard middle <= through, let end = middle.previous, from <= end else { return nil }
            let rest = Part(tree: tree, from: middle, through: through)
            through = end
            return rest
        }
    }

    /// What is left.
    private var left: [Part]

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
        let work = Monitor(Work(parts: left))
        try concurrently(count: Self.threads, threads: Self.threads) { (_) throws(BtrfsError) in
            while let part = Self.take(from: work) {
                defer { work.withLock { $0.reading -= 1 } }
                do throws(BtrfsError) {
                    try Self.read(part, of: work, in: fileSystem, mayGoOn)
                } catch {
                    work.withLock { $0.isOver = true }
                    throw error
                }
            }
        }
        left = work.withLock { $0.parts }
    }

    /// What the readers share.
    private struct Work {
        var parts: [Part]
        /// Who reads, and who waits for something to read.
        var reading = 0
        var waiting = 0
        var isOver = false
    }

    /// The next part to read; nil when there will be none.
    private static func take(from work: Monitor<Work>) -> Part? {
        work.withLock { $0.waiting += 1 }
        let part = work.wait { work -> Part?? in
            if !work.isOver, let part = work.parts.popLast() {
                work.reading += 1
                return part
            }
            return work.isOver || work.reading == 0 ? .some(nil) : nil
        }
        work.withLock { $0.waiting -= 1 }
        return part ?? nil
    }

    /// Reads a part, or what of it nobody else takes; what is left when it may not go on is put
    /// back.
    private static func read(
        _ part: Part, of work: Monitor<Work>, in fileSystem: FileSystem, _ mayGoOn: () -> Bool
    ) throws(BtrfsError) {
        var rest = part
        while true {
            guard mayGoOn() else {
                work.withLock {
                    $0.isOver = true
                    $0.parts.append(rest)
                }
                return
            }
            let isWanted = { work.withLock { $0.isOver || $0.waiting > $0.parts.count } }
            guard
                try !isRead(&rest, in: fileSystem, until: { !mayGoOn() || isWanted() })
            else { return }
            work.withLock { work in
                if work.isOver {
                    work.parts.append(rest)
                } else if work.waiting > work.parts.count, let other = rest.divide() {
                    work.parts.append(other)
                }
            }
            if work.withLock({ $0.isOver }) { return }
        }
    }

    /// - Returns: whether a part was read to its end; else it is what is left of it.
    private static func isRead(
        _ part: inout Part, in fileSystem: FileSystem, until isEnough: () -> Bool
    ) throws(BtrfsError) -> Bool {
        var count = 0
        var next = part.from
        do throws(BtrfsError) {
            try fileSystem.forEachItem(
                in: part.tree, from: part.from, through: part.through, bufferBytes: bufferBytes
            ) { (key, _, _) throws(BtrfsError) in
                count += 1
                guard count % itemsBetweenLooks == 0 else { return }
                next = key
                if isEnough() { throw stop }
            }
        } catch Self.stop {
            part.from = next
            return false
        } catch  where error.reason == .noSuchFileOrDirectory {
            // This file system has no such tree.
        }
        return true
    }
}
