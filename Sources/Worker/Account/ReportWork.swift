// SPDX-License-Identifier: GPL-2.0-or-later
internal import Btrfs
internal import Engine
internal import Protocol
internal import Qubes
internal import SystemCalls

/// Measures; changes nothing.
struct ReportWork {
    let order: WorkerOrder
    let sites: Sites
    let output: Output
    let governor: Governor

    func run() throws(BtrfsError) -> Report {
        let levels = Levels(order)
        var books: [AccountBook] = []
        var problems = sites.problems
        for site in sites.sites {
            // What is written but not yet in the trees would be missing from the figures.
            // A commit is a write: on damaged metadata figures of the last one must do.
            if MetadataGuard(site: site).remembered == nil, !site.isFrozen {
                try site.fileSystem.synchronize()
            }
            let book = try AccountBook(
                site: site, order: order, levels: levels, governor: governor)
            problems += book.problems + Report.Problem.damage(site, order, book.list)
            books.append(book)
        }
        // File systems share nothing with each other: their figures add up.
        var figures = LevelFigures(levels)
        for book in books { figures += book.sets }
        var report = Report(
            generatedAt: output.clock.epochSeconds(),
            qubes: qubes(books, figures, levels), total: Figures(figures[.total].first ?? .init()),
            fileSystems: [], problems: Array(problems.prefix(Limits.namedItems)))
        report.families = sets(levels[.families], figures[.families])
        report.groups = sets(levels[.groups], figures[.groups])
        report.pools = sets(levels[.pools], figures[.pools])
        addNewData(to: &report, books)
        if order.wholeMachine {
            for site in sites.sites { report.fileSystems.append(try FileSystemUsage(site)) }
            report.machine = machine(books)
            try addDeleted(to: &report, books)
            addHolders(to: &report, books, levels)
        }
        return report
    }

    private func sets(_ level: Levels.Level, _ figures: [SpaceFigures]) -> [QubeSet] {
        var members = [Set<String>](repeating: [], count: level.names.count)
        for (index, set) in level.set.enumerated() where set >= 0 {
            members[set].insert(order.volumes[index].qube)
        }
        return level.names.indices.map { set in
            QubeSet(
                name: level.names[set], qubes: members[set].sorted(),
                figures: Figures(figures[set]))
        }.sorted { $0.name < $1.name }
    }

    private func qubes(
        _ books: [AccountBook], _ figures: LevelFigures, _ levels: Levels
    ) -> [Report.Qube] {
        let selected = order.volumes.indices.filter { order.volumes[$0].selected }
        let byQube = Dictionary(grouping: selected) { order.volumes[$0].qube }
        return byQube.sorted { $0.key < $1.key }.map { name, indices in
            Report.Qube(
                name: name, kind: order.volumes[indices[0]].qubeKind,
                figures: Figures(figures[.qubes][levels[.qubes].set[indices[0]]]),
                volumes: indices.map { index in
                    Report.Volume(
                        name: order.volumes[index].name, pool: order.volumes[index].pool,
                        figures: Figures(figures[.volumes][levels[.volumes].set[index]]),
                        images: books.flatMap { $0.images(of: index) })
                })
        }
    }

    private func machine(_ books: [AccountBook]) -> MachineFigures {
        var everything = SpaceFigures()
        var others = SpaceFigures()
        var distinct = ByteCount.zero
        for book in books {
            everything += book.account.everything
            others += book.account.outside
            distinct += book.account.distinctContent
        }
        let packed = everything.compressedDisk
        return MachineFigures(
            everything: Figures(everything), others: Figures(others),
            savedByCompressionBytes: everything.compressedContent.rawValue
                - min(packed, everything.compressedContent).rawValue,
            savedBySharingBytes: everything.data.rawValue
                - min(distinct, everything.data).rawValue)
    }
}
