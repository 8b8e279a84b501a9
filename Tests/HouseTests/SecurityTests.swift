// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

@Suite("The table of threats")
struct SecurityTests {
    /// What the table must speak of.
    static let threats = [
        "spoofed target", "option injection", "path escape", "link swap", "log injection",
        "terminal injection", "probing for names", "probing for content", "flood", "slow reader",
        "oversize", "restart in mid-job", "tag changes",
    ]

    /// The rows of the table: threat, defence, tests.
    static func rows() throws -> [[String]] {
        try Checkout.lines("docs/security.md").filter { $0.hasPrefix("| ") }.dropFirst().map {
            $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
        }
    }

    /// What stands in backticks.
    static func names(_ cell: String) -> [String] {
        cell.matches(of: #/`([^`]+)`/#).map { String($0.output.1) }
    }

    /// The source of every test, by its file.
    static let sources: [String: String] = {
        var sources: [String: String] = [:]
        for file in Checkout.files(under: "Tests", suffixes: [".swift"]) {
            sources[file] = try? Checkout.text(file)
        }
        return sources
    }()

    /// A test of this name is in one of the sources: `function`, `Suite.function`, a whole suite,
    /// or a sentence.
    static func exists(_ name: String, in sources: [String]) -> Bool {
        let parts = name.split(separator: ".").map(String.init)
        if name.contains(" ") {
            return sources.contains { $0.contains("func `\(name)`(") || $0.contains("\"\(name)\"") }
        }
        if parts.count == 2 {
            return exists(parts[1], in: sources.filter { $0.contains("struct \(parts[0]) {") })
        }
        let isSuite = name.first?.isUppercase == true
        return sources.contains { source in
            source.contains("@Test")
                && source.contains(isSuite ? "struct \(name) {" : "func \(name)(")
        }
    }

    @Test("A test is found by its name, and one that is not there is not")
    func recognition() {
        let source = """
            @Suite struct ThisTests {
                @Test func short() {}
                @Test func `A sentence`() {}
                @Test("Another sentence")
                func other() {}
            }
            """
        for name in ["short", "ThisTests.short", "ThisTests", "A sentence", "Another sentence"] {
            #expect(Self.exists(name, in: [source]), "\(name)")
        }
        for name in ["shor", "ThatTests.short", "ThatTests", "A sente", "ThisTests.none"] {
            #expect(!Self.exists(name, in: [source]), "\(name)")
        }
    }

    @Test("Each threat has a row with a defence and a test", arguments: threats)
    func complete(threat: String) throws {
        #expect(try Self.rows().contains { $0[0].contains("**\(threat)**") })
    }

    @Test("Each row names tests, and each of them exists")
    func testsExist() throws {
        let rows = try Self.rows()
        #expect(rows.count >= Self.threats.count)
        let sources = Array(Self.sources.values)
        for row in rows {
            try #require(row.count == 3, "\(row)")
            let names = Self.names(row[2])
            #expect(!names.isEmpty, "\(row[0])")
            for name in names { #expect(Self.exists(name, in: sources), "\(name)") }
        }
    }
}
