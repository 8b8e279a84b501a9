// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Engine
import SystemCalls
import SystemPackage
import Worker

/// Surveys and plans a made-up file system, by the worker's own parts: time and memory for all that
/// a job has in memory before it moves anything.
struct PlanScale {
    /// What the file system is like.
    enum Kind: String, CaseIterable {
        /// Images of 1 MiB extents, each shown by an image and by its revision; every fourth is a
        /// copy of an earlier one.
        case ordinary
        /// A disk that was optimized: packed extents of 128 KiB of content, each shown by an image
        /// and by its revision, every other one by a clone as well; every hundredth is a copy, made
        /// since, of an earlier one.
        case packed
        /// Extents of 64 KiB that all hold the same.
        case same
        /// One extent that is shown once for each other extent, and the others hold the same.
        case shared
        /// The same, in pieces: each reference shows one other sector, and the others hold one run
        /// of it each.
        case scattered
    }

    /// The most memory, without what is mapped from files: of those that mean ill for each million
    /// of extents, as they all get replaced, and the plan itself takes half.
    private var allowedBytes: Int {
        let millions = max((extents + 999_999) / 1_000_000, 1)
        switch kind {
        // A tebibyte packed, or sixteen of them.
        case .ordinary, .packed: return (millions > 8 ? 384 : 256) << 20
        case .same, .shared, .scattered: return millions * 512 << 20
        }
    }
    /// An image has at most so many extents.
    static let extentsPerImage = 100_000

    let kind: Kind
    let extents: Int

    static func run(_ kind: Kind, millions: Double) throws {
        try PlanScale(kind: kind, extents: Int(millions * 1e6)).run()
    }

    private func run() throws {
        let directory = SharedDescriptor(
            try Descriptor.open(FilePath("/var/tmp"), [.readOnly, .directory]))
        let start = ContinuousClock.now
        let memory = try AnonymousPeak()
        let before = memory.bytes
        let spills = try SpillPool(in: directory, count: 12)
        let survey = try Surveyor.survey(
            images, in: MadeUpCatalog(scale: self), spills: spills)
        let surveyed = (seconds: seconds(since: start), peak: memory.bytes)
        let scope = Scope(
            volumes: [
                .init(isSelected: true, isSkipped: false, packing: nil, group: 0)
            ], includesLiveOnly: false)
        var writer = FingerprintWriter(spills: spills)
        for index in try DedupePlanner.eligible(survey, scope: scope, spills: spills) {
            let number = number(of: survey.extents[Int(index)].address)
            try writer.append(
                extent: Int(index),
                closed: (0..<sectors(of: number)).map {
                    Fingerprints.closed(sum(of: number, sector: $0))
                })
        }
        let fingerprints = try writer.finish()
        let printed = (seconds: seconds(since: start), peak: memory.bytes)
        var resources = MatchResources()
        resources.spills = spills
        let plan = try DedupePlanner.plan(
            survey, fingerprints, scope: scope, sectorBytes: .kibibytes(4), resources: resources)
        let total = seconds(since: start)
        let pieces = plan.replacements.reduce(0) { $0 + $1.pieces.count }
        let content = ByteCount(fingerprints.sectorCount << 12)
        let planned = memory.bytes
        let executor = Executor(
            store: MadeUpStore(catalog: MadeUpCatalog(scale: self)), roles: NobodyRuns(),
            survey: survey, lanes: MadeUpStore.lanes)
        _ = try executor.run(plan.replacements, order: .largestSavingFirst) { _, _ in }
        print(
            """
            \(kind.rawValue): \(survey.extents.count) extents, \(survey.references.count) \
            references, \(content.rawValue >> 30) GiB of content
              survey              \(oneDecimal(surveyed.seconds)) s, peak \
            \((surveyed.peak - before) >> 20) MiB above \(before >> 20)
              fingerprints        \(oneDecimal(printed.seconds - surveyed.seconds)) s, peak \
            \(printed.peak >> 20) MiB
              plan                \(oneDecimal(total - printed.seconds)) s, peak \
            \(planned >> 20) MiB, allowed are \(allowedBytes >> 20)
              batches             \(oneDecimal(seconds(since: start) - total)) s, peak \
            \(memory.bytes >> 20) MiB
              replacements        \(plan.replacements.count), of \(pieces) pieces
            """)
        guard memory.bytes <= allowedBytes else { throw Errno.outOfRange }
    }

    // MARK: The file system

    /// Extents lie one behind the other, 1 MiB apart.
    func number(of address: LogicalAddress) -> Int { Int(address.rawValue >> 20) - 1 }

