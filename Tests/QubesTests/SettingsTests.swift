// SPDX-License-Identifier: GPL-2.0-or-later
import Qubes
import Testing

@Suite struct SettingsTests {
    /// dom0, a template, a qube and a disposable that start from it, and a standalone qube, with
    /// features for some of them by name.
    func inventory(_ features: [String: [String: String]] = [:]) -> Inventory {
        func qube(
            _ name: String, _ kind: String, _ volumes: [Volume] = [], template: String? = nil
        ) -> Qube {
            Qube(
                name: name, kind: kind, template: template, features: features[name] ?? [:],
                volumes: volumes)
        }
        func kept(_ name: String, _ directory: String, pool: String = "main") -> Volume {
            Volume(
                name: name, pool: pool, identifier: "\(directory)/\(name)", snapshotOnStart: false,
                saveOnStop: true, sizeBytes: 1)
        }
        func started(_ name: String, _ directory: String, from source: String) -> Volume {
            Volume(
                name: name, pool: "main", identifier: "\(directory)/\(name)", snapshotOnStart: true,
                saveOnStop: false, sizeBytes: 1, source: "\(source)/\(name)")
        }
        let template = "vm-templates/deb"
        return Inventory(
            pools: [Pool(name: "main", driver: Pool.imageDriver, directory: "/images")],
            qubes: [
                qube("dom0", "AdminVM"),
                qube("deb", "TemplateVM", [kept("root", template), kept("private", template)]),
                qube("fed", "TemplateVM", [kept("root", "vm-templates/fed")]),
                qube(
                    "work", "AppVM",
                    [
                        started("root", "appvms/work", from: template),
                        kept("private", "appvms/work"),
                    ],
                    template: "deb"),
                qube(
                    "disp1", "DispVM",
                    [
                        started("root", "appvms/disp1", from: template),
                        started("private", "appvms/disp1", from: "appvms/work"),
                    ], template: "work"),
                qube(
                    "alone", "StandaloneVM",
                    [kept("root", "appvms/alone"), kept("private", "appvms/alone")]),
                qube("other", "AppVM", [started("root", "appvms/other", from: "appvms/alone")]),
                qube("disp2", "DispVM", [started("root", "appvms/disp2", from: "appvms/work")]),
                qube("circle", "AppVM", [started("root", "appvms/circle", from: "appvms/circle")]),
            ])
    }

