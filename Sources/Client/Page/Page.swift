// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// A report as one page that holds all it needs: no script, nothing from anywhere else.
enum Page {
    /// The page's text.
    static func text(_ report: Report) -> String {
        let picture = PagePicture(report)
        return HTML.page([
            head(report),
            .element(
                "body", [:],
                [
                    .element("a", ["class": "skip", "href": "#qubes"], "To the table of qubes"),
                    .element(
                        "header", [:],
                        [
                            .element("h1", [:], "What your qubes take on disk"),
                            .element(
                                "p", ["class": "when"],
                                "As of \(Moment.minute(report.generatedAt)) "
                                    + "\(Moment.zone(report.generatedAt)), "
                                    + "\(report.qubes.count) "
                                    + (report.qubes.count == 1 ? "qube." : "qubes.")),
                        ]),
                    .element(
                        "main", [:],
                        warnings(report) + [facts(report)] + todo(report)
                            + section("The disk as a picture", [picture.figure])
                            + section(
                                "Qubes", identifier: "qubes",
                                [PageTables.qubes(report, colours: colours(picture))])
                            + section(
                                "Each qube",
                                ReportSort.disk.sorted(report.qubes).map(PageTables.details))
                            + history(report) + fileSystems(report) + problems(report) + words),
                    .element(
                        "footer", [:],
                        [
                            .text(
                                "Made by qvm-btrfs \(Release.version). All figures are counted, "
                                    + "to the byte, except where it says 'about'.")
                        ]),
                ]),
        ])
    }

    private static func head(_ report: Report) -> HTML {
        .element(
            "head", [:],
            [
                .element("meta", ["charset": "utf-8"]),
                .element(
                    "meta",
                    ["name": "viewport", "content": "width=device-width, initial-scale=1"]),
                // Even if something got in, a browser would neither run nor fetch it.
                .element(
                    "meta",
                    [
                        "http-equiv": "Content-Security-Policy",
                        "content": "default-src 'none'; style-src 'unsafe-inline'",
                    ]),
                .element("meta", ["name": "referrer", "content": "no-referrer"]),
                .element(
                    "title", [:], "qvm-btrfs: disk use of \(Moment.day(report.generatedAt))"),
                .style(PageStyle.sheet),
            ])
    }

    private static func section(
        _ title: String, identifier: String? = nil, _ content: [HTML]
    ) -> [HTML] {
        [
            .element(
                "section", ["id": identifier], [.element("h2", [:], title)] + content)
        ]
    }

    /// The colour of each qube: that of its family in the picture.
    private static func colours(_ picture: PagePicture) -> [String: String] {
        var colours: [String: String] = [:]
        for part in picture.parts {
            guard case .family(let number) = part.kind else { continue }
            for qube in part.parts where qube.kind == .qube {
                colours[qube.name] = "f\(number % PageStyle.familyColours)"
            }
        }
        return colours
    }

    private static func facts(_ report: Report) -> HTML {
        var facts: [(String, String, String)] = []
        for usage in report.fileSystems {
            let name = report.fileSystems.count > 1 ? usage.pools.joined(separator: ", ") : ""
            facts.append(
                (
                    name.isEmpty ? "Data on disk" : "Data of \(name)",
                    ByteText.size(usage.dataUsedBytes), "of \(ByteText.size(usage.deviceBytes))"
                ))
            facts.append(
                (
                    "Room for more", ByteText.size(usage.dataRoomBytes),
                    "\(ByteText.size(usage.unallocatedBytes)) of it unallocated"
                ))
        }
        if report.fileSystems.isEmpty {
            facts.append(
                (
                    "On disk", ByteText.size(report.total.diskBytes),
                    "for \(ByteText.size(report.total.dataBytes)) of data"
                ))
        }
        if let machine = report.machine {
            facts.append(
                (
                    "Saved by sharing", ByteText.size(machine.savedBySharingBytes),
                    "clones and duplicates"
                ))
            facts.append(
                (
                    "Saved by compression", ByteText.size(machine.savedByCompressionBytes),
                    report.compressionRatio.map { "shrunk \(ByteText.ratio($0)) : 1" }
                        ?? "hardly anything is compressed"
                ))
        }
        facts.append(
            (
                "Held by revisions", ByteText.size(report.total.revisionsBytes),
                "comes back if they go"
            ))
        for gain in report.machine?.gains ?? [] {
            facts.append(
                (
                    "Still to be gained", "about \(ByteText.size(gain.bytes))",
                    "by \(gain.operation), as of \(Moment.day(gain.measuredAt))"
                ))
        }
        return .element(
            "dl", ["class": "facts"],
            facts.map { term, value, note in
                .element(
                    "div", [:],
                    [
                        .element("dt", [:], term),
                        .element(
                            "dd", [:], [.text(value), .element("small", [:], note)]),
                    ])
            })
    }

