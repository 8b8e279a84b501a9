// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import SystemCalls
import Testing

@testable import Engine

/// Files as a catalog shows them, each with the transaction that changed it last.
private final class FilesCatalog: ExtentCatalog {
    struct File {
        var extents: [FileExtent]
        var changed: UInt64 = 10
        var inode: UInt64 = 1
        /// What the inode says, where it is not what its items map.
        var mappedBytes: ByteCount?
    }

    private let files: [UInt64: File]
    private let failing: Set<UInt64>
    private let reads = Monitor<[UInt64]>([])

    /// - Parameter failing: the files that cannot be read.
    init(_ files: [UInt64: File], failing: Set<UInt64> = []) {
        self.files = files
        self.failing = failing
    }

    /// The inodes whose extents were read, in order.
    var readFiles: [UInt64] { reads.withLock { $0 } }
    var sectorBytes: ByteCount { .kibibytes(4) }

    func generation() throws(BtrfsError) -> Generation { Generation(10) }

    func forEachFileExtent(
        of inode: InodeIdentifier, from start: FileOffset, through end: FileOffset,
        _ body: (FileExtent) throws(BtrfsError) -> Void
    ) throws(BtrfsError) {
        reads.withLock { $0.append(inode.number) }
        let extents = files[inode.number]?.extents ?? []
        for (index, extent) in extents.enumerated() where extent.fileOffset >= start {
            if index == 15_000, failing.contains(inode.number) {
                throw BtrfsError.cancellation
            }
            try body(extent)
        }
    }

    func hasChanged(
        _ inode: InodeIdentifier, since generation: Generation
    ) throws(BtrfsError) -> Bool {
        files[inode.number].map { Generation($0.changed) >= generation } ?? true
    }

    func uses(ofExtentAt address: LogicalAddress) throws(BtrfsError) -> ExtentUses { .all([]) }

    func inode(_ identifier: InodeIdentifier) throws(BtrfsError) -> InodeItem? {
        files[identifier.number].map { file in
            let mapped = file.extents.reduce(ByteCount.zero) { $0 + $1.lengthBytes }
            return InodeItem(
                generation: Generation(file.inode), sizeBytes: .mebibytes(100),
                mappedBytes: file.mappedBytes ?? mapped, links: 1)
        }
    }
}

@Suite("A survey that is kept for the next") struct KeptSurveyTests {
    private typealias File = FilesCatalog.File

    private static let home = FileSystem.Identity(bytes: Array(0..<16))

    /// Packed extents one behind the other, in the file and on the device.
    private static func extents(_ count: Int, at start: UInt64) -> [FileExtent] {
        (0..<UInt64(count)).map { index in
            FileExtent(
                fileOffset: FileOffset(index << 17), lengthBytes: .kibibytes(128),
                contentBytes: .kibibytes(128), compression: .zstd,
                generation: Generation(index % 3),
                storage: .regular(
                    FileExtent.Reference(
                        // Nothing follows from anything: some 15 bytes each.
                        address: LogicalAddress(start + index * 7919 << 12 ^ index << 40),
                        diskBytes: .kibibytes(8), offsetInExtent: .zero)))
        }
    }

    private static func image(_ number: UInt64) -> ImageFile {
        ImageFile(
            inode: InodeIdentifier(subvolume: .topmostSubvolume, number: number), owners: [0])
    }

    /// A survey of these files by what `old` has, kept in `new`.
    private static func survey(
        _ catalog: FilesCatalog, _ numbers: [UInt64], joining old: MemoryCache?,
        to new: MemoryCache = MemoryCache(), since: UInt64 = 11, limitBytes: UInt64 = .max,
        in subvolume: TreeIdentifier = .topmostSubvolume
    ) throws -> (survey: Survey, isWritten: Bool) {
        let kept = old.flatMap { KeptSurvey($0, fileSystem: home) }
        let memory = SurveyMemory(
            kept,
            writer: KeptSurveyWriter(
                to: new, fileSystem: home, joining: kept, since: Generation(since),
                limitBytes: limitBytes), in: [subvolume])
        let survey = try Surveyor.survey(numbers.map(image), in: catalog, memory: memory)
        return (survey, try memory.finish())
    }

    private static func isSame(_ left: Survey, _ right: Survey) -> Bool {
        Array(left.extents) == Array(right.extents)
            && Array(left.references) == Array(right.references)
            && left.files.map(\.image) == right.files.map(\.image)
            && left.files.map(\.pieces) == right.files.map(\.pieces)
    }

    private static let files: [UInt64: File] = [
        257: File(extents: extents(20_000, at: 1 << 30)),
        258: File(extents: extents(300, at: 2 << 30)),
        259: File(extents: extents(20, at: 3 << 30)),
    ]

    @Test func `What has not changed is not read, and nothing is written again`() throws {
        let (first, second) = (MemoryCache(), MemoryCache())
        let numbers: [UInt64] = [257, 258, 259]
        let fresh = try Self.survey(FilesCatalog(Self.files), numbers, joining: nil, to: first)
        #expect(fresh.isWritten)
        let catalog = FilesCatalog(Self.files)
        let again = try Self.survey(catalog, numbers, joining: first, to: second)
        // To ask after twenty extents costs what reading them does.
        #expect(catalog.readFiles == [259])
        #expect(Self.isSame(fresh.survey, again.survey))
        #expect(!again.isWritten && second.writes == 0)
        // Nobody has looked whether the tree that they stand in can be read.
        let unseen = FilesCatalog(Self.files)
        _ = try Self.survey(unseen, numbers, joining: first, in: TreeIdentifier(300))
        #expect(unseen.readFiles == numbers)
    }

