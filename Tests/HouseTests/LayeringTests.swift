// SPDX-License-Identifier: GPL-2.0-or-later
import Foundation
import Testing

/// Who may know whom. A target that is not here may not exist; a change here is a change of design.
private let permittedImports: [String: Set<String>] = [
    "Protocol": [],
    "SystemCalls": ["CSystemCalls"],
    "Btrfs": ["CBtrfs", "CBtrfsUtil", "SystemCalls"],
    "Zstd": ["CZstd"],
    "Qubes": ["CLibXML2", "SystemCalls"],
    "Engine": ["CChecksum", "Btrfs", "SystemCalls"],
    "Worker": ["Engine", "Btrfs", "Zstd", "Qubes", "Protocol", "SystemCalls"],
    "Service": ["Protocol", "Qubes", "SystemCalls"],
    "Client": ["Protocol", "SystemCalls", "ArgumentParser"],
    "qubes-btrfsd": ["Service", "Worker", "Client"],
    "qubes-btrfs-worker": ["Worker"],
    "qvm-btrfs": ["Client", "ArgumentParser"],
]

/// What every target may import besides: no kernel, no I/O of its own.
private let pureModules: Set<String> = ["FoundationEssentials", "Synchronization"]

/// What every target but Protocol may import as well; Protocol does no I/O.
private let systemModules: Set<String> = ["Glibc", "SystemPackage"]

/// Targets of C alone.
private let cTargets: Set<String> = [
    "CSystemCalls", "CBtrfs", "CBtrfsUtil", "CChecksum", "CZstd", "CLibXML2",
]

/// The modules that a Swift source imports.
private func importedModules(_ source: String) throws -> [String] {
    let pattern = try Regex(
        #"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?"#
            + #"import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias|actor)\s+)?(\w+)"#)
    return linesOf(source).compactMap { line in
        line.firstMatch(of: pattern).flatMap { $0.output[1].substring.map(String.init) }
    }
}

@Suite("Layers")
struct LayeringTests {
    @Test("An import is seen in every form it is written in")
    func recognition() throws {
        let source = """
            // import Comment
            import Plain
            public import Public
            @testable import Testable
            @_spi(Name) internal import Spi
            import struct Kind.Thing
              import Indented
            let text = "import Text"
            func importThing() {}
            """
        #expect(
            try importedModules(source) == [
                "Plain", "Public", "Testable", "Spi", "Kind", "Indented",
            ])
    }

    @Test("Every target of Sources has its place in the table, and every place its target")
    func targets() throws {
        let folders = Set(
            Checkout.files(under: "Sources").compactMap {
                $0.split(separator: "/").dropFirst().first.map(String.init)
            })
        #expect(folders == Set(permittedImports.keys).union(cTargets))
    }

    @Test("Nothing imports upwards or sideways", arguments: permittedImports.keys.sorted())
    func imports(target: String) throws {
        var permitted = permittedImports[target, default: []].union(pureModules)
        if target != "Protocol" { permitted.formUnion(systemModules) }
        for file in Checkout.files(under: "Sources/\(target)", suffixes: [".swift"]) {
            for module in try importedModules(try Checkout.text(file)) {
                #expect(permitted.contains(module), "\(file) imports \(module)")
            }
        }
    }

    @Test("The table itself has no way round: what a target may import never imports it")
    func noCycle() {
        func reachable(_ target: String) -> Set<String> {
            permittedImports[target, default: []].reduce(into: []) {
                $0.formUnion(reachable($1).union([$1]))
            }
        }
        for target in permittedImports.keys {
            #expect(!reachable(target).contains(target), "\(target)")
        }
    }

    @Test("Each C target has one Swift target that knows it")
    func cOwners() {
        for cTarget in cTargets {
            let owners = permittedImports.filter { $0.value.contains(cTarget) }
            #expect(owners.count == 1, "\(cTarget)")
        }
    }

    @Test("The programs hold a main each, and no logic")
    func mains() throws {
        for program in ["qubes-btrfsd", "qubes-btrfs-worker", "qvm-btrfs"] {
            let files = Checkout.files(under: "Sources/\(program)", suffixes: [".swift"])
            #expect(files.count == 1, "\(program)")
            for file in files { #expect(try Checkout.lines(file).count <= 40, "\(file)") }
        }
    }
}
