// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import SystemPackage
import Testing

@testable import Engine

/// A survey is made in place, and its pieces are counted as items come: here both are compared with
/// what plain sorting gives.
@Suite struct SurveyCollectorTests {
    /// An item with the number of its file.
    struct Item {
        let file: Int
        let extent: FileExtent
        let reference: FileExtent.Reference
        let isPreallocated: Bool
    }

    /// Files of items of all kinds: neighbours on the device and none, parts, clones.
    static func items(_ generator: inout SeededGenerator) -> [[FileExtent]] {
        (0..<Int.random(in: 0...6, using: &generator)).map { _ in
            var offset: UInt64 = 0
            var follows: UInt64 = 0
            return (0..<Int.random(in: 0...40, using: &generator)).map { _ in
                let sectors = UInt64.random(in: 1...4, using: &generator)
                defer {
                    offset +=
                        (sectors + (Int.random(in: 0...5, using: &generator) == 0 ? 1 : 0)) << 12
                }
                let isPlain = Bool.random(using: &generator)
                let part = UInt64.random(in: 0...2, using: &generator)
                let address =
                    Bool.random(using: &generator)
                    ? follows : UInt64.random(in: 1...30, using: &generator) << 15
                let reference = FileExtent.Reference(
                    address: LogicalAddress(max(address, 4096)),
                    diskBytes: .kibibytes(isPlain ? 32 : 8),
                    offsetInExtent: .kibibytes(part * 4))
                follows =
                    reference.address.rawValue
                    + (isPlain ? (part + sectors) << 12 : reference.diskBytes.rawValue)
                let storage: FileExtent.Storage =
                    switch Int.random(in: 0...9, using: &generator) {
                    case 0: .hole
                    case 1: .inline(storedBytes: .kibibytes(1))
                    case 2: .preallocated(reference)
                    default: .regular(reference)
                    }
                return FileExtent(
                    fileOffset: FileOffset(offset), lengthBytes: .kibibytes(sectors * 4),
                    contentBytes: .kibibytes(32), compression: isPlain ? .none : .zstd,
                    generation: Generation(UInt64.random(in: 1...(1 << 50), using: &generator)),
                    storage: storage)
            }
        }
    }

    static func collected(
        _ files: [[FileExtent]], spills: TestSpills? = nil
    ) throws -> Survey {
        var collector = SurveyCollector(spills: spills)
        for (index, file) in files.enumerated() {
            let image = ImageFile(
                inode: ModelState.inode(UInt64(index)), owners: [index % 2])
            collector.begin(
                Survey.File(
                    image: image,
                    inode: InodeItem(generation: Generation(1), sizeBytes: .zero, links: 1)))
            for extent in file { try collector.add(extent) }
        }
        return try collector.finish()
    }

    /// Items with references, in the order of a survey.
    static func sorted(_ files: [[FileExtent]]) -> [Item] {
        files.enumerated().flatMap { index, file in
            file.compactMap { extent in
                switch extent.storage {
                case .hole, .inline: nil
                case .regular(let reference):
                    Item(
                        file: index, extent: extent, reference: reference, isPreallocated: false)
                case .preallocated(let reference):
                    Item(file: index, extent: extent, reference: reference, isPreallocated: true)
                }
            }
        }.sorted {
            ($0.reference.address, $0.file, $0.extent.fileOffset)
                < ($1.reference.address, $1.file, $1.extent.fileOffset)
        }
    }

