// SPDX-License-Identifier: GPL-2.0-or-later
import Qubes
import SystemCalls
import SystemPackage
import Testing

@Suite struct InventoryTests {
    @Test func `Pools come with driver and directory`() throws {
        let inventory = try SampleInventory.parse(SampleInventory.xml)
        #expect(
            inventory.pools == [
                Pool(name: "varlibqubes", driver: "file-reflink", directory: "/var/lib/qubes"),
                Pool(
                    name: "linux-kernel", driver: "linux-kernel",
                    directory: "/var/lib/qubes/vm-kernels"),
            ])
        #expect(inventory.imagePools.map(\.name) == ["varlibqubes"])
    }

    @Test func `The AdminVM of id domain-0 is dom0, and its features are the defaults`() throws {
        let inventory = try SampleInventory.parse(SampleInventory.xml)
        #expect(inventory.qubes.map(\.name) == ["dom0", "deb", "work"])
        #expect(inventory.adminFeatures == ["btrfs.compress": "zstd:9"])
    }

    @Test func `A template comes with its UUID and volumes`() throws {
        let inventory = try SampleInventory.parse(SampleInventory.xml)
        #expect(
            inventory.qube(named: "deb")
                == Qube(
                    name: "deb", uuid: "6f1c0c3e-8d7b-4f0e-9c55-0a4be1a7d2c1", kind: "TemplateVM",
                    volumes: [
                        Volume(
                            name: "root", pool: "varlibqubes",
                            identifier: "vm-templates/deb/root", snapshotOnStart: false,
                            saveOnStop: true, sizeBytes: 21_474_836_480),
                        Volume(
                            name: "kernel", pool: "linux-kernel", identifier: "6.12.59-1.fc41",
                            snapshotOnStart: false, saveOnStop: false, sizeBytes: 0),
                    ]))
    }

    @Test func `A qube comes with template, tags, features and volumes`() throws {
        let inventory = try SampleInventory.parse(SampleInventory.xml)
        let work = try #require(inventory.qube(named: "work"))
        #expect(work.kind == "AppVM")
        #expect(work.template == "deb")
        #expect(work.uuid == nil)
        #expect(work.tags == ["created-by-mgmt"])
        #expect(work.volumes.map(\.name) == ["root", "private", "volatile", "kernel"])
        #expect(work.volumes.map(\.isVolatile) == [false, false, true, true])
        #expect(work.volumes[0].source == "vm-templates/deb/root")
    }

    @Test func `The entities of XML itself are decoded, in values and in texts`() throws {
        let inventory = try SampleInventory.parse(SampleInventory.xml)
        #expect(
            inventory.qube(named: "work")?.features
                == ["servicevm": "1", "a&b": "<\u{e4}\n", "empty": ""])
    }

    @Test func `A qube that brings its own kernel has an empty identifier there`() throws {
        let inventory = try SampleInventory.parse(SampleInventory.xml)
        #expect(inventory.qube(named: "work")?.volumes.last?.identifier == "")
    }

    @Test func `Comments and CDATA change nothing`() throws {
        let xml = SampleInventory.xml
            .replacing("<qubes>", with: "<!-- a --><qubes><!-- b -->")
            .replacing("<pools>", with: "<pools><!-- <pool/> --><?x y?>")
            .replacing(">zstd:9<", with: "><![CDATA[zst]]>d:<!-- c -->9<")
        let plain = try SampleInventory.parse(SampleInventory.xml)
        #expect(try SampleInventory.parse(xml) == plain)
    }

    @Test(arguments: ["a", "Z9_.-", String(repeating: "x", count: 31)])
    func `A name that Qubes allows is taken`(name: String) throws {
        let inventory = try SampleInventory.parse(SampleInventory.qube(name: name))
        #expect(inventory.qubes.map(\.name) == [name])
    }

    @Test func `A file is read`() throws {
        let path = FilePath("/tmp/qubes-\(UInt64.random(in: 0...UInt64.max)).xml")
        try Descriptor.open(path, [.writeOnly, .create, .exclusive])
            .write(Array(SampleInventory.xml.utf8))
        let inventory = try Inventory.read(path: path)
        try Descriptor.open("/tmp", .directory).remove(entry: path.lastComponent?.string ?? "")
        #expect(try inventory == SampleInventory.parse(SampleInventory.xml))
    }

    @Test func `A file that is not there is named`() {
        let error = #expect(throws: InventoryError.self) {
            try Inventory.read(path: "/nonexistent/qubes.xml")
        }
        #expect(error?.reason == .unreadable(.noSuchFileOrDirectory))
        #expect(error?.subject == "'/nonexistent/qubes.xml'")
    }

    @Test func `A file that is too long is not read to its end`() throws {
        let path = FilePath("/tmp/qubes-\(UInt64.random(in: 0...UInt64.max)).xml")
        try Descriptor.open(path, [.writeOnly, .create, .exclusive])
            .truncate(toBytes: UInt64(InventoryLimits.fileBytes) + 1)
        let error = #expect(throws: InventoryError.self) { try Inventory.read(path: path) }
        try Descriptor.open("/tmp", .directory).remove(entry: path.lastComponent?.string ?? "")
        // What is parsed, and too long then, is named as the document.
        #expect(error?.reason == .tooLong && error?.subject == "'\(path)'")
    }

    @Test(arguments: ["/dev/null", "/tmp"])
    func `What is no regular file is not read`(path: String) {
        let error = #expect(throws: InventoryError.self) {
            try Inventory.read(path: FilePath(path))
        }
        #expect(error?.reason == .notAFile)
    }

    @Test func `Many threads read at once`() throws {
        let expected = try SampleInventory.parse(SampleInventory.xml)
        try concurrently(count: 64, threads: 8, failure: InventoryError.self) {
            _ throws(InventoryError) in
            let good = try SampleInventory.parse(SampleInventory.xml)
            #expect(good == expected)
            #expect(throws: InventoryError.self) { try SampleInventory.parse("<qubes>&x;") }
        }
    }
}
