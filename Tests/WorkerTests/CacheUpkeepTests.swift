// SPDX-License-Identifier: GPL-2.0-or-later
import FoundationEssentials
import SystemCalls
import SystemPackage
import Testing

@testable import Worker

/// What is kept of file systems that are gone.
@Suite struct CacheUpkeepTests {
    private static let gone = "00112233445566778899aabbccddeeff"
    private static let here = "ffeeddccbbaa99887766554433221100"

    @Test func onlyWhatIsOldAndOfNoFileSystemThatIsMountedGoes() throws {
        let folder = try KernelFolder([
            "mounted/ffeeddcc-bbaa-9988-7766-554433221100/label": "x", "mounted/features/raid": "0",
        ])
        var names: Set<String> = []
        for identity in [Self.gone, Self.here] {
            for kind in ["fingerprints", "fingerprints2", "settled"] {
                names.insert("\(kind)-\(identity)")
            }
        }
        let others: Set = ["README", "settled-\(Self.gone)x", "settled", "a-b-\(Self.gone)"]
        for name in names.union(others) { try folder.add(["cache/\(name)": "kept"]) }
        let cache = SharedDescriptor(
            try Descriptor.open(folder.path.appending("cache"), [.readOnly, .directory]))
        func left(inDays days: Int64) throws -> Set<String> {
            let now = Int64(Date().timeIntervalSince1970) + days * 86_400
            CacheUpkeep(mounted: folder.path.appending("mounted"), now: now).prune(cache)
            return Set(try cache.descriptor.entries())
        }
        #expect(try left(inDays: 59) == names.union(others))
        #expect(
            try left(inDays: 61) == names.filter { $0.hasSuffix(Self.here) }.union(others))
        #expect(try left(inDays: 6100) == names.filter { $0.hasSuffix(Self.here) }.union(others))
    }
}
