// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// What data took over time, with the jobs that changed it.
struct PageHistory {
    let points: [HistoryPoint]

    init(_ points: [HistoryPoint]) { self.points = points.sorted { $0.at < $1.at } }

    var section: [HTML] {
        guard let first = points.first, let last = points.last, last.at > first.at else {
            return [
                .element(
                    "p", ["class": "soft"],
                    "History begins with the first report: with the next one there is a curve here."
                )
            ]
        }
        let change = ByteText.change(from: first.dataUsedBytes, to: last.dataUsedBytes)
        return [
            .element(
                "p", [:],
                "Data took \(ByteText.size(first.dataUsedBytes)) on \(Moment.day(first.at)), and "
                    + "takes \(ByteText.size(last.dataUsedBytes)) now: \(change)."),
            .element(
                "figure", [:],
                [
                    chart(css: "wide", width: 1000, height: 240),
                    chart(css: "narrow", width: 380, height: 220),
                    .element(
                        "figcaption", [:],
                        "The curve is what data takes; a ring is the end of a job."),
                ]),
            table,
        ]
    }

    private func chart(css: String, width: Double, height: Double) -> HTML {
        let (left, right, top, bottom) = (64.0, 12.0, 12.0, 28.0)
        let start = points.first?.at ?? 0
        let span = Double(max((points.last?.at ?? 0) - start, 1))
        let most = Double(max(points.map(\.dataUsedBytes).max() ?? 1, 1)) * 1.08
        func x(_ at: Int64) -> Double {
            left + Double(at - start) / span * (width - left - right)
        }
        func y(_ bytes: Double) -> Double {
            height - bottom - bytes / most * (height - top - bottom)
        }
        let number = PagePicture.number
        let path = points.enumerated().map { index, point in
            (index == 0 ? "M" : "L") + number(x(point.at)) + " "
                + number(y(Double(point.dataUsedBytes)))
        }.joined()
        let base = number(height - bottom)
        var drawn: [HTML] = []
        for step in 0...3 {
            let bytes = most * Double(step) / 3.25
            drawn.append(
                .element(
                    "line",
                    [
                        "class": "grid", "x1": number(left), "x2": number(width - right),
                        "y1": number(y(bytes)), "y2": number(y(bytes)),
                    ], ""))
            drawn.append(
                .element(
                    "text",
                    [
                        "class": "axis", "x": number(left - 8), "y": number(y(bytes) + 4),
                        "text-anchor": "end",
                    ], ByteText.size(UInt64(bytes))))
        }
        let end = points.last?.at ?? start
        drawn += [
            .element(
                "path",
                [
                    "class": "area",
                    "d": "\(path)L\(number(x(end))) \(base)L\(number(left)) \(base)Z",
                ], ""),
            .element("path", ["class": "curve", "d": path], ""),
        ]
        for point in points where point.operation != nil {
            drawn.append(
                .element(
                    "circle",
                    [
                        "class": "job", "cx": number(x(point.at)),
                        "cy": number(y(Double(point.dataUsedBytes))), "r": "5",
                    ], [.element("title", [:], Self.event(point))]))
        }
        for (at, anchor) in [(start, "start"), (end, "end")] {
            drawn.append(
                .element(
                    "text",
                    [
                        "class": "axis", "x": number(x(at)), "y": number(height - 8),
                        "text-anchor": anchor,
                    ], Moment.day(at)))
        }
        return .element(
            "svg",
            [
                "class": css, "viewBox": "0 0 \(number(width)) \(number(height))", "role": "img",
                "aria-label": "What data took over time; the table below holds the figures",
            ], drawn)
    }

    private static func event(_ point: HistoryPoint) -> String {
        guard let operation = point.operation else { return "report" }
        let saved = point.savedBytes.map { ", \(ByteText.change(-$0))" } ?? ""
        return "\(operation)\(saved)"
    }

    /// The newest of them, as figures.
    private var table: HTML {
        let rows = points.suffix(60).reversed().map { point in
            HTML.element(
                "tr", [:],
                [
                    .element("td", [:], Moment.minute(point.at)),
                    .element("td", [:], Self.event(point)),
                    .element("td", [:], ByteText.size(point.dataUsedBytes)),
                    .element("td", [:], ByteText.size(point.metadataUsedBytes)),
                ])
        }
        return .element(
            "details", [:],
            [
                .element("summary", [:], "The same as a table"),
                .element(
                    "div", ["class": "scroll"],
                    [
                        .element(
                            "table", [:],
                            [
                                PageTables.head(["When", "What", "Data", "Metadata"]),
                                .element("tbody", [:], rows),
                            ])
                    ]),
            ])
    }
}
