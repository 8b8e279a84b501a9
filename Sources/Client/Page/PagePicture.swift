// SPDX-License-Identifier: GPL-2.0-or-later
import Protocol

/// The disk as a picture: families, in them qubes, in them volumes; areas in proportion to bytes.
struct PagePicture {
    /// A form of the picture, for wide and for narrow windows.
    struct Form {
        let css: String
        let width: Double
        let height: Double

        static let wide = Form(css: "wide", width: 1000, height: 520)
        static let narrow = Form(css: "narrow", width: 380, height: 600)
    }

    let parts: [DiskPart]
    let sizes: [String: Figures]

    init(_ report: Report) {
        parts = DiskPart.all(report)
        sizes = Dictionary(
            report.qubes.map { ($0.name, $0.figures) }, uniquingKeysWith: { first, _ in first })
    }

    /// Both forms, a legend, and the patterns that all pictures of the page use.
    var figure: HTML {
        .element(
            "figure", [:],
            [Self.patterns, picture(.wide), picture(.narrow), legend])
    }

    /// Stripes for what is shared, in each colour.
    private static var patterns: HTML {
        let names = (0..<PageStyle.familyColours).map { "f\($0)" } + ["fx"]
        return .element(
            "svg", ["class": "defs", "aria-hidden": "true"],
            [
                .element(
                    "defs", [:],
                    names.map { name in
                        .element(
                            "pattern",
                            [
                                "id": "stripes-\(name)", "class": name, "width": "8",
                                "height": "8", "patternUnits": "userSpaceOnUse",
                                "patternTransform": "rotate(45)",
                            ],
                            [
                                .element(
                                    "rect",
                                    ["class": "stripe-paper", "width": "8", "height": "8"], ""),
                                .element(
                                    "path", ["class": "stripe", "d": "M0 0V8"], ""),
                            ])
                    })
            ])
    }

    private func picture(_ form: Form) -> HTML {
        let frame = Rectangle(x: 0, y: 0, width: form.width, height: form.height)
        let places = Treemap.layout(parts.map { Double($0.bytes) }, in: frame)
        var drawn: [HTML] = []
        for (part, place) in zip(parts, places) where part.bytes > 0 {
            if case .family(let number) = part.kind {
                drawn += family(part, number, in: place.inset(1.5))
            } else {
                drawn.append(leaf(part, "fx", in: place.inset(1.5), label: part.name))
            }
        }
        return .element(
            "svg",
            [
                "class": form.css, "viewBox": "0 0 \(number(form.width)) \(number(form.height))",
                "role": "group",
                "aria-label": "The disk as a picture; the table below holds the same figures",
            ], drawn)
    }

    private func family(_ part: DiskPart, _ number: Int, in place: Rectangle) -> [HTML] {
        let colour = "f\(number % PageStyle.familyColours)"
        var drawn = [rectangle(place, "family \(colour)", title: title(part))]
        // A band with the family's name, where it says more than the one qube in it.
        let band = place.height > 70 && place.width > 90 && part.parts.count > 1 ? 20.0 : 0
        if band > 0 {
            drawn.append(
                text(
                    "\(part.name) · \(ByteText.size(part.bytes))", at: place, size: 12,
                    css: "strong", down: 15))
        }
        let inner = place.inset(band > 0 ? 2 : 0, top: band)
        let places = Treemap.layout(part.parts.map { Double($0.bytes) }, in: inner)
        for (child, place) in zip(part.parts, places) where child.bytes > 0 {
            drawn.append(
                child.kind == .qube
                    ? qube(child, colour, in: place.inset(1))
                    : leaf(child, colour, in: place.inset(1), label: child.name))
        }
        return drawn
    }

