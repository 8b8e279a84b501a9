// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Manual
import Protocol
import Testing

@Suite("The manual and the completions")
struct ManualTests {
    static let pages = Checkout.files(under: "man", suffixes: [".1", ".7", ".8"])

    /// The rows of the first table below a heading, each with its cells, code without its marks.
    static func table(_ heading: String, in document: String) throws -> [[String]] {
        let lines = try Checkout.lines(document).drop { $0 != "## \(heading)" }.dropFirst()
        let rows = lines.prefix { !$0.hasPrefix("## ") }.drop { !$0.hasPrefix("|") }
            .prefix { $0.hasPrefix("|") }
        return rows.dropFirst(2).map { row in
            row.split(separator: "|").map {
                $0.trimmingCharacters(in: .whitespaces).replacing("`", with: "")
            }
        }
    }

    @Test("Each page is what the parser and the documents make of it now: if not, `make manual`")
    func current() throws {
        let made = try Manual.pages(Checkout.text)
        #expect(Set(made.keys) == Set(Self.pages))
        for (path, text) in made { #expect(try Checkout.text(path) == text, "\(path)") }
    }

    @Test("So is each completion what the parser makes of it now: if not, `make completion`")
    func completions() throws {
        let made = try Manual.completions()
        #expect(Set(made.keys) == Set(Checkout.files(under: "completion")))
        for (path, text) in made { #expect(try Checkout.text(path) == text, "\(path)") }
    }

    @Test("No page has anything to warn of, by mandoc and by groff", arguments: pages)
    func warnings(page: String) throws {
        let lint = try run(["mandoc", "-Tlint", "-W", "warning", page])
        #expect(lint.status == 0 && lint.output.isEmpty, "\(lint.output)")
        let groff = try run(["groff", "-K", "utf8", "-man", "-Tutf8", "-ww", "-z", page])
        #expect(groff.status == 0 && groff.output.isEmpty, "\(groff.output)")
    }

    @Test("A page without its heading is warned of: both programs look")
    func warned() throws {
        let folder = try ScratchFolder()
        try folder.write(".SH NAME\n.PP\nx \\- y\n.nosuchmacro\n", to: "x.1")
        let lint = try run(["mandoc", "-Tlint", "-W", "warning", "\(folder.path)/x.1"])
        #expect(lint.status != 0 && lint.output.contains("nosuchmacro"))
        let groff = try run(["groff", "-man", "-Tutf8", "-ww", "-z", "\(folder.path)/x.1"])
        #expect(groff.output.contains("nosuchmacro"))
    }

    @Test("apropos finds each: a section NAME with names, a dash, and one line", arguments: pages)
    func names(page: String) throws {
        let lines = try Checkout.lines(page)
        let heading = try #require(lines.firstIndex(of: ".SH NAME"))
        let line = lines[heading + 1]
        #expect(line.contains(#/^[a-z., \\-]+ \\- [A-Za-z][^.]+$/#), "\(line)")
        #expect(lines[heading + 2].hasPrefix(".SH "))
        let name = try #require(page.split(separator: "/").last?.split(separator: ".").first)
        #expect(line.replacing("\\-", with: "-").hasPrefix("\(name)"))
    }

    @Test("qvm-btrfs(1) has services, commands, options and exit statuses of every kind")
    func complete() throws {
        let text = try Checkout.text("man/qvm-btrfs.1").replacing("\\-", with: "-")
        for service in ServiceName.allCases { #expect(text.contains(service.rawValue)) }
        for word in [
            ".SS optimize", ".SS new-data", "--risk-read-only", "--compare", "\n130\n",
        ] {
            #expect(text.contains(word), "\(word)")
        }
    }

    @Test("Every command, option and target that CHANGELOG names is there, and every command in it")
    func changes() throws {
        let page = try Checkout.text("man/qvm-btrfs.1").replacing("\\-", with: "-")
        let changes = try Checkout.text("CHANGELOG.md")
        for option in changes.matches(of: #/`(--[a-z-]+)/#) {
            #expect(page.contains("\\fB\(option.output.1)\\fR"), "\(option.output.1)")
        }
        for command in changes.matches(of: #/`qvm-btrfs ([a-z-]+)/#) {
            #expect(page.contains(".SS \(command.output.1)\n"), "\(command.output.1)")
        }
        let makefile = try Checkout.text("Makefile")
        for target in changes.matches(of: #/`make ([a-z-]+)/#) {
            #expect(makefile.contains("\n\(target.output.1):"), "\(target.output.1)")
        }
        for command in page.matches(of: #/\n\.SS ([a-z-]+)\n/#) {
            #expect(
                changes.contains("`\(command.output.1)`")
                    || changes.contains(" \(command.output.1)`"))
        }
    }

    /// What stands for options that name nothing where they are not given.
    private static let unset = [
        "--socket": "what systemd passes", "--worker": "the daemon's own program",
    ]

    @Test("The service's document has every option of the daemon with its default")
    func options() throws {
        let source = try Checkout.text("Sources/Service/Door/Settings.swift")
        let known = source.matches(of: #/"(--[a-z-]+)": \{ \$0\.(\w+) = /#)
        let rows = try Self.table("Options", in: "docs/service.md")
        #expect(known.count == rows.count && !rows.isEmpty)
        for option in known {
            let row = try #require(rows.first { $0.first == String(option.output.1) })
            let initial = source.firstMatch(
                of: try Regex(#"var \#(option.output.2): FilePath = "([^"]+)""#))
            #expect(
                row[1] == initial?.output[1].substring.map(String.init)
                    ?? Self.unset[String(option.output.1)])
        }
    }

    @Test("It has every unit, and every service as the policy has it")
    func services() throws {
        let units = try Self.table("Units", in: "docs/service.md").map { $0[0] }
        let files = Checkout.files(under: "systemd", suffixes: [".service", ".socket", ".timer"])
        #expect(Set(units.map { "systemd/\($0)" }) == Set(files))
        let rows = try Self.table("Services", in: "docs/service.md")
        #expect(Set(rows.map { $0[0] }) == Set(ServiceName.allCases.map(\.rawValue)))
        let policy = try Checkout.text("policy/80-btrfs.policy")
        for row in rows {
            let include = row[1] == "reads" ? "ro" : "rwx"
            let line = try Regex(
                #"!include-service \#(row[0].replacing(".", with: "\\.")) +\* include/btrfs-"#
                    + "\(include)\n")
            #expect(policy.contains(line), "\(row)")
        }
    }
}
