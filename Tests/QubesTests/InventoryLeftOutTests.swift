// SPDX-License-Identifier: GPL-2.0-or-later
import Qubes
import Testing

/// Every test here gives one thing that is wrong to an inventory that is otherwise whole: it is
/// left out, named, and all others are read.
@Suite struct InventoryLeftOutTests {
    /// A qube that is as it should be, in a pool of its own.
    private static let pool =
        "<pool name='sound' dir_path='/mnt/sound' driver='file-reflink'/></pools>"
    private static let qube = """
        <domain id="domain-99" class="AppVM"><properties><property name="name">sound</property>
        </properties><volume-config><volume name="private" pool="sound" vid="a/private"/>
        </volume-config></domain></domains>
        """

    /// What is left out first of a document, to which a qube is added that must go on.
    func leftOut(_ xml: String, kind: LeftOut.Kind? = nil) -> LeftOut? {
        let whole = xml.replacing("</pools>", with: Self.pool)
            .replacing("</domains>", with: Self.qube)
        guard let inventory = try? SampleInventory.parse(whole) else {
            Issue.record("refused whole")
            return nil
        }
        let sound = inventory.qube(named: "sound")
        #expect(sound?.volumes.map(\.identifier) == ["a/private"])
        #expect(!inventory.leftOut.isEmpty)
        if let kind { #expect(inventory.leftOut.first?.kind == kind) }
        return inventory.leftOut.first
    }

    func reason(_ xml: String) -> InventoryError.Reason? { leftOut(xml)?.error.reason }

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
    func `A name that no qube can have is left out`(name: String) {
        guard case .invalid(what: "name", _) = reason(SampleInventory.qube(name: name)) else {
            Issue.record("\(name.debugDescription) is taken for a name")
            return
        }
    }

    @Test func `A qube without a name is left out, and named by its id`() {
        let error = leftOut(SampleInventory.qube(name: nil))?.error
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

    @Test func `Two qubes of one name are left out`() {
        let xml = SampleInventory.xml.replacing(">deb</property><", with: ">work</property><")
        #expect(
            reason(xml.replacing("name=\"name\">deb<", with: "name=\"name\">work<"))
                == .invalid(what: "another's name", value: "'work'"))
    }

    @Test(arguments: ["class", "id"])
    func `A qube without class or id is left out`(attribute: String) {
        let xml = SampleInventory.qube().replacing(" \(attribute)=", with: " x\(attribute)=")
            .replacing("label xid", with: "label id")
        #expect(reason(xml) == .missing(attribute))
    }

    @Test(arguments: ["uuid", "template"])
    func `A property that cannot be is left out`(property: String) {
        let xml = SampleInventory.qube(properties: "<property name=\"\(property)\">/</property>")
        #expect(reason(xml) == .invalid(what: property, value: "'/'"))
    }

    @Test(arguments: ["property", "feature", "tag"])
    func `What is said twice is left out`(element: String) {
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
    func `An identifier that could lead out of its pool is left out`(identifier: String) {
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
    func `A volume without what names it is left out`(attribute: String) {
        let whole = "name=\"root\" pool=\"varlibqubes\" vid=\"a/root\""
        #expect(throws: Never.self) { try SampleInventory.parse(SampleInventory.volume(whole)) }
        let xml = SampleInventory.volume(whole.replacing("\(attribute)=", with: "x="))
        #expect(reason(xml) == .missing(attribute))
    }

    @Test(arguments: [
        ("size", "-1"), ("size", "1.5"), ("size", ""), ("size", " 1"),
        ("size", "18446744073709551616"), ("snap_on_start", "true"), ("save_on_stop", "1"),
        ("snap_on_start", ""),
    ])
    func `A volume with a value that cannot be is left out, and named with its qube`(
        attribute: String, value: String
    ) {
        var values = ["name": "root", "pool": "varlibqubes", "vid": "a/root"]
        values[attribute] = value
        let attributes = values.map { "\($0.key)=\"\($0.value)\"" }.joined(separator: " ")
        let error = leftOut(SampleInventory.volume(attributes), kind: .volume)?.error
        #expect(error?.reason == .invalid(what: attribute, value: "'\(value)'"))
        #expect(error?.subject == "volume 'root' of domain 'domain-7'")
    }

    @Test(arguments: ["gone", "a:b", ""])
    func `A volume in a pool that is not there is left out, and named with its qube`(pool: String) {
        let xml = SampleInventory.volume("name=\"root\" pool=\"\(pool)\" vid=\"a/root\"")
        let found = leftOut(xml, kind: .volume)
        #expect(found?.error.reason == .noSuchPool("'\(pool)'"))
        #expect(found?.qube == "work")
        #expect(found?.error.subject == "volume 'root' of domain 'domain-7'")
    }

    @Test(arguments: [
        "<x:domain xmlns:x='urn:x' id='domain-8' class='AppVM'/>",
        "<domain xml:lang='en' id='domain-8' class='AppVM'/>",
    ])
    func `What is in a namespace is left out, not taken for what it looks like`(domain: String) {
        let xml = SampleInventory.document(domains: domain)
        #expect(leftOut(xml, kind: .qube)?.error.reason == .namespace)
    }

    @Test func `Two volumes of one name are left out`() {
        let xml = SampleInventory.xml.replacing("name=\"private\"", with: "name=\"root\"")
        #expect(reason(xml) == .duplicate("of its name"))
    }

    @Test(arguments: ["var/lib", "", "/var/../etc", "/var//lib", "/var/lib/", "//", "/a&#10;"])
    func `A directory of images that is no plain absolute path is left out`(directory: String) {
        let xml = SampleInventory.xml.replacing("\"/var/lib/qubes\"", with: "\"\(directory)\"")
        guard case .invalid(what: "dir_path", _) = reason(xml) else {
            Issue.record("\(directory) is taken for a directory")
            return
        }
    }

    @Test func `A pool of images without a directory is left out`() {
        let xml = SampleInventory.xml.replacing("dir_path=\"/var/lib/qubes\"", with: "")
        #expect(reason(xml) == .missing("dir_path"))
    }

    @Test(arguments: ["", "a:b", "a&#9;b"])
    func `A pool by a name that cannot be is left out`(name: String) {
        let xml = SampleInventory.xml.replacing(
            "<pool name=\"varlibqubes\"", with: "<pool name=\"\(name)\"")
        guard case .invalid(what: "name", _) = reason(xml) else {
            Issue.record("\(name.debugDescription) is taken for a name")
            return
        }
    }

    @Test func `Two pools of one name are left out`() {
        let xml = SampleInventory.xml.replacing(
            "<pool name=\"linux-kernel\"", with: "<pool name=\"varlibqubes\"")
        #expect(reason(xml) == .duplicate("of its name"))
    }

    @Test func `A hostile value is escaped and cut in the error`() {
        let value = "&#x1b;".prefix(0) + "\u{202e}'" + String(repeating: "y", count: 200)
        let error = leftOut(SampleInventory.qube(name: String(value)))?.error
        let text = error?.description ?? ""
        #expect(text.utf8.allSatisfy { (0x20...0x7e).contains($0) })
        #expect(text.utf8.count < 200)
        #expect(text.contains("\\xe2\\x80\\xae\\'yyy"))
    }
}
