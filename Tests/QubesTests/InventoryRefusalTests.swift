// SPDX-License-Identifier: GPL-2.0-or-later
import Qubes
import Testing

/// What is no qubes.xml at all is refused whole.
@Suite struct InventoryRefusalTests {
    func reason(_ xml: String) -> InventoryError.Reason? {
        #expect(throws: InventoryError.self) { try SampleInventory.parse(xml) }?.reason
    }

    @Test(arguments: [
        "", " ", "x", "<qubes>", "<qubes/><qubes/>", "<qubes a='1' a='2'/>", "<qubes>&who;</qubes>",
        "<qubes a='&who;'/>", "<qubes>\0</qubes>", "<qubes>&#0;</qubes>", "\u{feff}",
        "<qubes>\u{1b}</qubes>",
    ])
    func `What is no XML is refused with libxml2's reason`(xml: String) {
        guard case .notWellFormed = reason(xml) else {
            Issue.record("\(xml.debugDescription) is taken for XML")
            return
        }
    }

    @Test func `Bytes that are no UTF-8 are refused`() {
        let error = #expect(throws: InventoryError.self) {
            try Inventory.parse(Array("<qubes>".utf8) + [0xff, 0xfe] + Array("</qubes>".utf8))
        }
        guard case .notWellFormed = error?.reason else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `Another encoding than UTF-8 is refused: no bound would hold in it`() {
        let sixteen = SampleInventory.xml.replacing("utf-8", with: "utf-16").utf16
        let error = #expect(throws: InventoryError.self) {
            try Inventory.parse(
                [0xff, 0xfe] + sixteen.flatMap { [UInt8($0 & 0xff), UInt8($0 >> 8)] })
        }
        guard case .notWellFormed = error?.reason else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `The line and the printable reason are told`() {
        let error = #expect(throws: InventoryError.self) {
            try SampleInventory.parse("<qubes>\n\n<\u{e4}\u{202e}/>\n</qubes>")
        }
        #expect(error?.line == 3)
        #expect(error?.description.utf8.allSatisfy { (0x20...0x7e).contains($0) } == true)
    }

    @Test(arguments: [
        "<!DOCTYPE qubes>", "<!DOCTYPE qubes SYSTEM \"file:///etc/passwd\">",
        "<!DOCTYPE qubes PUBLIC \"x\" \"http://192.0.2.1/x.dtd\">", "<!DOCTYPE qubes []>",
        "<!DOCTYPE qubes [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>",
        "<!DOCTYPE qubes [<!ENTITY % p SYSTEM 'file:///etc/passwd'> %p;]>",
    ])
    func `A document type is refused, whatever is in it`(documentType: String) {
        let xml = SampleInventory.xml.replacing("<qubes>", with: "\(documentType)<qubes>")
        #expect(reason(xml) == .documentType)
    }

    @Test func `A bomb of entities is refused before any of it is read`() {
        let entities = (1...20).map { "<!ENTITY e\($0) '&e\($0 - 1);&e\($0 - 1);&e\($0 - 1);'>" }
        let xml = "<!DOCTYPE qubes [<!ENTITY e0 'bomb'>\(entities.joined())]><qubes>&e20;</qubes>"
        #expect(reason(xml) == .documentType)
    }

    @Test func `Another document is refused`() {
        #expect(reason("<a/>") == .invalid(what: "root element", value: "'a'"))
    }

    @Test(arguments: [
        "<qubes xmlns='urn:x'/>", "<x:qubes xmlns:x='urn:x'/>", "<qubes xmlns:x='urn:x'/>",
        "<qubes xml:lang='en'/>", "<qubes><x:pools xmlns:x='urn:x'/><domains/></qubes>",
    ])
    func `A document in a namespace is refused: it would give two things one name`(xml: String) {
        #expect(reason(xml) == .namespace)
    }

    @Test(arguments: ["pools", "domains"])
    func `A document without a section that qubesd always writes is refused`(section: String) {
        let xml = "<qubes><pools/><domains/></qubes>"
        #expect(throws: Never.self) { try SampleInventory.parse(xml) }
        #expect(reason(xml.replacing("<\(section)/>", with: "")) == .missing(section))
    }

    @Test(arguments: ["pools", "domains"])
    func `A second section is refused`(section: String) {
        let xml = "<qubes><pools/><domains/><\(section)/></qubes>"
        #expect(reason(xml) == .duplicate(section))
    }
}