    private static func warnings(_ report: Report) -> [HTML] {
        report.fileSystems.compactMap(ReportLines.metadataWarning).map {
            .element("p", ["class": "warning", "role": "alert"], $0)
        }
    }

    private static func todo(_ report: Report) -> [HTML] {
        let advice = Advice.best(of: report)
        let hint = ReportLines.adviceHint(report).map { HTML.element("p", [:], $0) }
        if advice.isEmpty && hint == nil { return [] }
        let cards = advice.map { advice in
            HTML.element(
                "li", [:],
                [
                    .element(
                        "h3", [:],
                        [.element("a", ["href": "#qube-\(advice.qube)"], advice.qube)]),
                    .element(
                        "div", ["class": "gain"],
                        (advice.steps.contains(where: \.isEstimate) ? "about " : "")
                            + ByteText.size(advice.bytes)),
                    .element(
                        "ul", [:],
                        advice.steps.map { step in
                            .element(
                                "li", [:],
                                [
                                    .text(
                                        (step.isEstimate ? "about " : "")
                                            + "\(ByteText.size(step.bytes)): \(step.reason)"),
                                    .element("br"), .element("code", [:], step.command),
                                ])
                        }),
                ])
        }
        return section(
            "What would bring most",
            (cards.isEmpty ? [] : [.element("ol", ["class": "todo"], cards)])
                + (Advice.overlap(advice).map { [.element("p", ["class": "soft"], $0)] } ?? [])
                + (hint.map { [$0] } ?? []))
    }

    private static func history(_ report: Report) -> [HTML] {
        guard let points = report.history else { return [] }
        return section("How it went", PageHistory(points).section)
    }

    private static func fileSystems(_ report: Report) -> [HTML] {
        if report.fileSystems.isEmpty { return [] }
        return section(
            report.fileSystems.count == 1 ? "The file system" : "The file systems",
            report.fileSystems.map(fileSystem))
    }

    private static func fileSystem(_ usage: FileSystemUsage) -> HTML {
        func row(_ name: String, _ used: UInt64, _ total: UInt64) -> HTML {
            let isFull = total > 0 && Double(used) / Double(total) > 0.9
            return .element(
                "tr", [:],
                [
                    .element("th", ["scope": "row"], name),
                    .element("td", [:], ByteText.size(used)),
                    .element("td", [:], ByteText.size(total)),
                    .element(
                        "td", ["class": "bar"],
                        [
                            .element(
                                "div",
                                [
                                    "class": isFull ? "meter full" : "meter",
                                    "aria-hidden": "true",
                                ],
                                [
                                    .element(
                                        "i",
                                        ["style": "width:\(PageTables.percent(used, of: total))%"],
                                        "")
                                ])
                        ]),
                ])
        }
        var rows = [
            row("Data", usage.dataUsedBytes, usage.dataTotalBytes),
            row("Metadata", usage.metadataUsedBytes, usage.metadataTotalBytes),
        ]
        if let used = usage.systemUsedBytes, let total = usage.systemTotalBytes {
            rows.append(row("System", used, total))
        }
        rows.append(
            row(
                "Allocated", usage.deviceBytes.minus(usage.unallocatedBytes), usage.deviceBytes))
        let options = usage.mountOptions ?? []
        return .all([
            .element(
                "p", ["class": "soft"],
                "Pools: \(usage.pools.joined(separator: ", ")). Mount options that matter here: "
                    + (options.isEmpty ? "none" : options.joined(separator: ", ")) + "."),
            .element(
                "div", ["class": "scroll"],
                [
                    .element(
                        "table", [:],
                        [
                            head(["Kind", "Used", "Of", ""]), .element("tbody", [:], rows),
                        ])
                ]),
        ])
    }

    private static func head(_ titles: [String]) -> HTML { PageTables.head(titles) }

    private static func problems(_ report: Report) -> [HTML] {
        if report.problems.isEmpty { return [] }
        return section(
            "Problems",
            [
                .element(
                    "ul", [:],
                    report.problems.map { .element("li", [:], "\($0.subject): \($0.message)") })
            ])
    }

    private static var words: [HTML] {
        let list: [(String, String)] = [
            (
                "On disk",
                "What the images take on the device: each extent once, in its compressed size."
            ),
            ("If deleted", "What comes back if the qube goes, with its revisions."),
            (
                "Revisions",
                "What comes back if the revisions go. They are what qvm-volume revert goes back to."
            ),
            ("Data", "What the images hold, holes left out, counted for each file."),
            ("Ratio", "Data over disk: how many bytes of data lie on one byte of disk."),
            (
                "Shared",
                "On disk, and used by something else as well: a template and its qubes, a clone, a "
                    + "revision, a snapshot. It stays until the last of them goes."
            ),
        ]
        return section(
            "The words",
            [
                .element(
                    "dl", ["class": "words"],
                    list.flatMap { [.element("dt", [:], $0), .element("dd", [:], $1)] })
            ])
    }
}
