// SPDX-License-Identifier: GPL-2.0-or-later

/// A table of fixed columns: the first one to the left, as wide as what the others leave of the
/// line.
struct TextTable {
    /// How wide every table is, in characters.
    static let columns = 80

    /// What stands above the columns.
    private let header: [String]
    /// How wide each is; the first one's is reckoned.
    private let widths: [Int]

    /// A table with a first column, and others of these widths that are filled from the left.
    init(first: String, others: [(title: String, width: Int)]) {
        header = [first] + others.map(\.title)
        let taken = others.reduce(0) { $0 + 2 + $1.width }
        widths = [max(1, Self.columns - taken)] + others.map(\.width)
    }

    /// The line above the rows.
    var heading: Line { Line(line(header), .heading) }

    /// One row.
    func row(_ cells: [String], style: Line.Style = .plain) -> Line { Line(line(cells), style) }

    private func line(_ cells: [String]) -> String {
        zip(cells, widths).enumerated().map { index, pair in
            let cell = pair.0.sanitised.shortened(to: pair.1)
            return index == 0 ? cell.leading(pair.1) : "  " + cell.trailing(pair.1)
        }.joined()
    }
}
