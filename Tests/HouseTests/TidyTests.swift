// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

@Suite("Tidiness")
struct TidyTests {
    static let fileLines = 400
    static let functionLines = 70
    static let columns = 100

    static let sources = Checkout.files(suffixes: [".swift"])
    static let cSources = Checkout.files(under: "Sources", suffixes: [".c", ".h"])
    static let scripts = Checkout.files(under: "scripts") + Checkout.files(under: ".ci")
    static let configuration =
        Checkout.files(under: "policy") + Checkout.files(under: "systemd")
    static let written =
        sources + cSources + scripts + configuration
        + Checkout.files(suffixes: [".md", "Makefile"])

    @Test("There are files to look at")
    func notEmpty() {
        for list in [Self.sources, Self.cSources, Self.scripts, Self.configuration] {
            #expect(!list.isEmpty)
        }
        #expect(Self.sources.contains("Package.swift"))
        #expect(Self.written.contains("Makefile"))
    }

    /// All that may lie at the top of the checkout.
    static let top: Set<String> = [
        ".ci", ".gitignore", ".qubesbuilder", ".swift-format", "Benchmarks", "CHANGELOG.md",
        "CONTRIBUTING.md", "Fuzzing", "LICENSE", "Makefile", "Package.swift", "README.md",
        "Sources", "Tests", "completion", "debian", "docs", "logrotate", "man", "policy",
        "qubes-rpc", "rel", "rpm_spec", "scripts", "systemd", "version",
    ]

    @Test("Nothing lies at the top of the checkout but what belongs there")
    func strays() throws {
        // What git would take; where there is no git, all that is there.
        let known = try run(["git", "ls-files", "--cached", "--others", "--exclude-standard"])
        let files = known.status == 0 ? linesOf(known.output) : Checkout.files()
        let found = Set(files.compactMap { $0.split(separator: "/").first.map(String.init) })
        // A file that is removed and not committed yet is still known.
        let there = found.filter {
            FileManager.default.fileExists(atPath: Checkout.root.appendingPathComponent($0).path)
        }
        #expect(there.contains("Package.swift"))
        #expect(there.subtracting(Self.top).isEmpty)
    }

    @Test("No writer of a test or the bench leaves its state in the folder where it was started")
    func writers() throws {
        for file in Checkout.files(under: "Benchmarks", suffixes: [".py"]) + Self.sources {
            let text = try Checkout.text(file)
            let isHouse = file.hasPrefix("Tests/HouseTests/")
            guard !isHouse, text.contains(#/\[\s*"fio"/#) else { continue }
            #expect(text.contains("\"--verify_state_save=0\""), "\(file)")
        }
    }

    @Test("No Swift file is longer than 400 lines, and no script longer than 150")
    func fileLength() throws {
        for file in Self.sources {
            #expect(try Checkout.lines(file).count <= Self.fileLines, "\(file)")
        }
        for file in Self.scripts { #expect(try Checkout.lines(file).count <= 150, "\(file)") }
    }

    @Test("No function is longer than 70 lines")
    func functionLength() throws {
        for file in Self.sources {
            for function in try functionLengths(try Checkout.text(file)) {
                #expect(
                    function.lines <= Self.functionLines,
                    "\(file):\(function.line): \(function.declaration)")
            }
        }
    }

    @Test("No line of code is wider than 100 columns, and none ends in a space or holds a tab")
    func lines() throws {
        for file in Self.sources + Self.cSources + Self.scripts + Self.configuration {
            for (index, line) in try Checkout.lines(file).enumerated() {
                // A pattern of grep or a field separator may need a tab; indentation never does.
                let isTabbed = line.hasPrefix("\t") || line.hasSuffix("\t")
                #expect(line.count <= Self.columns, "\(file):\(index + 1)")
                #expect(!line.hasSuffix(" ") && !isTabbed, "\(file):\(index + 1)")
            }
        }
    }

    @Test("Every file of code names its licence in its first two lines")
    func licence() throws {
        for file in Self.sources + Self.scripts + Self.configuration + ["Makefile"] {
            let head = try Checkout.lines(file).prefix(2).joined(separator: "\n")
            #expect(head.contains("SPDX-License-Identifier: GPL-2.0-or-later"), "\(file)")
        }
        for file in Self.cSources {
            let head = try Checkout.lines(file).prefix(2).joined(separator: "\n")
            #expect(head.contains("SPDX-License-Identifier: "), "\(file)")
        }
    }

    @Test("Nothing is left for later, and nothing names the machine it was written on")
    func noLeftovers() throws {
        let words = ["TO" + "DO", "FIX" + "ME"]
        let places = ["helpers", "shared", "main"].map { "/wo" + "rk/\($0)" }
        for file in Self.written {
            let text = try Checkout.text(file)
            for word in words + places { #expect(!text.contains(word), "\(file): \(word)") }
        }
    }

    /// A run that must skip nothing on a real Btrfs takes a skip without a reason for one of those.
    @Test("Every test that may be skipped says why")
    func skips() throws {
        let reason = #/\.enabled\(\s*if: [^,]+?,\s+["A-Z]/#
        var count = 0
        let tests = Checkout.files(under: "Tests", suffixes: ["Tests.swift"])
        for file in tests where !file.hasSuffix("/TidyTests.swift") {
            let text = try Checkout.text(file)
            let all = text.ranges(of: ".enabled(").count
            #expect(text.matches(of: reason).count == all, "\(file)")
            count += all
        }
        #expect(count > 10)
    }

    @Test("Every file ends in a newline")
    func lastNewline() throws {
        for file in Self.written { #expect(try Checkout.text(file).hasSuffix("\n"), "\(file)") }
    }

    @Test("Sources import FoundationEssentials, not Foundation with all its weight")
    func noFoundation() throws {
        for file in Self.sources where file.hasPrefix("Sources/") {
            let hits = try Checkout.lines(file).filter {
                $0.hasSuffix("import " + "Foundation")
            }
            #expect(hits.isEmpty, "\(file)")
        }
    }

    @Test("The length of a function counts from its declaration to its closing brace")
    func measure() throws {
        let source = """
            protocol Port {
                func call(_ name: String) -> Int
                func other()
            }
            struct Thing {
                init(a: Int) {
                    b = a
                }
                @discardableResult public static func long(
                    a: Int, b: Int
                ) throws -> Int {
                    let block = \"""
                    }
                    \"""

                    return 1
                }
                func short() {}
                deinit {
                    close()
                }
            }
            """
        #expect(
            try functionLengths(source) == [
                FunctionLength(declaration: "init(a: Int) {", line: 6, lines: 3),
                FunctionLength(
                    declaration: "@discardableResult public static func long(", line: 9, lines: 9),
                FunctionLength(declaration: "deinit {", line: 19, lines: 3),
            ])
    }
}
