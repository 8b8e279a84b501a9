// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Engine
import SystemPackage

/// A made-up file system of which each extent is gone by the time that a job comes to it: a plan is
/// gone through with all that a job holds for it, and nothing is moved.
struct MadeUpStore: ExtentStore {
    private final class Nothing: OpenFile, ScratchFile {}

    private struct NoEncoder: FrameEncoder {
        func encode(
            _ content: UnsafeRawBufferPointer, into frame: UnsafeMutableRawBufferPointer,
            level: Int
        ) -> Int? { nil }
    }

    /// As many as a job has.
    static var lanes: [Executor.LaneParts] {
        (0..<5).map { _ in .init(scratch: Nothing(), encoder: NoEncoder()) }
    }

    let catalog: MadeUpCatalog

    private var gone: BtrfsError { BtrfsError("read", "what is made up", .noSuchFileOrDirectory) }

    var sectorBytes: ByteCount { catalog.sectorBytes }

    func forEachFileExtent(
        of inode: InodeIdentifier, from start: FileOffset, through end: FileOffset,
        _ body: (FileExtent) throws(BtrfsError) -> Void
    ) throws(BtrfsError) {}

    func uses(ofExtentAt address: LogicalAddress) throws(BtrfsError) -> ExtentUses { .all([]) }

    func inode(_ identifier: InodeIdentifier) throws(BtrfsError) -> InodeItem? {
        try catalog.inode(identifier)
    }

    func generation() throws(BtrfsError) -> Generation { try catalog.generation() }

    func open(
        _ inode: InodeIdentifier, generation: Generation
    ) throws(BtrfsError) -> any OpenFile { Nothing() }

    func read(
        _ file: any OpenFile, at offset: FileOffset, into buffer: UnsafeMutableRawBufferPointer
    ) throws(BtrfsError) -> Int { throw gone }

    func readEncoded(
        _ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount
    ) throws(BtrfsError) -> EncodedExtent? { nil }

    func prefetch(_ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount) {}

    func forget(_ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount) {}

    func cachedBytes(
        _ file: any OpenFile, at offset: FileOffset, lengthBytes: ByteCount
    ) throws(BtrfsError) -> ByteCount { .zero }

    func flush(_ file: any OpenFile) throws(BtrfsError) {}

    func share(
        _ source: any OpenFile, at sourceOffset: FileOffset, lengthBytes: ByteCount,
        with destination: any OpenFile, at destinationOffset: FileOffset
    ) throws(BtrfsError) -> DedupeOutcome { .differs }

    func writePlain(
        _ bytes: UnsafeRawBufferPointer, to scratch: any ScratchFile, at offset: FileOffset
    ) throws(BtrfsError) { throw gone }

    func writePacked(
        _ packed: UnsafeRawBufferPointer, contentBytes: ByteCount, lengthBytes: ByteCount,
        to scratch: any ScratchFile, at offset: FileOffset
    ) throws(BtrfsError) { throw gone }

    func settle(_ scratch: any ScratchFile) throws(BtrfsError) -> SettledScratch { throw gone }

    func clear(_ scratch: any ScratchFile) throws(BtrfsError) {}

    func synchronize() throws(BtrfsError) {}
}

/// No qube runs, and none is left out.
struct NobodyRuns: LiveRoles {
    func isLive(_ inode: InodeIdentifier) -> Bool { false }
    func isLeftOut(_ inode: InodeIdentifier) -> Bool { false }
}
