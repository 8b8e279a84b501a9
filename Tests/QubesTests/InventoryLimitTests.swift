// SPDX-License-Identifier: GPL-2.0-or-later
import Qubes
import Testing

/// Each bound is met exactly, and then passed by one.
@Suite struct InventoryLimitTests {
    func reason(_ xml: String) -> InventoryError.Reason? {
        #expect(throws: InventoryError.self) { try SampleInventory.parse(xml) }?.reason
    }

    func repeated(_ count: Int, _ item: (Int) -> String) -> String {
        (0..<count).map(item).joined()
    }

    @Test func `A document as long as the limit is read, one byte more is not`() throws {
        let bytes = Array(SampleInventory.xml.utf8)
        let space = [UInt8](repeating: 0x20, count: InventoryLimits.fileBytes - bytes.count)
        #expect(try Inventory.parse(bytes + space).qubes.count == 3)
        let error = #expect(throws: InventoryError.self) {
            try Inventory.parse(bytes + space + [0x20])
        }
        #expect(error?.reason == .tooLong)
    }

    @Test func `As much markup as the limit is read, one element more is not`() throws {
        let whole = "<qubes><pools/><domains/></qubes>"
        let count = InventoryLimits.markupCharacters - whole.count { $0 == "<" }
        func document(_ count: Int) -> String {
            whole.replacing("</qubes>", with: repeated(count) { _ in "<a/>" } + "</qubes>")
        }
        #expect(try SampleInventory.parse(document(count)).qubes.isEmpty)
        #expect(
            reason(document(count + 1))
                == .tooMany("'<'", limit: InventoryLimits.markupCharacters))
    }

    @Test func `Elements as deep as the limit are read, one deeper is not`() throws {
        func nested(_ depth: Int) -> String {
            let inner = depth - 1
            return "<qubes><pools/><domains/>" + repeated(inner) { _ in "<a>" }
                + repeated(inner) { _ in "</a>" } + "</qubes>"
        }
        #expect(try SampleInventory.parse(nested(InventoryLimits.depth)).qubes.isEmpty)
        #expect(reason(nested(InventoryLimits.depth + 1)) == .tooDeep)
    }

    @Test(arguments: [200, 1000, 1_000_000])
    func `Elements far deeper than the limit are refused and harm nothing`(depth: Int) {
        #expect(reason("<qubes>" + String(repeating: "<a>", count: depth)) != nil)
        let closed =
            String(repeating: "<a>", count: depth) + String(repeating: "</a>", count: depth)
        #expect(reason(closed) != nil)
    }

    @Test func `Pools up to the limit are read, one more is not`() throws {
        func document(_ count: Int) -> String {
            "<qubes><pools>" + repeated(count) { "<pool name='p\($0)' driver='file'/>" }
                + "</pools><domains/></qubes>"
        }
        let full = try SampleInventory.parse(document(InventoryLimits.pools))
        #expect(full.pools.count == InventoryLimits.pools)
        #expect(
            reason(document(InventoryLimits.pools + 1))
                == .tooMany("elements in pools", limit: InventoryLimits.pools))
    }

    @Test func `Qubes up to the limit are read, one more is not`() throws {
        func document(_ count: Int) -> String {
            SampleInventory.document(
                domains: repeated(count) {
                    "<domain id='domain-\($0 + 1)' class='AppVM'><properties>"
                        + "<property name='name'>q\($0)</property></properties></domain>"
                })
        }
        let full = try SampleInventory.parse(document(InventoryLimits.qubes))
        #expect(full.qubes.count == InventoryLimits.qubes)
        #expect(
            reason(document(InventoryLimits.qubes + 1))
                == .tooMany("elements in domains", limit: InventoryLimits.qubes))
    }

    @Test(arguments: [
        ("volume-config", "volume", InventoryLimits.volumesPerQube),
        ("features", "feature", InventoryLimits.featuresPerQube),
        ("tags", "tag", InventoryLimits.tagsPerQube),
    ])
    func `What a qube has up to the limit is read, with one more it is left out`(
        section: String, element: String, limit: Int
    ) throws {
        func document(_ count: Int) -> String {
            let items = repeated(count) {
                "<\(element) name='x\($0)' pool='varlibqubes' vid='a/x\($0)'/>"
            }
            return SampleInventory.qube(sections: "<\(section)>\(items)</\(section)>")
        }
        let qube = try #require(SampleInventory.parse(document(limit)).qube(named: "work"))
        #expect(max(qube.volumes.count, qube.features.count, qube.tags.count) == limit)
        let over = try SampleInventory.parse(document(limit + 1))
        #expect(over.qubes.isEmpty)
        #expect(
            over.leftOut.map(\.error.reason)
                == [.tooMany("elements in \(section)", limit: limit)])
    }

    @Test func `A document that is cut anywhere is refused`() {
        let bytes = Array(SampleInventory.xml.utf8)
        for count in bytes.indices {
            #expect(throws: InventoryError.self, "cut after \(count) bytes") {
                try Inventory.parse(Array(bytes[..<count]))
            }
        }
    }

    @Test func `A document with any one byte changed is read, in part, or refused`() {
        let bytes = Array(SampleInventory.xml.utf8)
        var refused = 0
        for index in bytes.indices {
            for byte: UInt8 in [0, UInt8(ascii: "<"), UInt8(ascii: "&"), 0x80] {
                var changed = bytes
                changed[index] = byte
                do { _ = try Inventory.parse(changed) } catch { refused += 1 }
            }
        }
        #expect(refused > bytes.count)
    }
}
