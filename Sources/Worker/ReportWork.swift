// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import FoundationEssentials
internal import Protocol
internal import Qubes

/// Measures; changes nothing.
struct ReportWork {
    let order: WorkerOrder
    let sites: Sites
    let output: Output

    func run() throws(BtrfsError) -> Report {
        var books: [Book] = []
        var problems = sites.problems
        for site in sites.sites {
            // What is written but not yet in the trees would be missing from the figures.
            try site.fileSystem.synchronize()
            let book = try Book(site: site, order: order)
            problems += book.problems
            books.append(book)
        }
        let usage = try order.wholeMachine ? usages() : []
        let selected = order.volumes.indices.filter { order.volumes[$0].selected }
        return Report(
            generatedAt: Int64(Date().timeIntervalSince1970), qubes: qubes(books),
            total: Self.sum(books, Set(selected)), fileSystems: usage,
            problems: Array(problems.prefix(Limits.namedItems)))
    }

    private func usages() throws(BtrfsError) -> [FileSystemUsage] {
        var usages: [FileSystemUsage] = []
        for site in sites.sites { usages.append(try FileSystemUsage(site)) }
        return usages
    }

    private func qubes(_ books: [Book]) -> [Report.Qube] {
        let selected = order.volumes.indices.filter { order.volumes[$0].selected }
        let byQube = Dictionary(grouping: selected) { order.volumes[$0].qube }
        return byQube.sorted { $0.key < $1.key }.map { name, indices in
            Report.Qube(
                name: name, kind: order.volumes[indices[0]].qubeKind,
                figures: Self.sum(books, Set(indices)),
                volumes: indices.map { index in
                    Report.Volume(
                        name: order.volumes[index].name, pool: order.volumes[index].pool,
                        figures: Self.sum(books, [index]),
                        images: books.flatMap { $0.images(of: index) })
                })
        }
    }

    /// File systems share nothing with each other: their figures add up.
    private static func sum(_ books: [Book], _ volumes: Set<Int>) -> Figures {
        var sum = SpaceFigures()
        for book in books {
            let figures = book.accountant.figures(ofVolumes: volumes)
            sum.size += figures.size
            sum.data += figures.data
            sum.disk += figures.disk
            sum.exclusive += figures.exclusive
            sum.revisions += figures.revisions
            sum.compressedDisk += figures.compressedDisk
            sum.compressedContent += figures.compressedContent
            sum.extents += figures.extents
        }
        return Figures(
            sizeBytes: sum.size.rawValue, dataBytes: sum.data.rawValue,
            diskBytes: sum.disk.rawValue, exclusiveBytes: sum.exclusive.rawValue,
            revisionsBytes: sum.revisions.rawValue,
            compressedDiskBytes: sum.compressedDisk.rawValue,
            compressedDataBytes: sum.compressedContent.rawValue, extents: UInt64(sum.extents))
    }
}

/// The account of one file system.
private struct Book {
    let list: ImageList
    let accountant: Accountant
    let problems: [Report.Problem]

    init(site: Site, order: WorkerOrder) throws(BtrfsError) {
        list = ImageList(site: site, order: order)
        let store = BtrfsStore(fileSystem: site.fileSystem)
        let survey = Surveyor.survey(list.imageFiles(), in: store)
        let names = list.knownNames()
        accountant = Accountant(
            survey: survey, hasOutsideUse: try OutsideUses.find(survey, in: store),
            knownNames: survey.files.map { names[$0.image.inode] ?? 0 })
        problems = list.problems + SurveyProblems.unreadable(survey, list, order)
    }

    func images(of volume: Int) -> [Report.Image] {
        list.images.filter { $0.volume == volume }.map {
            Report.Image(
                path: $0.path, role: $0.role.name, sizeBytes: $0.sizeBytes,
                nocow: $0.hasNoChecksums)
        }
    }
}