    @Test func aTemplateRootThatStartsFromItselfEndsTheSearch() throws {
        let root = Volume(
            name: "root", pool: "main", identifier: "vm-templates/odd/root", snapshotOnStart: true,
            saveOnStop: false, sizeBytes: 1, source: "vm-templates/odd/root")
        let odd = Qube(
            name: "odd", kind: "TemplateVM", template: nil, features: [:], volumes: [root])
        let whole = inventory()
        let inventory = Inventory(pools: whole.pools, qubes: whole.qubes + [odd])
        #expect(
            try settings("odd", in: inventory).dedupeGroup
                == settings("deb", in: inventory).dedupeGroup)
    }

    func settings(
        _ qube: String, _ volume: String = "root", in inventory: Inventory
    ) throws -> VolumeSettings {
        let qube = try #require(inventory.qube(named: qube))
        let volume = try #require(qube.volumes.first { $0.name == volume })
        return try inventory.settings(for: volume, of: qube)
    }

    func group(
        _ qube: String, _ volume: String = "root", _ features: [String: [String: String]] = [:]
    ) throws -> String {
        try settings(qube, volume, in: inventory(features)).dedupeGroup
    }

    func level(own: String?, default: String? = nil) throws -> Int? {
        var features: [String: [String: String]] = [:]
        features["work"] = own.map { ["btrfs.compress": $0] }
        features["dom0"] = `default`.map { ["btrfs.compress": $0] }
        return try settings("work", in: inventory(features)).compressionLevel
    }

    @Test func `Without features nothing is set`() throws {
        let settings = try settings("alone", in: inventory())
        #expect(
            settings
                == VolumeSettings(
                    compressionLevel: nil, skip: false,
                    dedupeGroup: "volume:main:appvms/alone/root"))
    }

    @Test(arguments: [("zstd:1", 1), ("zstd:19", 19), ("zstd:9", 9), ("zstd", 3), ("off", 0)])
    func `A compression is a level`(value: String, level: Int) throws {
        #expect(try self.level(own: value) == level)
        #expect(try self.level(own: nil, default: value) == level)
    }

    @Test func `A qube's own compression wins over dom0's, even over one that means nothing`()
        throws
    {
        #expect(try level(own: "zstd:5", default: "off") == 5)
        #expect(try level(own: "off", default: "zstd:5") == 0)
        #expect(try level(own: "zstd:5", default: "lzo") == 5)
    }

    @Test func `An empty compression on a qube keeps dom0's away`() throws {
        #expect(try level(own: "", default: "zstd:5") == nil)
    }

    @Test(arguments: [
        "zstd:0", "zstd:20", "zstd:", "zstd:-1", "zstd:03", "zstd:3 ", " zstd", "ZSTD", "zstd=3",
        "zlib", "lzo", "on", "1", "zstd:\u{663}", "zstd:99999999999999999999", "off\n",
    ])
    func `A compression that means nothing is an error with a remedy`(value: String) throws {
        let error = #expect(throws: SettingsError.self) { try level(own: value) }
        #expect(error?.qube == "work")
        #expect(error?.feature == .compress)
        #expect(error?.description.hasSuffix("qvm-features work btrfs.compress zstd:3") == true)
    }

    @Test func `A default that means nothing is dom0's error`() throws {
        let error = #expect(throws: SettingsError.self) { try level(own: nil, default: "lzo") }
        #expect(error?.qube == "dom0")
        #expect(error?.value == "'lzo'")
    }

    @Test func `A hostile value is escaped and cut in the error`() throws {
        let value = "\u{1b}[2J\u{202e}" + String(repeating: "y", count: 500)
        for feature in ["btrfs.compress", "btrfs.skip", "btrfs.dedupe-group"] {
            let error = #expect(throws: SettingsError.self) {
                try settings("work", in: inventory(["work": [feature: value]]))
            }
            let text = try #require(error?.description)
            #expect(text.contains(feature))
            #expect(text.utf8.allSatisfy { (0x20...0x7e).contains($0) })
            #expect(text.utf8.count < 300)
        }
    }

    @Test(arguments: [("1", true), ("0", false), ("", false)])
    func `A qube is left out when it says so`(value: String, skip: Bool) throws {
        let own = inventory(["work": ["btrfs.skip": value], "dom0": ["btrfs.skip": "1"]])
        #expect(try settings("work", in: own).skip == skip)
        let byDefault = inventory(["dom0": ["btrfs.skip": value]])
        #expect(try settings("work", "private", in: byDefault).skip == skip)
    }

    @Test(arguments: ["true", "yes", "2", "01", " 1"])
    func `Whether to skip is not guessed`(value: String) {
        let error = #expect(throws: SettingsError.self) {
            try settings("work", in: inventory(["work": ["btrfs.skip": value]]))
        }
        #expect(error?.feature == .skip)
    }

    @Test func `The roots of templates, and what starts from them, are one group`() throws {
        for qube in ["deb", "fed", "work", "disp1", "disp2"] {
            #expect(try group(qube) == "templates")
        }
    }

    @Test func `Every other volume is a group of its own`() throws {
        #expect(try group("alone") == "volume:main:appvms/alone/root")
        #expect(try group("other") == "volume:main:appvms/other/root")
        #expect(try group("circle") == "volume:main:appvms/circle/root")
        for (qube, directory) in [
            ("deb", "vm-templates/deb"), ("work", "appvms/work"), ("disp1", "appvms/disp1"),
            ("alone", "appvms/alone"),
        ] {
            #expect(try group(qube, "private") == "volume:main:\(directory)/private")
        }
    }

    @Test func `A source of the same name in another pool is not the template's root`() throws {
        let base = inventory()
        let work = try #require(base.qube(named: "work"))
        let root = Volume(
            name: "root", pool: "second", identifier: "appvms/work/root", snapshotOnStart: true,
            saveOnStop: false, sizeBytes: 1, source: "vm-templates/deb/root")
        #expect(
            try base.settings(for: root, of: work).dedupeGroup == "volume:second:appvms/work/root")
    }

    @Test func `A named group takes all volumes of a qube, and those of others that name it`()
        throws
    {
        let features = ["work": ["btrfs.dedupe-group": "x"], "alone": ["btrfs.dedupe-group": "x"]]
        for qube in ["work", "alone"] {
            #expect(try group(qube, "root", features) == "named:x")
            #expect(try group(qube, "private", features) == "named:x")
        }
        #expect(try group("deb", "root", features) == "templates")
        #expect(try group("disp1", "root", features) == "templates")
    }

    @Test func `A template's named group takes the roots that start from it, and no private`()
        throws
    {
        let features = ["deb": ["btrfs.dedupe-group": "x"]]
        for qube in ["deb", "work", "disp1", "disp2"] {
            #expect(try group(qube, "root", features) == "named:x")
        }
        #expect(try group("fed", "root", features) == "templates")
        #expect(try group("work", "private", features) == "volume:main:appvms/work/private")
    }

    @Test func `A default on dom0 joins all`() throws {
        let features = ["dom0": ["btrfs.dedupe-group": "all"]]
        let inventory = inventory(features)
        for qube in inventory.qubes {
            for volume in qube.volumes {
                let settings = try inventory.settings(for: volume, of: qube)
                #expect(settings.dedupeGroup == "named:all")
            }
        }
    }

    @Test func `An empty group on a qube keeps it out of dom0's default`() throws {
        let features = [
            "dom0": ["btrfs.dedupe-group": "all"], "alone": ["btrfs.dedupe-group": ""],
            "deb": ["btrfs.dedupe-group": ""],
        ]
        #expect(try group("alone", "private", features) == "volume:main:appvms/alone/private")
        #expect(try group("deb", "root", features) == "templates")
        #expect(try group("work", "root", features) == "templates")
        #expect(try group("work", "private", features) == "named:all")
    }

    @Test(arguments: ["templates", "system", "volume", "named"])
    func `A named group is never one of the built-in ones`(name: String) throws {
        let features = ["alone": ["btrfs.dedupe-group": name]]
        #expect(try group("alone", "root", features) == "named:\(name)")
    }

    @Test(arguments: [
        "volume:main:appvms/work/private", "named:x", "a b", "a/b", "a\n", "\u{e4}", "*",
        String(repeating: "x", count: SettingsFeature.groupBytes + 1),
    ])
    func `A group by a name that could be taken for another is an error`(name: String) {
        let error = #expect(throws: SettingsError.self) {
            try group("alone", "root", ["alone": ["btrfs.dedupe-group": name]])
        }
        #expect(error?.feature == .dedupeGroup)
        #expect(error?.qube == "alone")
    }

    @Test func `A group's name may be as long as the limit`() throws {
        let name = String(repeating: "x", count: SettingsFeature.groupBytes)
        let features = ["alone": ["btrfs.dedupe-group": name]]
        #expect(try group("alone", "root", features) == "named:\(name)")
    }

    @Test func `Nothing that a template's feature spoils is passed over in what starts from it`() {
        let error = #expect(throws: SettingsError.self) {
            try group("work", "root", ["deb": ["btrfs.dedupe-group": "a b"]])
        }
        #expect(error?.qube == "deb")
    }
}
