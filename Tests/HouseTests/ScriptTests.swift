// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

@Suite("The scripts")
struct ScriptTests {
    static let report = """
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites>
          <testsuite name="TestResults" errors="0" tests="2" failures="2" skipped="2" time="0.1">
            <testcase classname="ATests.One" name="a()" >
              <skipped>needs root: &quot;real&quot; &amp; &lt;Btrfs&gt;</skipped>
            </testcase>
            <testcase classname="ATests.One" name="b(x:)" >
              <skipped />
            </testcase>
            <testcase classname="ATests.Two" name="f()" time="0.001" >
              <failure message="Expectation failed: a/&gt;b (error)" />
              <failure message="Expectation failed: 1 == 2 (error)" />
            </testcase>
            <testcase classname="BTests.Three" name="e()" time="0.0002" />
          </testsuite>
        </testsuites>

        """

    @Test("The fate of a test is counted once, however many issues it has")
    func fates() throws {
        let folder = try ScratchFolder()
        try folder.write(Self.report, to: "report.xml")
        let result = try run(["scripts/test-fates", "\(folder.path)/report.xml"])
        #expect(
            linesOf(result.output) == [
                "skipped\tATests.One\tneeds root: \"real\" & <Btrfs>\ta()",
                "skipped\tATests.One\t\tb(x:)",
                "failed\tATests.Two\tExpectation failed: a/>b (error)\tf()",
                "passed\tBTests.Three\t\te()",
            ])
    }

    @Test("Each script can be run, and stops at its first error", arguments: TidyTests.scripts)
    func strict(script: String) throws {
        let path = Checkout.root.appendingPathComponent(script).path
        #expect(FileManager.default.isExecutableFile(atPath: path))
        let lines = try Checkout.lines(script)
        let interpreter = try #require(lines.first)
        switch interpreter {
        case "#!/bin/sh": #expect(lines.contains("set -eu"))
        case "#!/bin/bash": #expect(lines.contains("set -euo pipefail"))
        default: #expect(interpreter == "#!/usr/bin/awk -f")
        }
        guard interpreter != "#!/usr/bin/awk -f" else { return }
        let syntax = try run([String(interpreter.dropFirst(2)), "-n", script])
        #expect(syntax.status == 0, "\(syntax.output)")
    }

    @Test("The documents name the packages' script, and it lists what the sources need")
    func packages() throws {
        let result = try run(["scripts/install-packages", "--list"])
        let listed = Set(linesOf(result.output))
        let manifest = try Checkout.text("Package.swift")
        let needed = manifest.matches(of: #/\.apt\(\["([^"]+)"\]\)/#).map { String($0.output.1) }
        #expect(!needed.isEmpty && listed.isSuperset(of: needed))
        #expect(listed.isSuperset(of: ["btrfs-progs", "e2fsprogs", "make", "pkg-config"]))
    }
}
