// SPDX-License-Identifier: GPL-2.0-or-later
import Qubes
import Testing

/// What cannot be read may own files: they are left alone, as far as they can be known.
@Suite struct ProtectionTests {
    static let image = "pool='varlibqubes' vid='appvms/work/private'"
    static let sections =
        "<volume-config><volume name='private' \(image)/><volume name='kernel' pool='linux-kernel'"
        + " vid='6.12'/></volume-config>"

    func volume(
        _ owner: String, _ identifier: String = "appvms/work/private", pool: String = "varlibqubes"
    ) -> Protection.Volume {
        Protection.Volume(owner: owner, pool: pool, identifier: identifier)
    }

    @Test(arguments: [
        SampleInventory.qube(
            properties: "<property name='uuid'>not-a-uuid</property>", sections: sections),
        SampleInventory.qube(sections: "<features><odd/></features>" + sections),
        SampleInventory.qube(sections: "<features><feature/></features>" + sections),
        SampleInventory.qube(sections: sections + "<volume-config/>"),
        SampleInventory.qube(kind: "App VM", sections: sections),
    ])
    func `The images of a qube that is left out are protected under its name`(xml: String) throws {
        let inventory = try SampleInventory.parse(xml)
        #expect(inventory.qubes.isEmpty)
        #expect(inventory.leftOut.map(\.qube) == ["work"])
        #expect(inventory.protection.volumes == [volume("work")])
        #expect(!inventory.protection.hasUnknownPlaces)
    }

    @Test func `So are those of an element that nobody knows, under a name that no qube has`()
        throws
    {
        let xml = SampleInventory.document(
            domains: "<odd id='domain-3'><anything><image \(Self.image)/></anything></odd>")
        let inventory = try SampleInventory.parse(xml)
        #expect(inventory.leftOut.map(\.qube) == [nil])
        #expect(inventory.protection.volumes == [volume("left out: domain 'domain-3'")])
    }

