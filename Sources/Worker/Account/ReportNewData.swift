// SPDX-License-Identifier: GPL-2.0-or-later
internal import Protocol

extension ReportWork {
    /// Says of each volume what becomes of what is written to it from now on.
    func addNewData(to report: inout Report, _ books: [AccountBook]) {
        let facts = NewDataFacts()
        let places = Dictionary(
            report.qubes.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first }
        )
        for (site, book) in zip(sites.sites, books) {
            for (index, volume) in order.volumes.enumerated() where volume.selected {
                guard let newData = facts.newData(ofVolume: index, book.list, site, order),
                    let qube = places[volume.qube],
                    let place = report.qubes[qube].volumes.firstIndex(where: {
                        $0.name == volume.name
                    })
                else { continue }
                report.qubes[qube].volumes[place].newData = newData
            }
        }
    }
}
