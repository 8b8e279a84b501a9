// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// The tables of the page: a bar for each qube, and the parts of each.
enum PageTables {
    static func head(_ titles: [String], optional: Set<String> = []) -> HTML {
        .element(
            "thead", [:],
            [
                .element(
                    "tr", [:],
                    titles.map { title in
                        .element(
                            "th",
                            [
                                "scope": "col",
                                "class": optional.contains(title) ? "optional" : nil,
                            ], title)
                    })
            ])
    }

    /// Every qube, the largest first.
    static func qubes(_ report: Report, colours: [String: String]) -> HTML {
        let qubes = ReportSort.disk.sorted(report.qubes)
        let most = max(qubes.first?.figures.diskBytes ?? 1, 1)
        let rows = qubes.map { qube in
            HTML.element(
                "tr", [:],
                [
                    .element(
                        "th", ["scope": "row"],
                        [
                            .element("a", ["href": "#qube-\(qube.name)"], qube.name),
                            qube.isRunning == true
                                ? .element("span", ["class": "run"], "running") : .nothing,
                        ]),
                    bar(qube.figures, of: most, colour: colours[qube.name] ?? "fx"),
                ] + cells(qube.figures))
        }
        return .element(
            "div", ["class": "scroll"],
            [
                .element(
                    "table", [:],
                    [
                        .element(
                            "caption", [:],
                            "The largest first. What two qubes share counts in both rows, and once "
                                + "in the total."),
                        head(
                            ["Qube", "", "On disk", "If deleted", "Revisions", "Data", "Ratio"],
                            optional: ["Data", "Ratio"]),
                        .element("tbody", [:], rows),
                        .element(
                            "tfoot", [:],
                            [
                                .element(
                                    "tr", [:],
                                    [
                                        .element("th", ["scope": "row"], "Together"),
                                        .element("td", ["class": "bar"], ""),
                                    ] + cells(report.total))
                            ]),
                    ])
            ])
    }

    private static func cells(_ figures: Figures) -> [HTML] {
        [
            .element("td", [:], ByteText.size(figures.diskBytes)),
            .element("td", [:], ByteText.size(figures.exclusiveBytes)),
            .element("td", [:], ByteText.size(figures.revisionsBytes)),
            .element("td", ["class": "optional"], ByteText.size(figures.dataBytes)),
            .element("td", ["class": "optional"], ByteText.ratio(figures.ratio)),
        ]
    }

    /// What is its own, what its revisions hold, and what it shares.
    private static func bar(_ figures: Figures, of most: UInt64, colour: String) -> HTML {
        let revisions = min(figures.revisionsBytes, figures.exclusiveBytes)
        let parts: [(String, UInt64)] = [
            ("own", figures.exclusiveBytes - revisions), ("revisions", revisions),
            ("shared", figures.sharedBytes),
        ]
        return .element(
            "td", ["class": "bar"],
            [
                .element(
                    "span", ["aria-hidden": "true"],
                    parts.filter { $0.1 > 0 }.map { css, bytes in
                        .element(
                            "i",
                            [
                                "class": "\(css) \(colour)",
                                "style": "width:\(percent(bytes, of: most))%",
                            ], "")
                    })
            ])
    }

    /// Two decimals are less than a pixel.
    static func percent(_ part: UInt64, of whole: UInt64) -> String {
        guard whole > 0 else { return "0" }
        let hundredths = Int((min(Double(part) / Double(whole), 1) * 10_000).rounded())
        return "\(Double(hundredths) / 100)"
    }

    /// One qube, to be opened: its volumes, its images, how they are stored.
    static func details(_ qube: Report.Qube) -> HTML {
        var about = [qube.kind]
        if let template = qube.template { about.append("from \(template)") }
        return .element(
            "details", ["id": "qube-\(qube.name)"],
            [
                .element(
                    "summary", [:],
                    [
                        .element("b", [:], qube.name),
                        .element(
                            "span", ["class": "soft"],
                            "\(about.joined(separator: ", ")) · "
                                + "\(ByteText.size(qube.figures.diskBytes)) on disk"),
                    ]),
                .element("p", ["class": "soft"], storage(qube.figures)),
                .element("div", ["class": "scroll"], [images(qube)]),
            ])
    }

    /// How it is stored, in a sentence.
    static func storage(_ figures: Figures) -> String {
        let parts = figures.storage.filter { $0.diskBytes > 0 }.map { stored in
            let size = ByteText.size(stored.diskBytes)
            return switch stored.kind {
            case "none": "\(size) plain"
            case "preallocated": "\(size) preallocated"
            case "inline": "\(size) inline"
            default: "\(size) \(stored.kind) (\(ByteText.size(stored.contentBytes)) unpacked)"
            }
        }
        var text = parts.isEmpty ? "Nothing on disk" : "Stored: " + parts.joined(separator: ", ")
        text += "; \(ByteText.count(figures.extents)) extent\(figures.extents == 1 ? "" : "s")"
        if let rate = figures.extentsPerGibibyte {
            text += ", \(ByteText.count(UInt64(max(rate, 0)))) for each GiB"
        }
        if figures.unreachableBytes > 0 {
            text +=
                "; \(ByteText.size(figures.unreachableBytes)) in parts of extents that no file"
                + " shows"
        }
        return text + "."
    }

    private static func images(_ qube: Report.Qube) -> HTML {
        let rows = qube.volumes.flatMap { volume in
            [row(volume.name, volume.figures, isStrong: true)]
                + volume.images.map { image in
                    row(
                        name(image), image.figures ?? Figures(sizeBytes: image.sizeBytes),
                        isStrong: false)
                }
        }
        return .element(
            "table", [:],
            [
                head(
                    ["Volume and images", "Size", "Data", "On disk", "Only there"],
                    optional: ["Size", "Data"]),
                .element("tbody", [:], rows),
            ])
    }

    private static func row(_ name: String, _ figures: Figures, isStrong: Bool) -> HTML {
        .element(
            "tr", [:],
            [
                isStrong
                    ? .element("th", ["scope": "row"], name)
                    : .element("td", ["style": "padding-left:1.25rem"], name),
                .element("td", ["class": "optional"], ByteText.size(figures.sizeBytes)),
                .element("td", ["class": "optional"], ByteText.size(figures.dataBytes)),
                .element("td", [:], ByteText.size(figures.diskBytes)),
                .element("td", [:], ByteText.size(figures.exclusiveBytes)),
            ])
    }

    /// What an image is to its volume.
    static func name(_ image: Report.Image) -> String {
        var name = image.role
        if let createdAt = image.createdAt { name += " of \(Moment.minute(createdAt))" }
        if image.nocow { name += ", NOCOW" }
        if let flags = image.flags { name += ", flags \(flags)" }
        return name
    }
}
