// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// An image file in scope, by what the engine needs to know of its role.
public struct ImageFile: Equatable, Sendable {
    /// Which file, whatever its names.
    public let inode: InodeIdentifier
    /// Its apparent size when it was listed.
    public let sizeBytes: ByteCount
    /// The volumes it belongs to, by their index in the order. The running image of an app qube's
    /// root is a second name of its template's.
    public var owners: [Int]
    /// A qube may be writing to it now.
    public let isLive: Bool
    /// It is a revision.
    public let isRevision: Bool
    /// Somebody is still making it (import, temporary): it is not worked on for its own sake.
    public let isTransient: Bool

    /// Makes an image file.
    public init(
        inode: InodeIdentifier, sizeBytes: ByteCount = .zero, owners: [Int], isLive: Bool = false,
        isRevision: Bool = false,
        isTransient: Bool = false
    ) {
        self.inode = inode
        self.sizeBytes = sizeBytes
        self.owners = owners
        self.isLive = isLive
        self.isRevision = isRevision
        self.isTransient = isTransient
    }
}
