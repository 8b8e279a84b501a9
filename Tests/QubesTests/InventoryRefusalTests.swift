// SPDX-License-Identifier: GPL-2.0-or-later
import Qubes
import Testing

/// Every test here gives one thing that is wrong to an inventory that is otherwise whole.
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
        "<qubes xml:lang='en'/>",
    ])
    func `A namespace is refused: it would give two things one name`(xml: String) {
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

    @Test(arguments: ["pool", "domain", "volume", "feature", "tag", "property"])
    func `An element by a name that is not known is not passed over`(element: String) {
        let xml = SampleInventory.xml.replacing("<\(element) ", with: "<odd ")
            .replacing("</\(element)>", with: "</odd>")
        #expect(reason(xml) == .invalid(what: "an element", value: "'odd'"))
    }

    @Test(arguments: [
        "", "1work", "-work", "wo rk", "work\n", "wörk", "a/b", "..", "dom0",
        String(repeating: "x", count: 32),
    ])
    func `A name that no qube can have is refused`(name: String) {
        guard case .invalid(what: "name", _) = reason(SampleInventory.qube(name: name)) else {
            Issue.record("\(name.debugDescription) is taken for a name")
            return
        }
    }

    @Test func `A qube without a name is refused, and named by its id`() {
        let error = #expect(throws: InventoryError.self) {
            try SampleInventory.parse(SampleInventory.qube(name: nil))
        }
        #expect(error?.reason == .missing("name"))
        #expect(error?.subject == "domain 'domain-7'")
        #expect(error?.line == 10)
    }

    @Test func `Only the AdminVM is domain-0, and only domain-0 the AdminVM`() {
        #expect(
            reason(SampleInventory.qube(kind: "AdminVM"))
                == .invalid(what: "id", value: "'domain-7'"))
        #expect(
            reason(SampleInventory.qube(id: "domain-0"))
                == .invalid(what: "class", value: "'AppVM'"))
    }

    @Test func `Two qubes of one name are refused`() {
        let xml = SampleInventory.xml.replacing(">deb</property><", with: ">work</property><")
        #expect(
            reason(xml.replacing("name=\"name\">deb<", with: "name=\"name\">work<"))
                == .invalid(what: "another's name", value: "'work'"))
    }

    @Test(arguments: ["class", "id"])
    func `A qube without class or id is refused`(attribute: String) {
        let xml = SampleInventory.qube().replacing(" \(attribute)=", with: " x\(attribute)=")
            .replacing("label xid", with: "label id")
        #expect(reason(xml) == .missing(attribute))
    }

    @Test(arguments: ["uuid", "template"])
    func `A property that cannot be is refused`(property: String) {
        let xml = SampleInventory.qube(properties: "<property name=\"\(property)\">/</property>")
        #expect(reason(xml) == .invalid(what: property, value: "'/'"))
    }

    @Test(arguments: ["property", "feature", "tag"])
    func `What is said twice is refused`(element: String) {
        let section = element == "property" ? "properties" : element + "s"
        let item = "<\(element) name=\"x\">1</\(element)>"
        let xml =
            element == "property"
            ? SampleInventory.qube(properties: item + item)
            : SampleInventory.qube(sections: "<\(section)>\(item)\(item)</\(section)>")
        #expect(reason(xml) == .duplicate("\(element) 'x'"))
    }

    @Test(arguments: [
        "/etc/passwd", "../root", "appvms/../../root", "appvms/work/..", "..", ".", "./a", "", "/",
        "appvms//root", "appvms/work/", "appvms/a&#10;b/root", "appvms/&#127;/root",
        String(repeating: "x", count: 256), String(repeating: "a/", count: 512) + "a",
    ])
    func `An identifier that could lead out of its pool is refused`(identifier: String) {
        for attribute in ["vid", "source"] {
            var values = ["vid": "appvms/work/root", "source": "vm-templates/deb/root"]
            values[attribute] = identifier
            let attributes = values.map { "\($0.key)=\"\($0.value)\"" }.joined(separator: " ")
            let xml = SampleInventory.volume("name=\"root\" pool=\"varlibqubes\" \(attributes)")
            guard case .invalid(what: attribute, _) = reason(xml) else {
                Issue.record("\(identifier.debugDescription) is taken for a path")
                continue
            }
        }
    }

    @Test(arguments: ["name", "pool", "vid"])
    func `A volume without what names it is refused`(attribute: String) {
        let whole = "name=\"root\" pool=\"varlibqubes\" vid=\"a/root\""
        #expect(throws: Never.self) { try SampleInventory.parse(SampleInventory.volume(whole)) }
        let xml = SampleInventory.volume(whole.replacing("\(attribute)=", with: "x="))
        #expect(reason(xml) == .missing(attribute))
    }

    @Test(arguments: [
        ("pool", "nosuch"), ("size", "-1"), ("size", "1.5"), ("size", ""), ("size", " 1"),
        ("size", "18446744073709551616"), ("snap_on_start", "true"), ("save_on_stop", "1"),
        ("snap_on_start", ""),
    ])
    func `A volume with a value that cannot be is refused, and named with its qube`(
        attribute: String, value: String
    ) {
        var values = ["name": "root", "pool": "varlibqubes", "vid": "a/root"]
        values[attribute] = value
        let attributes = values.map { "\($0.key)=\"\($0.value)\"" }.joined(separator: " ")
        let error = #expect(throws: InventoryError.self) {
            try SampleInventory.parse(SampleInventory.volume(attributes))
        }
        #expect(error?.reason == .invalid(what: attribute, value: "'\(value)'"))
        #expect(error?.subject == "volume 'root' of domain 'domain-7'")
    }

    @Test func `Two volumes of one name are refused`() {
        let xml = SampleInventory.xml.replacing("name=\"private\"", with: "name=\"root\"")
        #expect(reason(xml) == .duplicate("volume 'root'"))
    }

    @Test(arguments: ["var/lib", "", "/var/../etc", "/var//lib", "/var/lib/", "//", "/a&#10;"])
    func `A directory of images that is no plain absolute path is refused`(directory: String) {
        let xml = SampleInventory.xml.replacing("\"/var/lib/qubes\"", with: "\"\(directory)\"")
        guard case .invalid(what: "dir_path", _) = reason(xml) else {
            Issue.record("\(directory) is taken for a directory")
            return
        }
    }

    @Test func `A pool of images without a directory is refused`() {
        let xml = SampleInventory.xml.replacing("dir_path=\"/var/lib/qubes\"", with: "")
        #expect(reason(xml) == .missing("dir_path"))
    }

    @Test(arguments: ["", "a:b", "a&#9;b"])
    func `A pool by a name that cannot be is refused`(name: String) {
        let xml = SampleInventory.xml.replacing(
            "<pool name=\"varlibqubes\"", with: "<pool name=\"\(name)\"")
        guard case .invalid(what: "name", _) = reason(xml) else {
            Issue.record("\(name.debugDescription) is taken for a name")
            return
        }
    }

    @Test func `Two pools of one name are refused`() {
        let xml = SampleInventory.xml.replacing(
            "<pool name=\"linux-kernel\"", with: "<pool name=\"varlibqubes\"")
        #expect(reason(xml) == .duplicate("pool 'varlibqubes'"))
    }

    @Test func `A hostile value is escaped and cut in the error`() {
        let value = "&#x1b;".prefix(0) + "\u{202e}'" + String(repeating: "y", count: 200)
        let error = #expect(throws: InventoryError.self) {
            try SampleInventory.parse(SampleInventory.qube(name: String(value)))
        }
        let text = error?.description ?? ""
        #expect(text.utf8.allSatisfy { (0x20...0x7e).contains($0) })
        #expect(text.utf8.count < 200)
        #expect(text.contains("\\xe2\\x80\\xae\\'yyy"))
    }
}
