// SPDX-License-Identifier: GPL-2.0-or-later

/// Text of a manual page, in the macros of man(7).
struct Roff {
    private(set) var text: String

    /// Begins a page. The licence is its first line, as of every file.
    init(_ name: String, section: Int, source: String) {
        text = """
            .\\" SPDX-License-Identifier: GPL-2.0-or-later
            .\\" Made by `make manual` from the parser of qvm-btrfs and from docs/: change those.
            .TH \(name.uppercased()) \(section) \(Manual.date) "\(source)" "qubes-btrfs"

            """
    }

    /// A line with a macro.
    mutating func macro(_ line: String) { text += ".\(line)\n" }

    /// A heading.
    mutating func section(_ title: String) { macro("SH \(Self.quoted(title.uppercased()))") }

    /// A heading below that.
    mutating func subsection(_ title: String) { macro("SS \(Self.quoted(title))") }

    /// One page of `apropos`: the form of this line is what it reads.
    mutating func name(_ names: [String], _ summary: String) {
        section("Name")
        text += "\(names.map(Self.escaped).joined(separator: ", ")) \\- \(summary)\n"
    }

    /// A paragraph, with the marks of Markdown in it.
    mutating func paragraph(_ markdown: String) {
        part()
        line(markdown)
    }

    /// Lines of their own.
    mutating func lines(_ lines: [String]) {
        for (index, line) in lines.enumerated() {
            if index > 0 { macro("br") }
            self.line(line)
        }
    }

    /// A term and what is said of it.
    mutating func item(_ term: String, _ markdown: String) {
        macro("TP")
        text += Self.inline(term) + "\n"
        line(markdown)
    }

    /// An item of a list.
    mutating func bullet(_ markdown: String) {
        macro("IP \\(bu 2")
        line(markdown)
    }

    /// What stands as it is.
    mutating func example(_ lines: [String]) {
        part()
        macro("RS 4")
        macro("EX")
        for line in lines { text += Self.guarded(Self.escaped(line)) + "\n" }
        macro("EE")
        macro("RE")
    }

    /// Begins a paragraph; behind a heading one has begun.
    private mutating func part() {
        if !isBelowHeading { macro("PP") }
    }

    private var isBelowHeading: Bool {
        let last = text.dropLast().reversed().prefix { $0 != "\n" }.suffix(3)
        return last.elementsEqual("HS.") || last.elementsEqual("SS.")
    }

    private mutating func line(_ markdown: String) {
        text += Self.guarded(Self.inline(markdown)) + "\n"
    }

    /// For a macro that takes one word.
    private static func quoted(_ text: String) -> String {
        text.contains(" ") ? "\"\(text)\"" : text
    }

    /// A line that begins like a macro is none.
    private static func guarded(_ line: String) -> String {
        line.hasPrefix(".") || line.hasPrefix("'") ? "\\&\(line)" : line
    }

    /// What roff would take for its own is text.
    static func escaped(_ text: String) -> String {
        text.reduce(into: "") { result, character in
            switch character {
            case "\\": result += "\\e"
            case "-": result += "\\-"
            case "'": result += "\\(aq"
            case "`": result += "\\(ga"
            case "^": result += "\\(ha"
            case "~": result += "\\(ti"
            case "±": result += "\\(+-"
            default: result.append(character)
            }
        }
    }

    /// Code becomes bold, what is strong or a link becomes its own words.
    static func inline(_ markdown: String) -> String {
        var result = ""
        var rest = markdown[...]
        while let character = rest.first {
            if character == "`", let code = between(&rest, "`", "`") {
                // A cell of a table needs the bar escaped.
                result += "\\fB\(escaped(code.replacing("\\|", with: "|")))\\fR"
            } else if rest.hasPrefix("**"), let strong = between(&rest, "**", "**") {
                result += "\\fB\(inline(strong))\\fR"
            } else if character == "*", let slanted = between(&rest, "*", "*") {
                result += "\\fI\(inline(slanted))\\fR"
            } else if character == "[", let words = link(&rest) {
                result += inline(words)
            } else {
                result += escaped(String(character))
                rest.removeFirst()
            }
        }
        return result
    }

    private static func between(
        _ rest: inout Substring, _ open: String, _ close: String
    ) -> String? {
        let inner = rest.dropFirst(open.count)
        guard let end = inner.firstRange(of: close), !inner[..<end.lowerBound].isEmpty,
            // `cloned * 2` is no mark.
            inner.first != " "
        else { return nil }
        rest = inner[end.upperBound...]
        return String(inner[..<end.lowerBound])
    }

    private static func link(_ rest: inout Substring) -> String? {
        guard let match = rest.prefixMatch(of: #/\[([^\]]+)\]\(([^)]+)\)/#) else { return nil }
        rest = rest[match.range.upperBound...]
        let target = match.output.2
        let words = String(match.output.1)
        return target.hasPrefix("https://") ? "\(words) (\(target))" : words
    }
}