    static func address(of number: Int) -> LogicalAddress {
        LogicalAddress(UInt64(number + 1) << 20)
    }

    func sectors(of number: Int) -> Int {
        switch kind {
        case .ordinary: 256
        case .packed: 32
        case .same: 16
        case .shared: 16
        case .scattered: number == 0 ? 32_768 : 8
        }
    }

    func sum(of number: Int, sector: Int) -> UInt32 {
        switch kind {
        case .ordinary:
            let source =
                number % 4 == 3
                ? Int(SyntheticSums.mix(UInt64(number)) % UInt64(number)) / 4 * 4 : number
            return SyntheticSums.unique(source * 256 + sector)
        case .packed:
            let source =
                number % 100 == 99
                ? Int(SyntheticSums.mix(UInt64(number)) % UInt64(number)) / 100 * 100 : number
            return SyntheticSums.unique(source * 32 + sector)
        case .same, .shared:
            return SyntheticSums.unique(sector)
        case .scattered:
            let start = number == 0 ? 0 : number * 8 % 32_760
            return SyntheticSums.unique(start + sector)
        }
    }

    var images: [ImageFile] {
        let count = (extents + Self.extentsPerImage - 1) / Self.extentsPerImage
        return (0..<(count * imagesOfOne)).map {
            ImageFile(
                inode: InodeIdentifier(
                    subvolume: .topmostSubvolume, number: 257 + UInt64($0)),
                sizeBytes: ByteCount(Self.extentsPerImage << 20), owners: [0],
                isRevision: $0 % imagesOfOne == 1)
        }
    }

    /// An image, its revision, and a clone of it where there is one.
    private var imagesOfOne: Int { kind == .packed ? 3 : 2 }

    /// The items of an image, which is a revision of the one before it where its number is odd.
    func forEachItem(
        ofImage image: Int, _ body: (FileExtent) throws(BtrfsError) -> Void
    ) throws(BtrfsError) {
        let start = image / imagesOfOne * Self.extentsPerImage
        if kind == .packed {
            let isClone = image % imagesOfOne == 2
            for number in start..<min(start + Self.extentsPerImage, extents)
            where !isClone || number % 2 == 0 {
                let offset = UInt64(number - start) << 17
                try body(item(number, at: offset, from: 0, sectors: 32))
            }
            return
        }
        for number in start..<min(start + Self.extentsPerImage, extents) {
            // What lies in front is the first extent's, where it is shown whole.
            let offset = UInt64(number - start + 128) << 20
            let length = sectors(of: number)
            if kind == .ordinary || image % 2 == 0 {
                if number > 0 || kind == .ordinary || kind == .same {
                    try body(item(number, at: offset, from: 0, sectors: length))
                } else if kind == .scattered {
                    try body(item(0, at: 0, from: 0, sectors: length))
                }
            } else if kind == .shared {
                try body(item(0, at: offset, from: 0, sectors: sectors(of: 0)))
            } else if kind == .scattered {
                try body(item(0, at: offset, from: number * 8 % 32_760, sectors: 8))
            }
        }
    }

    private func item(_ number: Int, at offset: UInt64, from: Int, sectors: Int) -> FileExtent {
        let content = ByteCount(self.sectors(of: number) << 12)
        let isPacked = kind == .packed
        return FileExtent(
            fileOffset: FileOffset(offset), lengthBytes: ByteCount(sectors << 12),
            contentBytes: content, compression: isPacked ? .zstd : .none,
            generation: Generation(7),
            storage: .regular(
                FileExtent.Reference(
                    address: Self.address(of: number),
                    diskBytes: isPacked ? .kibibytes(48) : content,
                    offsetInExtent: ByteCount(from << 12))))
    }
}

struct MadeUpCatalog: ExtentCatalog {
    func generation() throws(BtrfsError) -> Generation { Generation(.max) }
    let scale: PlanScale

    var sectorBytes: ByteCount { .kibibytes(4) }

    func forEachFileExtent(
        of inode: InodeIdentifier, from start: FileOffset, through end: FileOffset,
        _ body: (FileExtent) throws(BtrfsError) -> Void
    ) throws(BtrfsError) {
        try scale.forEachItem(ofImage: Int(inode.number) - 257, body)
    }

    func uses(ofExtentAt address: LogicalAddress) throws(BtrfsError) -> ExtentUses { .all([]) }

    func inode(_ identifier: InodeIdentifier) throws(BtrfsError) -> InodeItem? {
        InodeItem(
            generation: Generation(7), sizeBytes: ByteCount(UInt64(1) << 60), links: 1)
    }
}