    @Test func `What has changed is read, and kept beside what has not`() throws {
        let numbers: [UInt64] = [257, 258, 259]
        let first = MemoryCache()
        _ = try Self.survey(FilesCatalog(Self.files), numbers, joining: nil, to: first)
        var changes: [[UInt64: File]] = []
        for number in [257, 258] as [UInt64] {
            // An item that came, the number given to another file, and items that have gone and
            // left no trace but in the sum.
            var changed = Self.files
            changed[number]?.changed = 11
            changed[number]?.extents.removeLast()
            let count = try #require(Self.files[number]?.extents.count)
            changed[number]?.mappedBytes = ByteCount(UInt64(count) << 17)
            changes.append(changed)
            var other = Self.files
            other[number]?.inode = 2
            changes.append(other)
            var shorter = Self.files
            shorter[number]?.extents.removeSubrange(100..<120)
            changes.append(shorter)
        }
        for (index, files) in changes.enumerated() {
            let catalog = FilesCatalog(files)
            let second = MemoryCache()
            let found = try Self.survey(catalog, numbers, joining: first, to: second)
            let number: UInt64 = index < 3 ? 257 : 258
            #expect(catalog.readFiles == [number, 259].sorted())
            let fresh = try Self.survey(FilesCatalog(files), numbers, joining: nil).survey
            #expect(Self.isSame(found.survey, fresh))
            #expect(found.isWritten)
            guard index % 3 > 0 else { continue }
            let third = FilesCatalog(files)
            let again = try Self.survey(third, numbers, joining: second)
            #expect(third.readFiles == [259])
            #expect(Self.isSame(again.survey, fresh))
        }
    }

    @Test func `What is gone is no longer kept`() throws {
        let (first, second) = (MemoryCache(), MemoryCache())
        _ = try Self.survey(FilesCatalog(Self.files), [257, 258], joining: nil, to: first)
        let found = try Self.survey(FilesCatalog(Self.files), [258], joining: first, to: second)
        #expect(found.isWritten)
        let kept = try #require(KeptSurvey(second, fileSystem: Self.home))
        #expect(kept.entries.count == 1)
        #expect(second.bytes.count < first.bytes.count / 10)
    }

    @Test func `What cannot be read, and a job that is cancelled, cost nothing of what there is`()
        throws
    {
        let (first, second) = (MemoryCache(), MemoryCache())
        let numbers: [UInt64] = [257, 258]
        _ = try Self.survey(FilesCatalog(Self.files), numbers, joining: nil, to: first)
        var changed = Self.files
        changed[257]?.changed = 11
        let found = try Self.survey(
            FilesCatalog(changed, failing: [257]), numbers, joining: first, to: second)
        #expect(found.survey.unreadable.count == 1)
        #expect(found.isWritten)
        for cache in [first, second] {
            let catalog = FilesCatalog(Self.files)
            _ = try Self.survey(catalog, numbers, joining: cache)
            #expect(catalog.readFiles.isEmpty)
        }
    }

    @Test func `Damage costs its part of a file, and the next survey mends it`() throws {
        let numbers: [UInt64] = [257, 258, 259]
        let first = MemoryCache()
        let fresh = try Self.survey(FilesCatalog(Self.files), numbers, joining: nil, to: first)
        let whole = first.bytes
        for share in 0..<23 {
            var bytes = whole
            bytes[bytes.count * share / 23] ^= 0x10
            let (damaged, mended) = (MemoryCache(bytes), MemoryCache())
            let found = try Self.survey(
                FilesCatalog(Self.files), numbers, joining: damaged, to: mended)
            #expect(Self.isSame(found.survey, fresh.survey))
            let next = MemoryCache()
            let catalog = FilesCatalog(Self.files)
            let again = try Self.survey(
                catalog, numbers, joining: found.isWritten ? mended : damaged, to: next)
            #expect(Self.isSame(again.survey, fresh.survey))
            let last = FilesCatalog(Self.files)
            let source = again.isWritten ? next : found.isWritten ? mended : damaged
            _ = try Self.survey(last, numbers, joining: source)
            #expect(last.readFiles == [259], "damage in part \(share)")
        }
        for length in stride(from: 0, to: whole.count, by: 9973) {
            let found = try Self.survey(
                FilesCatalog(Self.files), numbers,
                joining: MemoryCache(Array(whole.prefix(length))))
            #expect(Self.isSame(found.survey, fresh.survey))
        }
        #expect(
            KeptSurvey(first, fileSystem: FileSystem.Identity(bytes: Array(1..<17))) == nil)
    }

    @Test func `A full disk, and a file that is too long, cost the next survey time`() throws {
        let numbers: [UInt64] = [257, 258]
        let full = MemoryCache(roomBytes: 100_000)
        #expect(throws: BtrfsError.self) {
            try Self.survey(FilesCatalog(Self.files), numbers, joining: nil, to: full)
        }
        #expect(KeptSurvey(full, fileSystem: Self.home) == nil)
        let small = MemoryCache()
        _ = try Self.survey(
            FilesCatalog(Self.files), numbers, joining: nil, to: small, limitBytes: 100_000)
        let catalog = FilesCatalog(Self.files)
        _ = try Self.survey(catalog, numbers, joining: small)
        #expect(catalog.readFiles == [257])
    }
}
