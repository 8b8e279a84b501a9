// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import SystemPackage
import Testing

@testable import Engine

@Suite struct AccountTests {
    static let sector: UInt64 = 4096

    /// A file system by its items, and the account of some of its files.
    struct World {
        var inodes: [(UInt64, links: UInt32)] = []
        var extents: [(UInt64, FileExtent)] = []

        mutating func file(_ number: UInt64, links: UInt32 = 1) { inodes.append((number, links)) }

        /// A reference, all in sectors.
        mutating func refer(
            _ number: UInt64, to address: UInt64, disk: UInt64, part: Range<UInt64>? = nil,
            compression: Compression = .none, content: UInt64? = nil, preallocated: Bool = false
        ) {
            let part = part ?? 0..<(content ?? disk)
            let reference = FileExtent.Reference(
                address: LogicalAddress(address * sector), diskBytes: ByteCount(disk * sector),
                offsetInExtent: ByteCount(part.lowerBound * sector))
            extents.append(
                (
                    number,
                    FileExtent(
                        fileOffset: FileOffset(UInt64(extents.count) * sector << 10),
                        lengthBytes: ByteCount(UInt64(part.count) * sector),
                        contentBytes: ByteCount((content ?? disk) * sector),
                        compression: compression, generation: Generation(1),
                        storage: preallocated ? .preallocated(reference) : .regular(reference))
                ))
        }

        mutating func inline(_ number: UInt64, bytes: UInt64) {
            extents.append(
                (
                    number,
                    FileExtent(
                        fileOffset: .start, lengthBytes: ByteCount(bytes * 2),
                        contentBytes: ByteCount(bytes * 2), compression: .zlib,
                        generation: Generation(1), storage: .inline(storedBytes: ByteCount(bytes)))
                ))
        }

        func account(
            _ files: [AccountFile], levels: [[Int]], heldReferences: Int = 1 << 20,
            spills: (any SpillSource)? = nil
        ) throws -> Account {
            var accountant = Accountant(
                files: files, levels: levels, sectorBytes: ByteCount(sector), spills: spills,
                heldReferences: heldReferences)
            for (number, links) in inodes {
                accountant.add(
                    AccountTests.inode(number),
                    InodeItem(
                        generation: Generation(1), sizeBytes: .kibibytes(1), links: links))
                for (owner, extent) in extents where owner == number {
                    try accountant.add(AccountTests.inode(number), extent)
                }
            }
            return try accountant.finish()
        }
    }

    static func inode(_ number: UInt64) -> InodeIdentifier {
        InodeIdentifier(subvolume: TreeIdentifier(5), number: number)
    }

    static func file(
        _ number: UInt64, _ owners: [Int], isRevision: Bool = false, knownNames: Int = 1
    ) -> AccountFile {
        AccountFile(
            inode: inode(number), owners: owners, isRevision: isRevision, knownNames: knownNames)
    }

    static func sectors(_ count: UInt64) -> ByteCount { ByteCount(count * sector) }

    /// File 1 of volume 0 and file 2 of volume 1 share an extent of 8; file 2 has one of 2.
    static func shared() -> World {
        var world = World()
        world.file(1)
        world.refer(1, to: 100, disk: 8)
        world.file(2)
        world.refer(2, to: 100, disk: 8)
        world.refer(2, to: 50, disk: 2)
        return world
    }

    @Test func `What two volumes share is exclusive to both together only`() throws {
        let account = try Self.shared().account(
            [Self.file(1, [0]), Self.file(2, [1])], levels: [[0, 1], [0, 0]])
        let (first, second, both) = (account.sets[0][0], account.sets[0][1], account.sets[1][0])
        #expect(first.disk == Self.sectors(8) && first.exclusive == .zero)
        #expect(second.disk == Self.sectors(10) && second.exclusive == Self.sectors(2))
        #expect(both.disk == Self.sectors(10) && both.exclusive == Self.sectors(10))
        #expect(both.data == Self.sectors(18) && both.extents == 2)
        #expect(both.size == .kibibytes(2))
        #expect(account.distinctContent == Self.sectors(10))
        #expect(account.everything.disk == Self.sectors(10))
        #expect(account.outside == SpaceFigures())
    }

    @Test func `What a file outside uses is exclusive to nobody, and counts outside`() throws {
        var world = Self.shared()
        world.file(9)
        world.refer(9, to: 100, disk: 8, part: 3..<4)
        let account = try world.account(
            [Self.file(1, [0]), Self.file(2, [0])], levels: [[0]])
        #expect(account.sets[0][0].disk == Self.sectors(10))
        #expect(account.sets[0][0].exclusive == Self.sectors(2))
        #expect(account.outside.disk == Self.sectors(8))
        #expect(account.outside.exclusive == .zero)
        #expect(account.outside.data == Self.sectors(1))
    }

