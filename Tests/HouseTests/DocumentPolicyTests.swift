// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Protocol
import TestSupport
import Testing

/// Lines of policy in the documents will be copied into dom0, where a wrong one blocks every call.
@Suite("Policy in the documents")
struct DocumentPolicyTests {
    /// The lines of code blocks that begin with a service of ours and a column more, or with a `!`.
    static func lines(_ text: String) -> [String] {
        let services = ServiceName.allCases.map(\.rawValue)
        var isCode = false
        return linesOf(text).filter { line in
            if line.hasPrefix("```") {
                isCode.toggle()
                return false
            }
            let words = line.split(separator: " ")
            guard isCode, words.count > 2, let first = words.first else { return false }
            return first.hasPrefix("!include") || services.contains(String(first))
        }
    }

    @Test("Lines of policy are found in code, and nowhere else")
    func recognition() {
        let text = """
            btrfs.Report * mgmt work allow target=dom0
            ```
            btrfs.Report   * mgmt @anyvm deny
            btrfs.Report+root mgmt
            qvm-btrfs report work
            ```
            """
        #expect(Self.lines(text) == ["btrfs.Report   * mgmt @anyvm deny"])
    }

    @Test("Each of them parses, and is sent to dom0")
    func parses() throws {
        var count = 0
        for document in LinkTests.documents {
            for line in Self.lines(try Checkout.text(document)) {
                guard case .rule(let rule) = try PolicyGrammar.policyLine(line) else { continue }
                count += 1
                let isSent = rule.action == "deny" || rule.parameters["target"] == "dom0"
                #expect(isSent, "\(document): \(line)")
            }
        }
        #expect(count > 0)
    }
}
