// SPDX-License-Identifier: GPL-2.0-or-later

/// One line of output, without its end. Renderers make these from values; only `Console` knows how
/// a style looks, and it sanitises every text.
struct Line: Equatable, Sendable, ExpressibleByStringInterpolation {
    /// What a line is, which colour may show.
    enum Style: Sendable {
        case plain, heading, good, warning
    }

    /// What it says.
    var text: String
    /// What it is.
    var style = Style.plain

    init(_ text: String, _ style: Style = .plain) {
        self.text = text
        self.style = style
    }

    init(stringLiteral text: String) { self.init(text) }
}

extension Line {
    /// Text in lines of at most `columns` characters, broken at spaces. A longer word is broken
    /// where the line ends.
    /// - Parameters:
    ///   - prefix: what the first line begins with, as it is.
    ///   - indent: the spaces before every other line.
    static func wrapped(
        _ text: String, after prefix: String = "", indent: Int,
        columns: Int = TextTable.columns, style: Style = .plain
    ) -> [Line] {
        var lines: [Line] = []
        var line = prefix
        let margin = String(repeating: " ", count: indent)
        var isEmpty = true
        for word in text.sanitised.split(separator: " ") {
            var rest = word
            if !isEmpty && line.count + 1 + rest.count > columns {
                lines.append(Line(line, style))
                line = margin
                isEmpty = true
            }
            while isEmpty && line.count + rest.count > columns && columns > line.count {
                let piece = rest.prefix(columns - line.count)
                lines.append(Line(line + piece, style))
                rest = rest.dropFirst(piece.count)
                line = margin
            }
            line += (isEmpty ? "" : " ") + rest
            isEmpty = false
        }
        return lines + [Line(line, style)]
    }
}