    @Test func `A volume that is in no set counts as a stranger`() throws {
        let account = try Self.shared().account(
            [Self.file(1, [0]), Self.file(2, [1])], levels: [[0, -1]])
        #expect(account.sets[0].count == 1)
        #expect(account.sets[0][0].disk == Self.sectors(8))
        #expect(account.sets[0][0].exclusive == .zero)
    }

    @Test func `A file of two volumes, or with unknown names, goes only with all of them`() throws {
        var world = World()
        world.file(1, links: 2)
        world.refer(1, to: 10, disk: 4)
        let levels = [[0, 1], [0, 0]]
        let both = try world.account([Self.file(1, [0, 1], knownNames: 2)], levels: levels)
        #expect(both.sets[0].map(\.exclusive) == [.zero, .zero])
        #expect(both.sets[0].map(\.disk) == [Self.sectors(4), Self.sectors(4)])
        #expect(both.sets[1][0].exclusive == Self.sectors(4))
        let unknown = try world.account([Self.file(1, [0, 1], knownNames: 1)], levels: levels)
        #expect(unknown.sets[1][0].exclusive == .zero)
        #expect(unknown.files[0].exclusive == Self.sectors(4))
    }

    @Test func `Revisions free what only they use, of their own set`() throws {
        var world = World()
        for number in UInt64(1)...4 { world.file(number) }
        world.refer(1, to: 10, disk: 4)
        world.refer(2, to: 10, disk: 4)
        world.refer(2, to: 20, disk: 2)
        world.refer(2, to: 30, disk: 1)
        world.refer(3, to: 30, disk: 1)
        world.refer(4, to: 40, disk: 7)
        let account = try world.account(
            [
                Self.file(1, [0]), Self.file(2, [0], isRevision: true),
                Self.file(3, [1], isRevision: true), Self.file(4, [1]),
            ], levels: [[0, 1], [0, 0]])
        #expect(account.sets[0].map(\.revisions) == [Self.sectors(2), .zero])
        #expect(account.sets[1][0].revisions == Self.sectors(3))
    }

    @Test func `Parts that nobody refers to are unreachable, overlaps count once`() throws {
        var world = World()
        world.file(1)
        world.refer(1, to: 10, disk: 10, part: 0..<3)
        world.refer(1, to: 10, disk: 10, part: 2..<4)
        world.file(2)
        world.refer(2, to: 10, disk: 10, part: 8..<9)
        world.refer(2, to: 40, disk: 4, part: 0..<8, compression: .zstd, content: 32)
        let account = try world.account(
            [Self.file(1, [0]), Self.file(2, [1])], levels: [[0, 1]])
        #expect(account.sets[0][0].unreachable == Self.sectors(5))
        // Of the packed extent three quarters of what it takes.
        #expect(account.sets[0][1].unreachable == Self.sectors(5 + 3))
        #expect(account.everything.unreachable == Self.sectors(8))
        #expect(account.distinctContent == Self.sectors(5 + 8))
        #expect(account.files[0].exclusiveData == .zero)
        #expect(account.files[1].exclusiveData == Self.sectors(8))
    }

    @Test func `Each way of storage has its disk, content and data`() throws {
        var world = World()
        world.file(1)
        world.refer(1, to: 10, disk: 3)
        world.refer(1, to: 20, disk: 4, compression: .zlib, content: 32)
        world.refer(1, to: 30, disk: 5, compression: .lzo, content: 32)
        world.refer(1, to: 40, disk: 6, part: 0..<16, compression: .zstd, content: 32)
        world.refer(1, to: 50, disk: 70000, preallocated: true)
        // Begun to be written: plain, as the first that is written decides.
        world.refer(1, to: 99, disk: 8, part: 0..<4, preallocated: true)
        world.refer(1, to: 99, disk: 8, part: 4..<8)
        world.inline(1, bytes: 100)
        let table = try world.account([Self.file(1, [0])], levels: [[0]]).sets[0][0].storage
        #expect(table.plain.disk == Self.sectors(11) && table.plain.data == Self.sectors(7))
        #expect(table.zlib.disk == Self.sectors(4) && table.zlib.content == Self.sectors(32))
        #expect(table.lzo.disk == Self.sectors(5) && table.lzo.data == Self.sectors(32))
        #expect(table.zstd.content == Self.sectors(32) && table.zstd.data == Self.sectors(16))
        #expect(table.preallocated.disk == Self.sectors(70000))
        #expect(table.preallocated.data == Self.sectors(70004))
        #expect(table.inline.disk == ByteCount(UInt64(100)))
        #expect(table.inline.data == ByteCount(UInt64(200)))
    }

    @Test func `A directory's and a link's items are no file's`() throws {
        var accountant = Accountant(files: [], levels: [], sectorBytes: ByteCount(Self.sector))
        accountant.add(
            Self.inode(1),
            InodeItem(
                generation: Generation(1), sizeBytes: .kibibytes(1), links: 1, isRegularFile: false)
        )
        try accountant.add(
            Self.inode(1),
            FileExtent(
                fileOffset: .start, lengthBytes: .kibibytes(1), contentBytes: .kibibytes(1),
                compression: .none, generation: Generation(1),
                storage: .inline(storedBytes: .kibibytes(1))))
        #expect(try accountant.finish().everything == SpaceFigures())
    }

