// SPDX-License-Identifier: GPL-2.0-or-later
import Btrfs
import Engine
import SystemCalls
import SystemPackage
import Worker

/// Accounts for a made-up file system of so many million extents: time for each, and memory.
///
/// 400 images of 100 qubes, each with a clone, a revision and a precache; every other extent is
/// shared by two to four of them, in parts; a fifth of all belongs to no qube.
enum ReportScale {
    static let qubes = 100
    static let imagesPerQube = 4
    static let leastRate = 512 << 20

    static func run(millions: Int) throws {
        let directory = SharedDescriptor(
            try Descriptor.open(FilePath("/var/tmp"), [.readOnly, .directory]))
        let imageCount = qubes * imagesPerQube
        let files = (0..<imageCount).map { image in
            AccountFile(
                inode: inode(image), owners: [image / imagesPerQube],
                isRevision: image % imagesPerQube == 2, knownNames: 1)
        }
        let volumes = Array(0..<qubes)
        let levels = [
            volumes, volumes, volumes.map { $0 / 10 }, volumes.map { $0 % 3 - 1 },
            volumes.map { _ in 0 }, volumes.map { _ in 0 },
        ]
        let start = ContinuousClock.now
        var accountant = Accountant(
            files: files, levels: levels, sectorBytes: .kibibytes(4),
            spills: try SpillPool(in: directory, count: 1))
        let extents = millions * 1_000_000
        var references = 0
        // As trees are read: file after file, and in each file extents from all over the device.
        for image in 0...imageCount {
            for extent in stride(from: first(image), to: extents, by: imageCount + 100) {
                references += try add(extent, of: image, to: &accountant, extents: extents)
            }
        }
        let read = seconds(since: start)
        let account = try accountant.finish()
        let total = seconds(since: start)
        let nanoseconds = Int(total * 1e9 / Double(extents))
        print(
            """
            \(millions) million extents and \(references) references to them
              time                \(oneDecimal(total)) s (taking them in \(oneDecimal(read)) s)
              for each extent     \(nanoseconds) ns
              peak memory         \(peakMemoryBytes() >> 20) MiB, allowed are 512
              extents counted     \(account.everything.extents)
            """)
        guard account.everything.extents == extents, peakMemoryBytes() <= leastRate else {
            throw Errno.outOfRange
        }
    }

    private static func inode(_ image: Int) -> InodeIdentifier {
        InodeIdentifier(subvolume: TreeIdentifier(5), number: UInt64(image) + 257)
    }

    /// The images take turns; what is beyond them is nobody's.
    private static func first(_ image: Int) -> Int { image }

    private static func add(
        _ extent: Int, of image: Int, to accountant: inout Accountant, extents: Int
    ) throws -> Int {
        let imageCount = qubes * imagesPerQube
        // The last is nobody's file, and has its own turn and those of a hundred more.
        let turns = image == imageCount ? 100 : 1
        var references = 0
        for turn in 0..<turns where extent + turn < extents {
            let place = extent + turn
            // Spread over the device, each address once.
            let slot = UInt64(place) &* 2_654_435_761 % (1 << 32)
            let users = place % 2 == 0 || image == imageCount ? 1 : 2 + place % 3
            for user in 0..<users {
                let owner = image == imageCount ? 1_000_000 : (image + user * 7) % imageCount
                let part = UInt64(user) * 2
                try accountant.add(
                    inode(owner),
                    FileExtent(
                        fileOffset: FileOffset(UInt64(place) << 15), lengthBytes: .kibibytes(16),
                        contentBytes: .kibibytes(64), compression: .none,
                        generation: Generation(1),
                        storage: .regular(
                            FileExtent.Reference(
                                address: LogicalAddress(slot << 17), diskBytes: .kibibytes(64),
                                offsetInExtent: ByteCount(part << 12)))))
                references += 1
            }
        }
        return references
    }
}
