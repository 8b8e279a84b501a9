// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Testing

@testable import Engine

@Suite struct ShareRequestsTests {
    static let fileStart = FileOffset(1 << 30)
    static let sourceStart = FileOffset(1 << 20)

    static func target(
        _ lengthBytes: ByteCount, at offset: FileOffset = fileStart, in file: UInt64 = 1,
        isLive: Bool = false
    ) -> ReplacementTarget {
        ReplacementTarget(
            replacement: BatchesTests.replacement(64),
            references: [
                OpenReference(
                    file: ModelStore.File(ModelState.inode(file)), inode: ModelState.inode(file),
                    fileOffset: offset,
                    offsetInExtent: .zero, lengthBytes: lengthBytes, isTail: false, isLive: isLive)
            ], usedRanges: [ByteCount.zero..<lengthBytes])
    }

    static func source(
        _ lengthBytes: ByteCount, at offset: FileOffset = sourceStart, isLive: Bool = false
    ) -> Source {
        Source(
            range: ByteCount.zero..<lengthBytes, file: ModelStore.File(ModelState.inode(2)),
            origin: isLive ? .image(ModelState.inode(2)) : .scratch, offset: offset, isLive: isLive)
    }

    static func make(
        _ lengthBytes: ByteCount, isLive: Bool = false, isSourceLive: Bool = false
    ) -> [ShareRequest] {
        ShareRequests.make(
            ShareRequests.moves(
                target: 0, target(lengthBytes, isLive: isLive),
                sources: [source(lengthBytes, isLive: isSourceLive)]), limits: ExecutionLimits())
    }

    @Test func `A request covers at most 16 MiB`() {
        let limit = ByteCount.mebibytes(16)
        #expect(ExecutionLimits().request == limit)
        #expect(Self.make(limit).map(\.lengthBytes) == [limit])
        #expect(
            Self.make(limit + .kibibytes(4)).map(\.lengthBytes) == [limit, .kibibytes(4)])
    }

    @Test(arguments: [(true, false), (false, true), (true, true)])
    func `A request that locks a live image covers at most 1 MiB`(
        isLive: Bool, isSourceLive: Bool
    ) throws {
        let limit = ByteCount.mebibytes(1)
        #expect(ExecutionLimits().liveRequest == limit)
        let one = Self.make(limit, isLive: isLive, isSourceLive: isSourceLive)
        #expect(one.map(\.lengthBytes) == [limit])
        let two = Self.make(limit + .kibibytes(4), isLive: isLive, isSourceLive: isSourceLive)
        try #require(two.map(\.lengthBytes) == [limit, .kibibytes(4)])
        #expect(two[1].moves[0].sourceOffset == Self.sourceStart + limit)
        #expect(two[1].moves[0].destinationOffset == Self.fileStart + limit)
    }

    @Test func `A move that was done in part is known by that part`() {
        let move = Self.make(.mebibytes(2))[0].moves[0].prefix(.kibibytes(8))
        #expect(move.range == ByteCount.zero..<ByteCount.kibibytes(8))
        #expect(move.destinationOffset == Self.fileStart)
    }

    /// Two targets of 64 KiB, the second one `gap` behind the first in the file and in the source.
    static func two(
        fileGap: ByteCount = .zero, sourceGap: ByteCount = .zero, secondFile: UInt64 = 1,
        isSecondLive: Bool = false, length: ByteCount = .kibibytes(64)
    ) -> [ShareRequest] {
        let second = target(
            length, at: fileStart + length + fileGap, in: secondFile, isLive: isSecondLive)
        let moves =
            ShareRequests.moves(
                target: 1, second,
                sources: [
                    source(length, at: sourceStart + length + sourceGap)
                ])
            + ShareRequests.moves(target: 0, target(length), sources: [source(length)])
        return ShareRequests.make(moves, limits: ExecutionLimits())
    }

    @Test func `What follows each other in both files goes in one request`() {
        let joined = Self.two()
        #expect(joined.map(\.lengthBytes) == [.kibibytes(128)])
        #expect(joined[0].moves.map(\.target) == [0, 1])
    }

    @Test func `What does not follow goes in requests of its own`() {
        let gap = ByteCount.kibibytes(4)
        #expect(Self.two(fileGap: gap).map(\.moves.count) == [1, 1])
        #expect(Self.two(sourceGap: gap).map(\.moves.count) == [1, 1])
        #expect(Self.two(secondFile: 7).map(\.moves.count) == [1, 1])
        #expect(Self.two(isSecondLive: true).map(\.moves.count) == [1, 1])
    }

    @Test func `A joined request stays within the limit`() {
        let joined = Self.two(length: .mebibytes(12))
        #expect(joined.map(\.lengthBytes) == [.mebibytes(16), .mebibytes(8)])
        #expect(joined.map { $0.moves.map(\.target) } == [[0, 1], [1]])
        #expect(joined[1].moves[0].range == ByteCount.mebibytes(4)..<ByteCount.mebibytes(12))
    }
}

