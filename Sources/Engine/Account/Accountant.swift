// SPDX-License-Identifier: GPL-2.0-or-later
public import Btrfs
internal import SystemPackage

/// A file that is accounted for by itself.
public struct AccountFile: Equatable, Sendable {
    /// Which file, whatever its names.
    public let inode: InodeIdentifier
    /// The volumes it belongs to, by their index. The running image of an app qube's root is a
    /// second name of its template's.
    public let owners: [Int]
    /// It is a revision.
    public let isRevision: Bool
    /// How many of its names are known. One with others cannot be freed by any set of volumes.
    public let knownNames: Int

    /// Makes one.
    public init(inode: InodeIdentifier, owners: [Int], isRevision: Bool, knownNames: Int) {
        self.inode = inode
        self.owners = owners
        self.isRevision = isRevision
        self.knownNames = knownNames
    }
}

/// What every set takes.
public struct Account: Sendable {
    /// By level and set.
    public let sets: [[SpaceFigures]]
    /// By file: `exclusive` is what no other inode uses, whatever the file's names.
    public let files: [SpaceFigures]
    /// By file: its inode; nil when it is gone.
    public let inodes: [InodeItem?]
    /// All that is none of the files.
    public let outside: SpaceFigures
    /// What the holders have.
    public let held: HeldSpace
    /// The whole file system, each extent once.
    public let everything: SpaceFigures
    /// What all files refer to, with each byte of content counted once. `everything.data` above it
    /// is what sharing saves.
    public let distinctContent: ByteCount
}

/// Accounts for a whole file system in one pass, for any number of sets of files at once.
///
/// It takes every file extent of the file system as it comes, keeps 16 bytes of each, in a file
/// where they are many, and goes through them by extent at the end. Memory therefore does not
/// depend on the number of extents.
public struct Accountant {
    /// The references that are held in memory at a time, 16 bytes each.
    public static let heldReferences = 1 << 21

    private let files: [AccountFile]
    private let levels: [[Int]]
    private let sector: UInt64
    private let userOf: [InodeIdentifier: Int]
    private let holders: Holders
    private var inodes: [InodeItem?]
    /// What the files themselves hold; the first is for all others together.
    private var own: [SpaceFigures]
    private var sorter: ExternalSorter<SortRecord>
    /// The inode that was seen last: its extents come one after the other.
    private var current: (inode: InodeIdentifier, user: Int, isRegular: Bool)?
    private var distinctContent = ByteCount.zero

    /// - Parameters:
    ///   - files: the files with volumes; all others count together.
    ///   - holders: subvolumes that are looked at each for itself.
    ///   - levels: ways to put volumes into sets: for each level and volume the set's number, or a
    ///     negative one for a volume that is in none.
    ///   - spills: where references go that do not fit into memory; without it all are held.
    public init(
        files: [AccountFile], holders: Holders = Holders([]), levels: [[Int]],
        sectorBytes: ByteCount, spills: (any SpillSource)? = nil,
        heldReferences: Int = Accountant.heldReferences
    ) {
        self.files = files
        self.holders = holders
        self.levels = levels
        sector = sectorBytes.rawValue
        userOf = Dictionary(
            files.enumerated().map { ($1.inode, $0 + 1) }, uniquingKeysWith: { first, _ in first })
        inodes = [InodeItem?](repeating: nil, count: files.count)
        own = [SpaceFigures](
            repeating: SpaceFigures(), count: files.count + 1 + holders.count)
        sorter = ExternalSorter(capacity: heldReferences, spills: spills)
    }

    /// Files come first, then holders; whoever is neither is 0.
    private func user(of inode: InodeIdentifier) -> Int {
        if let user = userOf[inode] { return user }
        return holders.place(of: inode.subvolume).map { files.count + 1 + $0 } ?? 0
    }

    /// Takes an inode, before its extents.
    public mutating func add(_ inode: InodeIdentifier, _ item: InodeItem) {
        let user = user(of: inode)
        current = (inode, user, item.isRegularFile)
        if user > 0, user <= files.count { inodes[user - 1] = item }
        if item.isRegularFile {
            own[user].size = own[user].size.saturatingSum(item.sizeBytes)
        }
    }