    /// A link to what the page says of the qube, so that keys reach it.
    private func qube(_ part: DiskPart, _ colour: String, in place: Rectangle) -> HTML {
        let places = Treemap.layout(part.parts.map { Double($0.bytes) }, in: place)
        var drawn: [HTML] = []
        for (child, place) in zip(part.parts, places) where child.bytes > 0 {
            drawn.append(leaf(child, colour, in: place.inset(0.5), label: nil))
        }
        drawn.append(rectangle(place, "frame", title: nil))
        if place.width > 44, place.height > 20 {
            // The largest part is at the upper left, where the name stands.
            let largest = part.parts.max { $0.bytes < $1.bytes }
            let css = largest?.kind == .own ? "on strong" : "halo strong"
            drawn.append(text(part.name, at: place, size: 13, css: css, down: 17))
            if place.height > 40 {
                drawn.append(
                    text(
                        ByteText.size(part.bytes), at: place, size: 12,
                        css: css == "halo strong" ? "halo" : "on", down: 33))
            }
        }
        let figures = sizes[part.name]
        let label =
            "\(part.name): \(ByteText.size(part.bytes)) comes back if it is deleted, of "
            + "\(ByteText.size(figures?.diskBytes ?? part.bytes)) on disk"
        return .element(
            "a", ["href": "#qube-\(part.name)", "aria-label": label],
            [.element("title", [:], label)] + drawn)
    }

    private func leaf(
        _ part: DiskPart, _ colour: String, in place: Rectangle, label: String?
    ) -> HTML {
        let css: String
        var fill: String?
        switch part.kind {
        case .own, .others, .qube, .family: css = "own \(colour)"
        case .revisions: css = "revisions \(colour)"
        case .shared:
            css = colour
            fill = "url(#stripes-\(colour))"
        }
        var pieces = [rectangle(place, css, title: title(part), fill: fill)]
        if let label, place.width > 60, place.height > 24 {
            let isPlain = part.kind == .shared
            pieces.append(
                text(label, at: place, size: 12, css: isPlain ? "halo" : "on strong", down: 16))
            if place.height > 40 {
                pieces.append(
                    text(
                        ByteText.size(part.bytes), at: place, size: 12,
                        css: isPlain ? "halo" : "on", down: 32))
            }
        }
        return .all(pieces)
    }

    private func title(_ part: DiskPart) -> String {
        "\(part.name): \(ByteText.size(part.bytes))"
    }

    private func rectangle(
        _ place: Rectangle, _ css: String, title: String?, fill: String? = nil
    ) -> HTML {
        .element(
            "rect",
            [
                "class": css, "x": number(place.x), "y": number(place.y),
                "width": number(max(place.width, 0.1)), "height": number(max(place.height, 0.1)),
                "rx": "2", "fill": fill,
            ], title.map { [.element("title", [:], $0)] } ?? [])
    }

    /// A text at the upper left, as much of it as there is room for.
    private func text(
        _ text: String, at place: Rectangle, size: Double, css: String, down: Double
    ) -> HTML {
        let room = Int((place.width - 10) / (size * (css.hasSuffix("strong") ? 0.65 : 0.58)))
        return .element(
            "text",
            [
                "class": css, "x": number(place.x + 6), "y": number(place.y + down),
                "font-size": number(size), "aria-hidden": "true",
            ], text.sanitised.shortened(to: room))
    }

    private var legend: HTML {
        func entry(_ css: String, _ text: String) -> HTML {
            .element(
                "li", [:],
                [.element("i", ["class": "key f0 \(css)"], ""), .text(text)])
        }
        return .element(
            "figcaption", [:],
            [
                .element(
                    "ul", ["class": "legend"],
                    [
                        entry("own", "its own: comes back if the qube is deleted"),
                        entry("revisions", "held by its revisions alone"),
                        entry("shared", "shared: stays until the last that uses it goes"),
                    ]),
                .text(
                    "One colour for each template with the qubes that start from it; grey is "
                        + "no qube's. Areas are in proportion to bytes on the device."),
            ])
    }

    private func number(_ value: Double) -> String { Self.number(value) }

    /// One decimal is less than a pixel.
    static func number(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return tenths % 10 == 0 ? "\(tenths / 10)" : "\(Double(tenths) / 10)"
    }
}