@Suite struct LayoutTests {
    static func part(
        _ kibibytes: UInt64, at offset: UInt64, aim: Replacement.Aim = .space,
        files: [UInt64] = [1], level: Int? = 3, packedTo disk: UInt64? = nil
    ) -> WrittenPart {
        let length = ByteCount.kibibytes(kibibytes)
        let replacement = Replacement(
            address: LogicalAddress(offset), generation: Generation(1),
            diskBytes: disk.map { .kibibytes($0) } ?? length, contentBytes: length, pieces: [],
            rewriting: level.map { .packed(level: $0) } ?? .plain, predictedSaving: .zero, aim: aim)
        let references = files.map { file in
            OpenReference(
                file: ModelStore.File(ModelState.inode(file)), inode: ModelState.inode(file),
                fileOffset: FileOffset(offset << 10), offsetInExtent: .zero, lengthBytes: length,
                isTail: false, isLive: false)
        }
        let range = ByteCount.zero..<length
        return WrittenPart(
            target: ReplacementTarget(
                replacement: replacement, references: references, usedRanges: [range]),
            ranges: [range], spent: .zero,
            cost: ReplacementCost(references: references.count),
            census: ReferenceCensus(references))
    }

    static func chains(_ parts: [WrittenPart]) -> [[Int]] {
        Layout.chains(parts.indices.map { ($0, parts[$0]) }, limits: ExecutionLimits())
            .map { $0.slices.map(\.target) }
    }

    @Test func `Neighbours in all their files are written together`() {
        #expect(Self.chains([Self.part(8, at: 0), Self.part(4, at: 8)]) == [[0, 1]])
        let shared = [Self.part(8, at: 0, files: [1, 2]), Self.part(4, at: 8, files: [2, 1])]
        #expect(Self.chains(shared) == [[0, 1]])
    }

    @Test func `Others are not: a gap, another file, another level`() {
        #expect(Self.chains([Self.part(8, at: 0), Self.part(4, at: 12)]) == [[0], [1]])
        #expect(Self.chains([Self.part(8, at: 8), Self.part(8, at: 0)]) == [[0], [1]])
        let others = [Self.part(8, at: 0), Self.part(4, at: 8, files: [1, 2])]
        #expect(Self.chains(others) == [[0], [1]])
        #expect(Self.chains([Self.part(8, at: 0), Self.part(4, at: 8, files: [3])]) == [[0], [1]])
        #expect(Self.chains([Self.part(8, at: 0), Self.part(4, at: 8, level: 9)]) == [[0], [1]])
    }

    @Test func `What is to bring space is packed in short chains, what is to bring order in long`()
    {
        let space = [Self.part(400, at: 0), Self.part(200, at: 400)]
        #expect(Self.chains(space) == [[0], [1]])
        let order = [
            Self.part(400, at: 0, aim: .order), Self.part(200, at: 400, aim: .order),
        ]
        #expect(Self.chains(order) == [[0, 1]])
    }

    @Test func `A packed extent that fills a frame is packed alone, shorter ones together`() {
        let long = [
            Self.part(128, at: 0, packedTo: 40), Self.part(128, at: 128, packedTo: 40),
            Self.part(8, at: 256),
        ]
        #expect(Self.chains(long) == [[0], [1], [2]])
        let short = [
            Self.part(64, at: 0, packedTo: 40), Self.part(64, at: 64, packedTo: 8),
            Self.part(128, at: 128),
        ]
        #expect(Self.chains(short) == [[0, 1, 2]])
    }

    @Test func `What is packed well already bears less of what a chain takes`() {
        let parts = [Self.part(64, at: 0, packedTo: 48), Self.part(64, at: 64, packedTo: 16)]
        let chains = Layout.chains(
            parts.indices.map { ($0, parts[$0]) }, limits: ExecutionLimits())
        let charges = Layout.charges(chains[0], total: .kibibytes(32))
        #expect(charges.map(\.bytes) == [.kibibytes(24), .kibibytes(8)])
    }

    @Test func `The charges of a chain are its total`() {
        let slices = [4, 12, 100].enumerated().map { index, kibibytes in
            Slice(target: index, range: ByteCount.zero..<ByteCount.kibibytes(UInt64(kibibytes)))
        }
        let chain = Chain(slices: slices, rewriting: .packed(level: 3))
        let charges = Layout.charges(chain, total: ByteCount(UInt64(40961)))
        #expect(charges.map(\.target) == [0, 1, 2])
        #expect(charges.reduce(ByteCount.zero) { $0 + $1.bytes } == ByteCount(UInt64(40961)))
        #expect(charges[0].bytes.rawValue == 40961 * 4 / 116)
    }
}
