// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

/// The ways in which `scripts/test-mutations` breaks the code. That each is seen it says itself: it
/// takes an hour.
@Suite("Mutations")
struct MutationTests {
    static let patches = Checkout.files(under: "Tests/Mutations")

    private func field(_ name: String, of patch: String) throws -> String {
        let prefix = name + ": "
        let line = try Checkout.lines(patch).first { $0.hasPrefix(prefix) }
        return String(try #require(line, "\(patch) has no \(name)").dropFirst(prefix.count))
    }

    @Test("Each applies to the code as it is", arguments: patches)
    func applies(patch: String) throws {
        let result = try run(["git", "apply", "--check", patch])
        #expect(result.status == 0, "\(result.output)")
    }

    @Test("Each names tests that there are", arguments: patches)
    func tests(patch: String) throws {
        let files = try Checkout.files(under: "Tests", suffixes: [".swift"])
            .map { try Checkout.text($0) }
        for suite in try field("Tests", of: patch).split(separator: "|") {
            #expect(files.contains { $0.contains("struct \(suite)") }, "\(patch): \(suite)")
        }
        #expect(try !field("Breaks", of: patch).isEmpty)
    }

    @Test("Every law of the design is broken in some way")
    func laws() throws {
        let laws = try Set(Self.patches.map { try field("Law", of: $0) })
        #expect(laws == Set((1...7).map(String.init)))
    }
}