    /// Takes a file extent.
    public mutating func add(
        _ inode: InodeIdentifier, _ extent: FileExtent
    ) throws(BtrfsError) {
        if current?.inode != inode { current = (inode, user(of: inode), true) }
        guard let current, current.isRegular else { return }
        switch extent.storage {
        case .hole:
            break
        case .inline(let stored):
            own[current.user].storage.inline.disk += stored
            own[current.user].storage.inline.content += extent.lengthBytes
            own[current.user].storage.inline.data += extent.lengthBytes
            own[current.user].extents += 1
            distinctContent += extent.lengthBytes
        case .regular(let reference):
            own[current.user].storage[StorageKind(extent.compression)].data += extent.lengthBytes
            try append(reference, extent, user: current.user, isPreallocated: false)
        case .preallocated(let reference):
            own[current.user].storage.preallocated.data += extent.lengthBytes
            try append(reference, extent, user: current.user, isPreallocated: true)
        }
    }

    private mutating func append(
        _ reference: FileExtent.Reference, _ extent: FileExtent, user: Int, isPreallocated: Bool
    ) throws(BtrfsError) {
        let record = ReferenceRecord(
            reference, of: extent, isPreallocated: isPreallocated, user: user, sector: sector
        ).sortRecord
        guard let record else {
            throw BtrfsError("account", "extent at \(reference.address.rawValue)", .notSupported)
        }
        try sorter.append(record)
    }

    /// Adds it all up. The accountant is empty afterwards.
    public mutating func finish() throws(BtrfsError) -> Account {
        let hasOutsideName = zip(files, inodes).map { file, inode in
            Int(inode?.links ?? 0) > file.knownNames
        }
        var ledger = Ledger(
            files: files, holders: holders.count, hasOutsideName: hasOutsideName, levels: levels)
        for user in own.indices { ledger.add(own[user], of: user) }
        var records = try sorter.finish()
        var open = OpenExtent(users: own.count)
        while let record = try records.next() {
            let reference = ReferenceRecord(record)
            if !open.takes(reference) {
                seal(&open, &ledger)
                open.start(reference)
            }
            open.add(reference)
        }
        seal(&open, &ledger)
        ledger.giveOut()
        return Account(
            sets: ledger.sets, files: ledger.ofFiles, inodes: inodes, outside: ledger.outside,
            held: ledger.held, everything: ledger.everything, distinctContent: distinctContent)
    }

    private mutating func seal(_ open: inout OpenExtent, _ ledger: inout Ledger) {
        guard open.hasReferences else { return }
        let used = open.usedSectors * sector
        distinctContent += ByteCount(used)
        ledger.add(open.sealed(sector: sector), users: open.users())
    }
}

/// An extent while its references are gone through.
private struct OpenExtent {
    private var address: UInt64 = 0
    private var disk: UInt64 = 0
    private var content: UInt64 = 0
    private var compression = Compression.none
    private var allPreallocated = true
    private var references: UInt64 = 0
    /// How far its content is referred to, and how much of that.
    private var usedEnd: UInt64 = 0
    private(set) var usedSectors: UInt64 = 0
    private(set) var hasReferences = false
    private var list: [Int32] = []
    /// By user: the extent at which it was seen last.
    private var seenAt: [UInt32]
    private var number: UInt32 = 0

    init(users: Int) { seenAt = [UInt32](repeating: 0, count: users) }

    func takes(_ reference: ReferenceRecord) -> Bool {
        hasReferences && reference.address == address
    }

    mutating func start(_ reference: ReferenceRecord) {
        address = reference.address
        disk = 0
        content = 0
        compression = reference.compression
        allPreallocated = true
        references = 0
        usedEnd = 0
        usedSectors = 0
        hasReferences = true
        list.removeAll(keepingCapacity: true)
        if number == .max {
            for index in seenAt.indices { seenAt[index] = 0 }
            number = 0
        }
        number += 1
    }

    /// References come in the order of their offsets.
    mutating func add(_ reference: ReferenceRecord) {
        // What was freed and used anew while the trees were read may say two things.
        disk = max(disk, reference.disk)
        content = max(content, reference.content)
        if reference.compression != .none { compression = reference.compression }
        allPreallocated = allPreallocated && reference.isPreallocated
        references += reference.length
        let end = reference.offset + reference.length
        if end > usedEnd {
            usedSectors += end - max(usedEnd, reference.offset)
            usedEnd = end
        }
        if seenAt[reference.user] != number {
            seenAt[reference.user] = number
            list.append(Int32(reference.user))
        }
    }

    mutating func users() -> [Int32] {
        if list.count > 1 { list.sort() }
        return list
    }

    func sealed(sector: UInt64) -> SealedExtent {
        let unused = content - min(usedSectors, content)
        let unreachable =
            compression == .none || content == 0
            ? unused * sector : unused * disk * sector / content
        return SealedExtent(
            kind: allPreallocated ? .preallocated : StorageKind(compression),
            disk: ByteCount(disk * sector), content: ByteCount(content * sector),
            unreachable: ByteCount(unreachable), references: ByteCount(references * sector))
    }
}
