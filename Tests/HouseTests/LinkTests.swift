// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

@Suite("The documents")
struct LinkTests {
    static let documents = Checkout.files(suffixes: [".md"])

    /// The targets of the links of a document: `[text](target)`, without what stands in code.
    static func links(_ text: String) throws -> [String] {
        let pattern = try Regex(#"\]\(<?([^)>\s]+)>?(?:\s+"[^"]*")?\)"#)
        var isCode = false
        return linesOf(text).flatMap { line -> [String] in
            if line.hasPrefix("```") { isCode.toggle() }
            if isCode { return [] }
            let prose = line.replacing(#/`[^`]*`/#, with: "")
            return prose.matches(of: pattern).compactMap { $0.output[1].substring.map(String.init) }
        }
    }

    /// The anchors of a document, made from its headings as GitHub does.
    static func anchors(_ text: String) -> Set<String> {
        Set(
            linesOf(text).filter { $0.hasPrefix("#") }.map { line in
                line.drop { $0 == "#" }.trimmingCharacters(in: .whitespaces).lowercased()
                    .replacing(" ", with: "-")
                    .filter { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }
            })
    }

    @Test("Links are found, code is passed over")
    func recognition() throws {
        let text = """
            See [one](a.md) and ![two](b.png "title"), `[no](c.md)`.
            ```
            [no](d.md)
            ```
            [three](<e.md#part>)
            """
        #expect(try Self.links(text) == ["a.md", "b.png", "e.md#part"])
        #expect(Self.anchors("# A title: of *it*\ntext\n## b") == ["a-title-of-it", "b"])
    }

    @Test("Every link within the checkout leads to a file, and every anchor to a heading")
    func resolve() throws {
        #expect(!Self.documents.isEmpty)
        for document in Self.documents {
            for link in try Self.links(try Checkout.text(document))
            where !link.contains("://") && !link.hasPrefix("mailto:") {
                let parts = link.split(
                    separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                let folder = URL(fileURLWithPath: document, relativeTo: Checkout.root)
                    .deletingLastPathComponent()
                let file =
                    parts[0].isEmpty
                    ? Checkout.root.appendingPathComponent(document)
                    : folder.appendingPathComponent(String(parts[0]))
                let exists = FileManager.default.fileExists(atPath: file.path)
                #expect(exists, "\(document): \(link)")
                if exists, parts.count == 2, file.pathExtension == "md" {
                    let text = try String(contentsOf: file, encoding: .utf8)
                    #expect(Self.anchors(text).contains(String(parts[1])), "\(document): \(link)")
                }
            }
        }
    }
}