    @Test(arguments: 0..<200) func `A survey has all references, sorted, and each extent once`(
        seed: Int
    ) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let files = Self.items(&generator)
        let spills = seed % 2 == 0 ? nil : TestSpills()
        let survey = try Self.collected(files, spills: spills)
        let items = Self.sorted(files)
        #expect(survey.references.map(\.file) == items.map(\.file))
        #expect(survey.references.map(\.fileOffset) == items.map(\.extent.fileOffset))
        #expect(survey.references.map(\.lengthBytes) == items.map(\.extent.lengthBytes))
        #expect(survey.references.map(\.offsetInExtent) == items.map(\.reference.offsetInExtent))
        #expect(survey.references.map(\.isPreallocated) == items.map(\.isPreallocated))
        var rest = items[...]
        for extent in survey.extents {
            let own = rest.prefix { $0.reference.address == extent.address }
            rest = rest.dropFirst(own.count)
            let first = try #require(own.first)
            #expect(extent.references == own.startIndex..<own.endIndex)
            #expect(extent.diskBytes == first.reference.diskBytes)
            #expect(extent.contentBytes == first.extent.contentBytes)
            #expect(extent.compression == first.extent.compression)
            #expect(extent.generation == own.map(\.extent.generation).max())
        }
        #expect(rest.isEmpty)
        // What is sorted has given back its file; extents and references hold one each.
        #expect(spills?.openCount ?? 0 <= 2)
        #expect(items.count < 2 || spills == nil || spills?.openCount ?? 0 >= 1)
    }

    @Test func `A full disk under a survey is no fault of the files, and ends it`() throws {
        var state = ModelState()
        for number in 1...9 as ClosedRange<UInt64> {
            state.make(number)
            for slot in 0..<8 as Range<UInt64> {
                state.write(Content.sectors(0..<1), to: number, at: slot * 8 * ModelState.sector)
            }
        }
        let images = (1...9).map { ImageFile(inode: ModelState.inode($0), owners: [0]) }
        #expect(throws: TestSpills.full) {
            _ = try Surveyor.survey(
                images, in: ModelStore(state), spills: TestSpills(limitBytes: 2048))
        }
    }

    @Test(arguments: 0..<200) func `Pieces are what follows in the file and on the device`(
        seed: Int
    ) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let files = Self.items(&generator)
        let volumes = [ModelJob.volume(), ModelJob.volume(selected: seed % 2 == 0)]
        let pieces = try Self.collected(files).pieces(
            in: Scope(volumes: volumes, includesLiveOnly: false))
        var expected = Survey.Pieces()
        var ends: (file: Int, offset: UInt64, device: UInt64)?
        let items = Self.sorted(files).sorted {
            ($0.file, $0.extent.fileOffset) < ($1.file, $1.extent.fileOffset)
        }
        for item in items where volumes[item.file % 2].isSelected {
            expected.dataBytes += item.extent.lengthBytes
            let isPlain = item.extent.compression == .none
            let start =
                item.reference.address.rawValue
                + (isPlain ? item.reference.offsetInExtent.rawValue : 0)
            if ends?.file != item.file || ends?.offset != item.extent.fileOffset.rawValue
                || ends?.device != start
            {
                expected.count += 1
            }
            let length = isPlain ? item.extent.lengthBytes : item.reference.diskBytes
            ends = (
                item.file, (item.extent.fileOffset + item.extent.lengthBytes).rawValue,
                start + length.rawValue
            )
        }
        #expect(pieces == expected)
    }

    @Test(arguments: [(UInt64(UInt32.max), true), (1 << 32, false), (.max >> 1, false)])
    func `An extent larger than any that can be is refused, and leaves nothing behind`(
        bytes: UInt64, isTaken: Bool
    ) throws {
        var collector = SurveyCollector()
        collector.begin(
            Survey.File(
                image: ImageFile(inode: ModelState.inode(1), owners: [0]),
                inode: InodeItem(generation: Generation(1), sizeBytes: .zero, links: 1)))
        for (disk, content, offset) in [(bytes, 1, 0), (1, bytes, 0), (1, 1, bytes)] {
            let extent = FileExtent(
                fileOffset: .start, lengthBytes: .kibibytes(4), contentBytes: ByteCount(content),
                compression: .none, generation: Generation(1),
                storage: .regular(
                    FileExtent.Reference(
                        address: LogicalAddress(4096), diskBytes: ByteCount(disk),
                        offsetInExtent: ByteCount(offset))))
            do throws(BtrfsError) {
                try collector.add(extent)
                #expect(isTaken)
            } catch {
                #expect(!isTaken && error.reason == .notSupported)
            }
        }
        let survey = try collector.finish()
        #expect(survey.references.count == (isTaken ? 3 : 0))
        #expect(survey.extents.count == (isTaken ? 1 : 0))
    }

    @Test func `An extent takes 32 bytes and a reference 24`() {
        #expect(MemoryLayout<Survey.Extent>.stride == 32)
        #expect(MemoryLayout<Survey.Reference>.stride == 24)
    }
}