    /// Many files, sets and lists of users, with and without room in memory, against an account
    /// that is made extent by extent.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func `What is spilled and given out early adds up to the same`(seed: UInt64) throws {
        var random = Seeded(seed: seed)
        var world = World()
        let fileCount = 12
        for number in 1...UInt64(fileCount + 3) { world.file(number) }
        for extent in 0..<400 as Range<UInt64> {
            let size = UInt64.random(in: 1...64, using: &random)
            for _ in 0..<Int.random(in: 1...5, using: &random) {
                let start = UInt64.random(in: 0..<size, using: &random)
                let end = UInt64.random(in: (start + 1)...size, using: &random)
                let user = UInt64.random(in: 1...UInt64(fileCount + 3), using: &random)
                world.refer(user, to: extent * 100, disk: size, part: start..<end)
            }
        }
        let files = (0..<fileCount).map {
            Self.file(UInt64($0 + 1), [$0 / 2], isRevision: $0 % 4 == 1)
        }
        let levels = [[0, 1, 2, 3, 4, 5], [0, 0, 1, 1, -1, 2]]
        let held = try world.account(files, levels: levels)
        let spilled = try world.account(
            files, levels: levels, heldReferences: 64, spills: TestSpills())
        #expect(held.sets == spilled.sets && held.files == spilled.files)
        #expect(held.everything == spilled.everything && held.outside == spilled.outside)
        for (level, sets) in levels.enumerated() {
            for set in 0...(sets.max() ?? 0) {
                let members = Set(
                    (0..<fileCount).filter { sets[$0 / 2] == set }.map { UInt64($0 + 1) })
                let (disk, exclusive) = Self.naive(world, members)
                #expect(held.sets[level][set].disk == disk)
                #expect(held.sets[level][set].exclusive == exclusive)
            }
        }
    }

    private static func naive(
        _ world: World, _ members: Set<UInt64>
    ) -> (disk: ByteCount, exclusive: ByteCount) {
        var users: [LogicalAddress: (ByteCount, Set<UInt64>)] = [:]
        for (number, extent) in world.extents {
            guard case .regular(let reference) = extent.storage else { continue }
            users[reference.address, default: (reference.diskBytes, [])].1.insert(number)
        }
        var result = (disk: ByteCount.zero, exclusive: ByteCount.zero)
        for (size, users) in users.values where !users.isDisjoint(with: members) {
            result.disk += size
            if users.isSubset(of: members) { result.exclusive += size }
        }
        return result
    }

    @Test func `More lists of users than are held at a time lose nothing`() {
        let count = Ledger.lists + 100
        let files = (0..<300).map { Self.file(UInt64($0 + 1), [0]) }
        var ledger = Ledger(
            files: files, hasOutsideName: files.map { _ in false }, levels: [[0]])
        let extent = SealedExtent(
            kind: .plain, disk: .kibibytes(4), content: .kibibytes(4), unreachable: .zero,
            references: .kibibytes(8))
        for number in 0..<count {
            ledger.add(extent, users: [Int32(1 + number % 299), Int32(300 - number / 299 % 150)])
        }
        ledger.giveOut()
        #expect(ledger.sets[0][0].extents == count)
        #expect(ledger.sets[0][0].exclusive == .kibibytes(4 * UInt64(count)))
    }

    // MARK: Records

    @Test(arguments: [Compression.none, .zlib, .lzo, .zstd])
    func `A record of 16 bytes holds a reference at its limits`(compression: Compression) {
        let isPlain = compression == .none
        let reference = FileExtent.Reference(
            address: LogicalAddress((1 << 44 - 1) * Self.sector),
            diskBytes: Self.sectors(isPlain ? 1 << 20 - 1 : 255),
            offsetInExtent: Self.sectors(1 << 20 - 1))
        func record(length: UInt64, content: UInt64, user: Int) -> ReferenceRecord {
            let extent = FileExtent(
                fileOffset: .start, lengthBytes: Self.sectors(length),
                contentBytes: Self.sectors(content), compression: compression,
                generation: Generation(1), storage: .regular(reference))
            return ReferenceRecord(
                reference, of: extent, isPreallocated: true, user: user, sector: Self.sector)
        }
        let whole = record(length: 1 << 20 - 1, content: 4095, user: ReferenceRecord.users - 1)
        #expect(whole.sortRecord.map(ReferenceRecord.init) == whole)
        #expect(record(length: 1 << 20, content: 1, user: 0).sortRecord == nil)
        #expect(record(length: 1, content: 1, user: ReferenceRecord.users).sortRecord == nil)
        #expect((record(length: 1, content: 4096, user: 0).sortRecord == nil) == !isPlain)
    }
}

/// Numbers that are the same on every run.
private struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state &* 0x2545_f491_4f6c_dd1d
    }
}
