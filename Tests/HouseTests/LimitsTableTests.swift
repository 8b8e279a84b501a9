// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

/// What the documents call a limit has a test that meets it, by name.
@Suite("Limits") struct LimitsTableTests {
    /// The rows of the table, without its head.
    private static func rows() throws -> [[Substring]] {
        let text = try Checkout.text("docs/engine.md")
        let section = try #require(text.components(separatedBy: "\n## Limits\n").dropFirst().first)
        let part = section.components(separatedBy: "\n## ")[0]
        return linesOf(part).filter { $0.hasPrefix("| ") }.dropFirst().map {
            $0.split(separator: "|").filter { $0 != " " }
        }
    }

    @Test("Each names a test that there is")
    func named() throws {
        let sources = try Checkout.files(suffixes: ["Tests.swift"]).map(Checkout.text).joined()
        let rows = try Self.rows()
        #expect(rows.count > 25)
        for row in rows {
            let names = (row.last ?? "").matches(of: #/`(\w+Tests)(?:\.(\w+))?`/#)
            #expect(!names.isEmpty, "\(row.first ?? "")")
            for name in names {
                #expect(sources.contains("struct \(name.output.1) "), "\(name.output.0)")
                guard let function = name.output.2 else { continue }
                #expect(sources.contains("func \(function)("), "\(name.output.0)")
            }
        }
    }
}
