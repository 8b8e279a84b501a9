// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// An extent whose references are about to be moved to what was written anew for it: who finds some
/// of them moved and others not, as a kill leaves them, can tell by it which belong together.
public struct NotedMove: Equatable, Sendable {
    /// A file's part that showed the extent.
    public struct Reference: Equatable, Sendable {
        /// The file.
        public let inode: InodeIdentifier
        /// Where in it.
        public let fileOffset: FileOffset
        /// Where in the extent's content.
        public let offsetInExtent: ByteCount
        /// How long.
        public let lengthBytes: ByteCount

        /// Makes a reference.
        public init(
            inode: InodeIdentifier, fileOffset: FileOffset, offsetInExtent: ByteCount,
            lengthBytes: ByteCount
        ) {
            self.inode = inode
            self.fileOffset = fileOffset
            self.offsetInExtent = offsetInExtent
            self.lengthBytes = lengthBytes
        }
    }

    /// Where the extent starts.
    public let address: LogicalAddress
    /// What is newer has its address and is another.
    public let newestGeneration: Generation
    /// What it takes.
    public let diskBytes: ByteCount
    /// The length of its content, unpacked.
    public let contentBytes: ByteCount
    /// All that there were.
    public let references: [Reference]

    /// Makes a note.
    public init(
        address: LogicalAddress, newestGeneration: Generation, diskBytes: ByteCount,
        contentBytes: ByteCount, references: [Reference]
    ) {
        self.address = address
        self.newestGeneration = newestGeneration
        self.diskBytes = diskBytes
        self.contentBytes = contentBytes
        self.references = references
    }
}

/// Where a lane notes what it is about to move, for the job after one that is killed in it.
/// Whether a note can be kept changes nothing else.
public protocol MoveJournal: Sendable {
    /// Adds to what stands there. Called before anything of it moves.
    func add(_ moves: [NotedMove])
    /// All that was noted has moved, or gone back.
    func clear()
}

extension NotedMove {
    /// What was written anew for it would stand beside it if the job ended now.
    init(_ work: RoundWork, newestGeneration: Generation) {
        let replacement = work.pending.replacement
        self.init(
            address: replacement.address, newestGeneration: newestGeneration,
            diskBytes: replacement.diskBytes, contentBytes: replacement.contentBytes,
            references: work.target.references.map {
                Reference(
                    inode: $0.inode, fileOffset: $0.fileOffset, offsetInExtent: $0.offsetInExtent,
                    lengthBytes: $0.lengthBytes)
            })
    }
}
