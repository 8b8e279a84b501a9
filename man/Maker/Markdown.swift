// SPDX-License-Identifier: GPL-2.0-or-later

/// A document of ours, by its headings.
struct Markdown {
    /// What a section is made of.
    enum Block: Equatable {
        case paragraph(String)
        case bullets([String])
        /// The first row is the heads.
        case table([[String]])
        case code([String])
        case heading(String)
    }

    private let sections: [String: [Block]]

    /// Reads one. A section goes to the next heading of its own level; deeper ones are blocks.
    init(_ text: String) {
        var sections: [String: [String]] = [:]
        var current = ""
        var isCode = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("```") { isCode.toggle() }
            if !isCode, line.hasPrefix("# ") {
                current = ""
            } else if !isCode, line.hasPrefix("## ") {
                current = String(line.dropFirst(3))
            } else {
                sections[current, default: []].append(String(line))
            }
        }
        self.sections = sections.mapValues(Self.blocks)
    }

    /// The blocks of a section; what stands before the first has the name "".
    func section(_ name: String) throws -> [Block] {
        guard let blocks = sections[name] else { throw ManualError.noSection(name) }
        return blocks
    }

    private static func blocks(_ lines: [String]) -> [Block] {
        var blocks: [Block] = []
        var rest = lines[...]
        while let line = rest.first {
            if line.hasPrefix("```") {
                rest.removeFirst()
                blocks.append(.code(take(&rest) { !$0.hasPrefix("```") }))
                rest = rest.dropFirst()
            } else if line.hasPrefix("|") {
                let rows = take(&rest) { $0.hasPrefix("|") }
                blocks.append(.table(rows.filter { !$0.hasPrefix("|--") }.map(cells)))
            } else if line.hasPrefix("- ") {
                blocks.append(.bullets(bullets(take(&rest) { !$0.isEmpty })))
            } else if line.hasPrefix("#") {
                blocks.append(.heading(line.trimmingPrefix { "# ".contains($0) }.description))
                rest.removeFirst()
            } else if line.isEmpty || line.hasPrefix("![") {
                rest.removeFirst()
            } else {
                let words = take(&rest) {
                    !$0.isEmpty && !$0.hasPrefix("|") && !$0.hasPrefix("- ")
                        && !$0.hasPrefix("```") && !$0.hasPrefix("#")
                }
                blocks.append(.paragraph(words.joined(separator: " ")))
            }
        }
        return blocks
    }

    private static func take(
        _ rest: inout ArraySlice<String>, while isTaken: (String) -> Bool
    ) -> [String] {
        let taken = Array(rest.prefix(while: isTaken))
        rest = rest.dropFirst(taken.count)
        return taken
    }

    /// A line that does not begin one goes on with the last.
    private static func bullets(_ lines: [String]) -> [String] {
        lines.reduce(into: []) { bullets, line in
            if line.hasPrefix("- ") {
                bullets.append(String(line.dropFirst(2)))
            } else if let last = bullets.popLast() {
                bullets.append("\(last) \(line.trimmingPrefix { $0 == " " })")
            }
        }
    }

    private static func cells(_ row: String) -> [String] {
        // A bar within a cell is written `\|`.
        let bar: Character = "\u{1}"
        let parts = row.replacing("\\|", with: String(bar)).split(
            separator: "|", omittingEmptySubsequences: false)
        return parts.dropFirst().dropLast().map {
            $0.replacing(String(bar), with: "|").trimmed
        }
    }
}

extension StringProtocol {
    /// Without blanks around it.
    var trimmed: String {
        let front = drop(while: \.isWhitespace)
        return String(front.reversed().drop(while: \.isWhitespace).reversed())
    }
}

extension Roff {
    /// Writes the blocks of a section.
    mutating func blocks(_ blocks: [Markdown.Block]) {
        for block in blocks {
            switch block {
            case .paragraph(let text): paragraph(text)
            case .bullets(let items): for item in items { bullet(item) }
            case .table(let rows): table(rows)
            case .code(let lines): example(lines)
            case .heading(let title): subsection(title)
            }
        }
    }

    /// A table: its first cell is the term, the last is what is said of it, and what stands between
    /// is named by its head.
    mutating func table(_ rows: [[String]]) {
        guard let heads = rows.first, let last = heads.indices.last, last > 0 else { return }
        for row in rows.dropFirst() where row.count == heads.count {
            let between = (1..<last).filter { !row[$0].isEmpty && !row[last].isEmpty }
            let said = row[last] + between.map { " (\(heads[$0]): \(row[$0]))" }.joined()
            item(row[0], said)
        }
    }
}
