// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs

/// The bounds of execution, by name.
public struct ExecutionLimits: Sendable {
    /// The most content that one batch holds in memory and in its scratch file; an extent that is
    /// larger (the kernel makes them up to 128 MiB) is a batch of its own and goes through in
    /// frames.
    public var batchContent = ByteCount.mebibytes(16)
    /// The most content of one frame; the kernel takes no longer ones.
    public var frameContent = EncodedIO.frameContentBytes
    /// The most content of neighbours that are packed together to bring space: more than a few
    /// frames would shrink no further, and all of it is packed again when one of them does not
    /// gain.
    public var chain = ByteCount.kibibytes(512)
    /// The most that one dedupe request covers: the kernel holds both files locked for so long.
    public var request = DedupeRange.limitBytes
    /// The same where a qube may be writing to the file: it waits for milliseconds, not more.
    public var liveRequest = ByteCount.mebibytes(1)
    /// How far reads run ahead of compares.
    public var prefetchAhead = ByteCount.mebibytes(32)
    /// How much of a batch to come is read ahead while another one is in work.
    public var scoutAhead = ByteCount.mebibytes(64)
    /// After so much was written anew a commit gives back what was freed, so that the space in use
    /// never grows by more than this on the way.
    public var commitEvery = ByteCount.mebibytes(256)
    /// The most references that one batch moves: what does not fit goes to a batch behind it. It
    /// bounds what is held in memory, files that are open, and what a cancelled job has to finish.
    public var batchReferences = 2048
    /// What a batch changes in the trees that all files have in common: until the next commit the
    /// old nodes stay as well.
    public static let metadataOfBatch = ByteCount.mebibytes(2)
    /// The most content that is compared before one asks again whether to go on: neighbours whose
    /// references show more are moved one after the other. Of what is begun the smaller part is
    /// finished, or taken back, when the job is cancelled. What is more, as all references to one
    /// extent may show, is moved by one lane at a time.
    public var compareTogether = ByteCount.mebibytes(256)
    /// The most content that all references to one extent may show: what is half moved when the job
    /// is cancelled takes as long as comparing half of this.
    public var compareOfExtent = ByteCount.mebibytes(4096)
    /// What metadata costs.
    public var price = MetadataPrice.usual
    /// The most files open at a time.
    public var openFiles = 256
    /// How often an extent is tried again when somebody came to use it meanwhile.
    public var rounds = 3
    /// After how long, each time, what was written and is not in the tree is looked for again.
    public var settlePausesMilliseconds = [10, 50, 250, 1000]
    /// For how long nothing is begun in a subvolume that has refused: a send ends, and may take
    /// hours.
    public var refusalHold = Duration.seconds(60)
    /// How many requests for one extent may end with an I/O error before the rest of it is taken
    /// for unreadable: a packed extent has up to 32 sectors that are read together or not at all,
    /// and a disk that is dying takes seconds for each.
    public var errors = 256
    /// A compressed extent must come down to this share of what it took, or it is not worth the
    /// metadata of many small ones: 31/32.
    public var worthwhileNumerator: UInt64 = 31
    /// See `worthwhileNumerator`.
    public var worthwhileDenominator: UInt64 = 32

    /// An extent of at least this content is sampled before it is packed.
    public var sampledContent = ByteCount.kibibytes(512)

    /// The defaults.
    public init() {}

    /// Whether what takes `disk` bytes instead of `before` is worth having.
    func isWorth(_ disk: ByteCount, of before: ByteCount) -> Bool {
        disk.rawValue * worthwhileDenominator <= before.rawValue * worthwhileNumerator
    }
}
