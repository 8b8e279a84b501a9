// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import SystemPackage
import Testing

@testable import Engine

@Suite struct SurveyTests {
    static let sector = ModelState.sector
    static func inode(_ number: UInt64) -> InodeIdentifier { ModelState.inode(number) }

    /// Files 1 and 2 share an extent of 8 sectors; file 2 has one of its own before it, of 2.
    static func shared() -> ModelStore {
        var state = ModelState()
        for number in UInt64(1)...2 { state.make(number) }
        state.write(Content.sectors(0..<8), to: 1, at: 0)
        state.write(Content.sectors(8..<10), to: 2, at: 0)
        state.clone(1, 0..<(8 * sector), to: 2, at: 2 * sector)
        return ModelStore(state)
    }

    static func survey(_ store: ModelStore, _ images: [ImageFile]) -> Survey {
        Surveyor.held(images, in: store)
    }

    static func image(
        _ number: UInt64, _ owners: [Int] = [0], isLive: Bool = false, isRevision: Bool = false,
        isTransient: Bool = false
    ) -> ImageFile {
        ImageFile(
            inode: inode(number), owners: owners, isLive: isLive, isRevision: isRevision,
            isTransient: isTransient)
    }

    // MARK: Surveyor

    @Test func `A shared extent is there once, with every reference in order`() {
        let survey = Self.survey(Self.shared(), [Self.image(1), Self.image(2)])
        #expect(survey.extents.map(\.contentBytes) == [.kibibytes(32), .kibibytes(8)])
        #expect(survey.extents.map(\.references) == [0..<2, 2..<3])
        #expect(survey.references.map(\.file) == [0, 1, 1])
        #expect(
            survey.references.map(\.fileOffset)
                == [.start, FileOffset(2 * Self.sector), .start])
        #expect(survey.unreadable.isEmpty)
    }

    @Test func `Extents are in the order of their addresses, whatever the files' order`() {
        let forward = Self.survey(Self.shared(), [Self.image(1), Self.image(2)])
        let backward = Self.survey(Self.shared(), [Self.image(2), Self.image(1)])
        #expect(forward.extents.map(\.address) == backward.extents.map(\.address))
        #expect(forward.extents.map(\.address) == forward.extents.map(\.address).sorted())
        #expect(backward.references.map(\.file) == [0, 1, 0])
    }

    private static func oneByte(_ image: ImageFile) -> ImageFile {
        ImageFile(inode: image.inode, sizeBytes: ByteCount(UInt64(1)), owners: image.owners)
    }

    @Test func `A file that cannot be read is named, one that is gone is not, others go on`() {
        let store = Self.shared()
        store.set(ModelStore.Faults(unreadable: [Self.inode(1)]))
        var done: [ByteCount] = []
        let survey = Surveyor.held(
            [Self.image(1), Self.image(99), Self.image(2)].map(Self.oneByte), in: store
        ) { part, _ in done.append(part) }
        #expect(survey.unreadable.map(\.0) == [Self.inode(1)])
        #expect(survey.unreadable.map(\.1.reason) == [.ioError])
        #expect(survey.references.count == 2)
        #expect(done == [0, 1, 2].map { ByteCount(UInt64($0)) })
    }

    @Test func `Inline extents count with their file, holes not at all`() {
        let catalog = FixedCatalog(extents: [
            .inline(storedBytes: ByteCount(UInt64(100))), .hole,
            .preallocated(
                FileExtent.Reference(
                    address: LogicalAddress(4096), diskBytes: .kibibytes(4),
                    offsetInExtent: .zero)),
        ])
        let survey = Surveyor.held([Self.image(1)], in: catalog)
        #expect(survey.files[0].inlineExtents == 1)
        #expect(survey.files[0].inlineStoredBytes.rawValue == 100)
        #expect(survey.files[0].inlineContentBytes == .kibibytes(4))
        #expect(survey.references.map(\.isPreallocated) == [true])
    }
}

/// One file with the given extents of 4 KiB.
private struct FixedCatalog: ExtentCatalog {
    func generation() throws(BtrfsError) -> Generation { Generation(100) }
    let extents: [FileExtent.Storage]
    var sectorBytes: ByteCount { .kibibytes(4) }

    func forEachFileExtent(
        of inode: InodeIdentifier, from start: FileOffset, through end: FileOffset,
        _ body: (FileExtent) throws(BtrfsError) -> Void
    ) throws(BtrfsError) {
        for (index, storage) in extents.enumerated() {
            try body(
                FileExtent(
                    fileOffset: FileOffset(UInt64(index) * 4096), lengthBytes: .kibibytes(4),
                    contentBytes: .kibibytes(4), compression: .none, generation: Generation(1),
                    storage: storage))
        }
    }

    func uses(ofExtentAt address: LogicalAddress) throws(BtrfsError) -> ExtentUses { .all([]) }

    func inode(_ identifier: InodeIdentifier) throws(BtrfsError) -> InodeItem? {
        InodeItem(generation: Generation(1), sizeBytes: .kibibytes(12), links: 1)
    }
}
