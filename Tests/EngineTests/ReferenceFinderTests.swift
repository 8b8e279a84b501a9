// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Testing

@testable import Engine

@Suite struct ReferenceFinderTests {
    /// One extent of 64 sectors that some files show in parts, some of them live.
    static func survey(references: Int, _ generator: inout SeededGenerator) throws -> Survey {
        var collector = SurveyCollector()
        for file in 0..<4 as Range<UInt64> {
            collector.begin(
                Survey.File(
                    image: ImageFile(
                        inode: ModelState.inode(file), owners: [0],
                        isLive: Bool.random(using: &generator)),
                    inode: InodeItem(generation: Generation(1), sizeBytes: .zero, links: 1)))
            for place in 0..<(references / 4) {
                let first = UInt64.random(in: 0..<60, using: &generator)
                let sectors = UInt64.random(in: 1...(min(64 - first, 20)), using: &generator)
                try collector.add(
                    FileExtent(
                        fileOffset: FileOffset(UInt64(place) << 20),
                        lengthBytes: .kibibytes(sectors * 4), contentBytes: .kibibytes(256),
                        compression: .none, generation: Generation(1),
                        storage: .regular(
                            FileExtent.Reference(
                                address: LogicalAddress(1 << 20), diskBytes: .kibibytes(256),
                                offsetInExtent: .kibibytes(first * 4)))))
            }
        }
        return try collector.finish()
    }

    @Test(arguments: 0..<60) func `Of many references the one is found that a look at all finds`(
        seed: Int
    ) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        let count = [4, 32, 36, 400][seed % 4]
        let survey = try Self.survey(references: count, &generator)
        #expect(survey.references.count == count)
        var finder = ReferenceFinder(survey)
        for sector in 0..<70 as Range<UInt64> {
            let position = ByteCount.kibibytes(sector * 4)
            var best: Survey.Reference?
            for reference in survey.references where reference.rangeInExtent.contains(position) {
                guard let found = best else {
                    best = reference
                    continue
                }
                let isLive = survey.files[reference.file].image.isLive
                let wasLive = survey.files[found.file].image.isLive
                let reachesOn =
                    reference.rangeInExtent.upperBound > found.rangeInExtent.upperBound
                if (wasLive && !isLive) || (wasLive == isLive && reachesOn) { best = reference }
            }
            #expect(finder.best(ofExtent: 0, showing: position) == best)
        }
    }
}
