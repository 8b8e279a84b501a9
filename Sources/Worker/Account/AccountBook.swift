// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol
internal import Qubes

/// The account of one file system.
struct AccountBook {
    let list: ImageList
    let account: Account
    /// What the sets of every level take on it.
    let sets: LevelFigures
    let problems: [Report.Problem]
    /// The subvolumes that the account has each for itself, as `account.held` counts them.
    let holders: [Subvolume]
    /// Every subvolume was read to its end.
    let isWhole: Bool
    /// The place of each inode in the account.
    private let placeOf: [InodeIdentifier: Int]

    /// - Parameter governor: holds the walk while others need the disk.
    init(
        site: Site, order: WorkerOrder, levels: Levels, governor: Governor
    ) throws(BtrfsError) {
        let list = ImageList(site: site, order: order)
        let names = list.knownNames()
        let files = list.imageFiles().map {
            AccountFile(
                inode: $0.inode, owners: $0.owners, isRevision: $0.isRevision,
                knownNames: names[$0.inode] ?? 0)
        }
        // Whose they are and what they are called is dom0's to know, and nobody else's.
        let holders =
            order.work == .report && order.wholeMachine
            ? try HolderList.holders(on: site, besides: list) : []
        var accountant = Accountant(
            files: files, holders: Holders(holders.map(\.tree)), levels: levels.all.map(\.set),
            sectorBytes: site.fileSystem.sectorBytes, spills: site.spills)
        var problems = list.problems
        var isWhole = true
        try site.fileSystem.forEachFileOfAllTrees { (inode, item) throws(BtrfsError) in
            try governor.checkpoint()
            accountant.add(inode, item)
        } extent: { (inode, extent) throws(BtrfsError) in
            try governor.checkpoint()
            try accountant.add(inode, extent)
        } unreadable: { tree, error in
            problems.append(Self.problem(tree, error, site))
            isWhole = false
        }
        account = try accountant.finish()
        sets = LevelFigures(account)
        self.list = list
        self.holders = holders
        self.problems = problems
        self.isWhole = isWhole
        placeOf = Dictionary(
            files.enumerated().map { ($1.inode, $0) }, uniquingKeysWith: { first, _ in first })
    }

    private static func problem(
        _ tree: TreeIdentifier, _ error: BtrfsError, _ site: Site
    ) -> Report.Problem {
        Report.Problem(
            .pools(site.pools.map(\.pool.name)),
            "subvolume \(tree.rawValue) of its file system cannot be read to its end"
                + " (\(error.reason)), so that figures lack what it holds; see dmesg")
    }

    /// What an inode takes; nil for one that is none of the images.
    func figures(of inode: InodeIdentifier) -> SpaceFigures? {
        placeOf[inode].map { account.files[$0] }
    }

    /// The images of a volume, each with what it takes.
    func images(of volume: Int) -> [Report.Image] {
        list.images.filter { $0.volume == volume }.map { image in
            let place = placeOf[image.inode]
            var createdAt: Int64?
            if case .revision(_, let moment) = image.role { createdAt = moment }
            return Report.Image(
                path: image.path, role: image.role.name, sizeBytes: image.sizeBytes,
                nocow: image.hasNoChecksums,
                flags: place.flatMap { account.inodes[$0] }.flatMap(Self.flags),
                createdAt: createdAt, figures: place.map { Figures(account.files[$0]) })
        }
    }

    private static func flags(_ item: InodeItem) -> String? {
        let flags =
            (item.isImmutable ? "i" : "") + (item.isCompress ? "c" : "")
            + (item.isNoCompress ? "m" : "")
        return flags.isEmpty ? nil : flags
    }
}

extension Figures {
    /// As a report has them.
    init(_ space: SpaceFigures) {
        self.init(
            sizeBytes: space.size.rawValue, dataBytes: space.data.rawValue,
            diskBytes: space.disk.rawValue, exclusiveBytes: space.exclusive.rawValue,
            revisionsBytes: space.revisions.rawValue,
            compressedDiskBytes: space.compressedDisk.rawValue,
            compressedDataBytes: space.compressedContent.rawValue,
            extents: UInt64(space.extents), exclusiveDataBytes: space.exclusiveData.rawValue,
            unreachableBytes: space.unreachable.rawValue,
            storage: StorageKind.allCases.compactMap { kind in
                let stored = space.storage[kind]
                guard stored != StorageFigures() else { return nil }
                return Storage(
                    kind: kind.name, diskBytes: stored.disk.rawValue,
                    contentBytes: stored.content.rawValue, dataBytes: stored.data.rawValue)
            })
    }
}

extension StorageKind {
    /// The name in reports.
    fileprivate var name: String {
        switch self {
        case .plain: "none"
        case .zlib: "zlib"
        case .lzo: "lzo"
        case .zstd: "zstd"
        case .preallocated: "preallocated"
        case .inline: "inline"
        }
    }
}
