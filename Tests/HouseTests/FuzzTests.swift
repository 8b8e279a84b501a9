// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

@Suite("The fuzz targets")
struct FuzzTests {
    /// What issue and documents promise.
    static let promised: Set<String> = [
        "header", "payload", "inventory", "qubesd", "search", "cache", "history", "audit",
    ]

    /// The names in the table of targets.
    static func targets() throws -> Set<String> {
        let text = try Checkout.text("Fuzzing/Targets/FuzzTarget.swift")
        return Set(
            text.matches(of: #/FuzzTarget\(name: "([a-z]+)"/#).map { String($0.output.1) })
    }

    @Test("Each target has seeds, and each folder of seeds its target")
    func seeds() throws {
        let folders = Checkout.files(under: "Fuzzing/Seeds").map { $0.split(separator: "/")[2] }
        #expect(Set(folders.map(String.init)) == (try Self.targets()))
    }

    @Test("Whatever comes from outside has a target")
    func complete() throws { #expect(try Self.targets().isSuperset(of: Self.promised)) }

    @Test("Seeds are small: what is large teaches a fuzzer little")
    func small() throws {
        for file in Checkout.files(under: "Fuzzing/Seeds") {
            let url = Checkout.root.appendingPathComponent(file)
            #expect(
                try url.resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0 <= 4096, "\(file)")
        }
    }

    @Test("An ordinary build knows nothing of them")
    func apart() throws {
        let manifest = try Checkout.text("Package.swift")
        let condition = #"if Context.environment["QUBES_BTRFS_FUZZ"] == "1" {"#
        let parts = manifest.components(separatedBy: condition)
        #expect(parts.count == 2)
        #expect(!parts[0].contains("Fuzzing/"))
    }
}