    @Test func `A volume that is left out is protected, and the qube's others are read`() throws {
        let inventory = try SampleInventory.parse(
            SampleInventory.xml.replacing("size=\"2147483648\"", with: "size=\"much\""))
        #expect(inventory.leftOut.map(\.kind) == [.volume])
        #expect(
            inventory.qube(named: "work")?.volumes.map(\.name) == ["root", "volatile", "kernel"])
        #expect(inventory.protection.volumes == [volume("work")])
    }

    @Test(arguments: ["../x", "/etc/passwd", "a/../../b", ""])
    func `A path that leaves its pool is not followed, not even to protect what is there`(
        identifier: String
    ) throws {
        let inventory = try SampleInventory.parse(
            SampleInventory.volume("name='private' pool='varlibqubes' vid='\(identifier)'"))
        #expect(inventory.protection.volumes.isEmpty)
        #expect(inventory.protection.hasUnknownPlaces)
    }

    @Test func `A pool that is gone leaves the place of its images unknown`() throws {
        let inventory = try SampleInventory.parse(
            SampleInventory.volume("name='private' pool='gone' vid='a/private'"))
        #expect(inventory.qube(named: "work")?.volumes.isEmpty == true)
        #expect(inventory.protection.volumes.isEmpty)
        #expect(inventory.protection.hasUnknownPlaces)
    }

    @Test func `A pool that is left out keeps its directory, and its images are protected`() throws
    {
        let xml = SampleInventory.volume("name='private' pool='a:b' vid='x/private'")
            .replacing(
                "</pools>",
                with: "<pool name='a:b' driver='file-reflink' dir_path='/srv/b'/></pools>")
        let inventory = try SampleInventory.parse(xml)
        #expect(inventory.leftOut.map(\.kind) == [.pool, .volume])
        #expect(inventory.pools.map(\.name) == ["varlibqubes", "linux-kernel"])
        let pool = try #require(inventory.protection.pools.first)
        #expect(pool.directory == "/srv/b" && pool.name.contains(":"))
        #expect(inventory.protection.volumes == [volume("work", "x/private", pool: pool.name)])
        #expect(!inventory.protection.hasUnknownPlaces)
    }

    @Test func `Of two pools of one name neither is meant, and both are protected`() throws {
        let second = "<pool name='varlibqubes' driver='file-reflink' dir_path='/mnt'/></pools>"
        let inventory = try SampleInventory.parse(
            SampleInventory.qube(sections: Self.sections).replacing("</pools>", with: second))
        #expect(inventory.imagePools.isEmpty)
        #expect(inventory.protection.pools.map(\.directory) == ["/var/lib/qubes", "/mnt"])
        #expect(
            inventory.protection.volumes
                == inventory.protection.pools.map { volume("work", pool: $0.name) })
    }

    @Test(arguments: ["", "dir_path='../b'"])
    func `A pool of images whose directory cannot be read may lie anywhere`(path: String) throws {
        let xml = SampleInventory.qube().replacing(
            "</pools>", with: "<pool name='b' driver='file-reflink' \(path)/></pools>")
        #expect(try SampleInventory.parse(xml).protection.hasUnknownPlaces)
        let other = xml.replacing("name='b' driver='file-reflink'", with: "driver='lvm_thin'")
        let inventory = try SampleInventory.parse(other)
        #expect(inventory.leftOut.map(\.kind) == [.pool])
        #expect(!inventory.protection.hasUnknownPlaces)
    }

    @Test func `Of two qubes of one name neither is known, also where one is left out anyway`()
        throws
    {
        for bad in ["", "<property name='uuid'>?</property>"] {
            let first =
                "<domain id='domain-8' class='AppVM'><properties><property name='name'>work"
                + "</property>\(bad)</properties></domain>"
            let inventory = try SampleInventory.parse(
                SampleInventory.qube(sections: Self.sections)
                    .replacing("<domains>", with: "<domains>" + first))
            #expect(inventory.qubes.isEmpty)
            #expect(inventory.leftOut.map(\.qube) == ["work", "work"])
            #expect(inventory.protection.volumes == [volume("work")])
        }
    }

    @Test func `Without what is said of dom0 no default is known, and what a qube says counts`()
        throws
    {
        let inventory = try SampleInventory.parse(
            SampleInventory.xml.replacing("class=\"AdminVM\"", with: "class=\"\"")
                .replacing("<feature name=\"empty\"/>", with: "<feature name=\"btrfs.skip\"/>"))
        #expect(inventory.hasUnknownDefaults)
        let work = try #require(inventory.qube(named: "work"))
        let error = #expect(throws: SettingsError.self) {
            try inventory.settings(for: work.volumes[1], of: work)
        }
        #expect(error?.qube == "dom0" && error?.feature == .compress && error?.value == nil)
        #expect(error?.description.contains("qvm-btrfs check") == true)
        let sound = try SampleInventory.parse(SampleInventory.xml)
        #expect(!sound.hasUnknownDefaults)
    }

    @Test(arguments: [
        "<domain id='domain-8' class='RemoteVM'><properties><property name='name'>far</property>"
            + "</properties></domain>",
        "<domain id='domain-8' class='FooVM'><properties><property name='name'>foo</property>"
            + "</properties><volume-config><volume name='private' pool='p\u{e4} 1/+' vid='a/b'"
            + " revisions_to_keep='-1'/></volume-config><devices class='pci'/><devices/></domain>",
        "<domain id='domain-0' class='AdminVM'><properties/></domain>",
    ])
    func `What is only odd is read`(domain: String) throws {
        let pools =
            "<pool name='p\u{e4} 1/+' driver='file-reflink' dir_path='/mnt/odd'"
            + " revisions_to_keep='-1'/><pool name='new' driver='zfs' dir_path='x'/></pools>"
        let inventory = try SampleInventory.parse(
            SampleInventory.qube().replacing("</pools>", with: pools)
                .replacing("</domains>", with: domain + "</domains>"))
        #expect(inventory.leftOut.isEmpty)
        #expect(inventory.qubes.count == 2)
        #expect(inventory.protection == Protection())
    }

    @Test func `As many volumes as the limit are protected, one more refuses the document`() throws
    {
        func document(_ count: Int) -> String {
            let volumes = (0..<count).map { "<volume pool='varlibqubes' vid='a/\($0)'/>" }.joined()
            return SampleInventory.qube(sections: "<odd/><volume-config>\(volumes)</volume-config>")
        }
        let full = try SampleInventory.parse(document(InventoryLimits.protectedVolumes))
        #expect(full.protection.volumes.count == InventoryLimits.protectedVolumes)
        let error = #expect(throws: InventoryError.self) {
            try SampleInventory.parse(document(InventoryLimits.protectedVolumes + 1))
        }
        let limit = InventoryLimits.protectedVolumes
        #expect(error?.reason == .tooMany("volumes of what cannot be read", limit: limit))
    }

    @Test func `What mends it is a command, and no shell takes a pool's name apart`() throws {
        func command(_ pool: String) throws -> String? {
            try SampleInventory.parse(
                SampleInventory.volume("name='private' pool='\(pool)' vid='a/b'")
            ).leftOut.first?.command
        }
        #expect(
            try command("gone")
                == "qvm-pool add gone file-reflink -o dir_path=DIRECTORY  # or qvm-remove work")
        #expect(try command("$(reboot)")?.contains("reboot") == false)
        let uuid = try SampleInventory.parse(
            SampleInventory.qube(properties: "<property name='uuid'>?</property>"))
        #expect(uuid.leftOut.first?.command.contains("+10 /var/lib/qubes/qubes.xml") == true)
    }
}
