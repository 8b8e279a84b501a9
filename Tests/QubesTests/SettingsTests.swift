// SPDX-License-Identifier: GPL-2.0-or-later
import Qubes
import Testing

@Suite struct SettingsTests {
    /// dom0, a template, a qube and a disposable that start from it, and a standalone qube, with
    /// features for some of them by name.
    func inventory(_ features: [String: [String: String]] = [:]) -> Inventory {
        func qube(
            _ name: String, _ kind: String, _ volumes: [Volume] = [], template: String? = nil,
            tags: Set<String> = []
        ) -> Qube {
            Qube(
                name: name, kind: kind, template: template, features: features[name] ?? [:],
                tags: tags, volumes: volumes)
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
                    "made", "TemplateVM", [kept("root", "vm-templates/made")],
                    tags: ["created-by-mgmt", "other"]),
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

    @Test(arguments: [
        ("zstd:1", 1), ("zstd:19", 19), ("zstd:9", 9), ("zstd:-1", -1), ("zstd:-15", -15),
        ("zstd", 3), ("off", 0),
    ])
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
        "zstd:0", "zstd:20", "zstd:", "zstd:-16", "zstd:-0", "zstd:--1", "zstd:-",
        "zstd:03", "zstd:3 ", " zstd", "ZSTD", "zstd=3",
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

    @Test func `The roots of templates are one group for each who has made them`() throws {
        #expect(try group("deb") == "templates:dom0")
        #expect(try group("fed") == "templates:dom0")
        #expect(try group("made") == "templates:mgmt")
    }

    @Test func `Every other volume is a group of its own, snapshots of templates among them`()
        throws
    {
        for (qube, directory) in [
            ("work", "appvms/work"), ("disp1", "appvms/disp1"), ("disp2", "appvms/disp2"),
            ("alone", "appvms/alone"), ("other", "appvms/other"), ("circle", "appvms/circle"),
        ] {
            #expect(try group(qube) == "volume:main:\(directory)/root")
        }
        for (qube, directory) in [
            ("deb", "vm-templates/deb"), ("work", "appvms/work"), ("disp1", "appvms/disp1"),
            ("alone", "appvms/alone"),
        ] {
            #expect(try group(qube, "private") == "volume:main:\(directory)/private")
        }
    }

    @Test func `A snapshot that lives from start to stop follows what it was made from`() throws {
        for qube in ["work", "disp1", "other"] {
            #expect(try settings(qube, in: inventory()).followsSource)
        }
        #expect(try settings("disp1", "private", in: inventory()).followsSource)
        for qube in ["deb", "alone"] {
            #expect(try !settings(qube, in: inventory()).followsSource)
        }
        #expect(try !settings("work", "private", in: inventory()).followsSource)
    }

    @Test func `A qube joins no group by itself`() throws {
        let features = ["work": ["btrfs.dedupe-group": "x"], "alone": ["btrfs.dedupe-group": "x"]]
        for qube in ["work", "alone"] {
            let own = "volume:main:appvms/\(qube)/private"
            #expect(try group(qube, "private", features) == own)
        }
        let byDefault = ["dom0": ["btrfs.dedupe-group": "x"]]
        #expect(try group("alone", "root", byDefault) == "volume:main:appvms/alone/root")
    }

    @Test func `A group that dom0 lists takes all volumes of its members, and nothing of others`()
        throws
    {
        let features = ["dom0": ["btrfs.dedupe-group.x": "work alone\tnosuch"]]
        for qube in ["work", "alone"] {
            #expect(try group(qube, "root", features) == "named:x")
            #expect(try group(qube, "private", features) == "named:x")
        }
        #expect(try group("deb", "root", features) == "templates:dom0")
        #expect(try group("disp1", "root", features) == "volume:main:appvms/disp1/root")
    }

    @Test func `A listed qube chooses among its groups, or none`() throws {
        func chosen(_ own: String?) throws -> String {
            var features = [
                "dom0": ["btrfs.dedupe-group.x": "alone", "btrfs.dedupe-group.y": "work alone"]
            ]
            features["alone"] = own.map { ["btrfs.dedupe-group": $0] }
            return try group("alone", "private", features)
        }
        #expect(try chosen(nil) == "named:x")
        #expect(try chosen("y") == "named:y")
        #expect(try chosen("") == "volume:main:appvms/alone/private")
        #expect(try chosen("z") == "volume:main:appvms/alone/private")
    }

    @Test func `Who asks for a group that dom0 does not list it in is known`() throws {
        let whole = inventory([
            "work": ["btrfs.dedupe-group": "x"], "alone": ["btrfs.dedupe-group": "x"],
            "dom0": ["btrfs.dedupe-group.x": "alone"],
        ])
        let unlisted = whole.qubes.filter { whole.unlistedGroup(of: $0) != nil }
        #expect(unlisted.map(\.name) == ["work"])
    }

    @Test(arguments: ["templates", "system", "volume", "named"])
    func `A named group is never one of the built-in ones`(name: String) throws {
        let features = ["dom0": ["btrfs.dedupe-group.\(name)": "alone"]]
        #expect(try group("alone", "root", features) == "named:\(name)")
    }

    @Test(arguments: ["templates:mgmt", "a b", "\u{e4}", ""])
    func `A list whose name could be taken for another is none`(name: String) throws {
        let features = ["dom0": ["btrfs.dedupe-group.\(name)": "alone"]]
        #expect(try group("alone", "root", features) == "volume:main:appvms/alone/root")
    }

    @Test func `Groups have names for people`() {
        #expect(DedupeGroup.shownName(DedupeGroup.templates(of: "dom0")) == "templates")
        #expect(DedupeGroup.shownName(DedupeGroup.templates(of: "mgmt")) == "templates of mgmt")
        #expect(DedupeGroup.shownName(DedupeGroup.named("x")) == "x")
        #expect(DedupeGroup.shownName(DedupeGroup.volume(pool: "p", identifier: "v")) == nil)
    }

    @Test func `Settings of a machine at its limits are found at once`() throws {
        let qubes = (0..<InventoryLimits.qubes).map { number in
            Qube(
                name: "q\(number)", kind: "AppVM",
                volumes: (0..<64).map { volume in
                    Volume(
                        name: volume == 0 ? "root" : "v\(volume)", pool: "main",
                        identifier: "appvms/q\(number)/\(volume)", snapshotOnStart: volume == 0,
                        saveOnStop: volume != 0, sizeBytes: 1, source: "vm-templates/t/root")
                })
        }
        let whole = Inventory(pools: [], qubes: qubes)
        var groups = 0
        // A quarter of a million of them: a look through all others for each would take hours.
        for qube in whole.qubes {
            for volume in qube.volumes {
                groups += try whole.settings(for: volume, of: qube).dedupeGroup.isEmpty ? 0 : 1
            }
        }
        #expect(groups == InventoryLimits.qubes * 64)
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
        let features = ["dom0": ["btrfs.dedupe-group.\(name)": "alone"]]
        #expect(try group("alone", "root", features) == "named:\(name)")
        #expect(
            try group("alone", "root", ["dom0": ["btrfs.dedupe-group.\(name)x": "alone"]])
                == "volume:main:appvms/alone/root")
    }

    private func newDataLevel(_ features: [String: String]) throws(SettingsError) -> Int? {
        let dom0 = Qube(name: "dom0", kind: Qube.adminKind, features: features)
        return try Inventory(pools: [], qubes: [dom0]).newDataLevel()
    }

    @Test func `The level of new data is dom0's own, within what every kernel knows`() throws {
        #expect(try newDataLevel([:]) == nil)
        #expect(try newDataLevel(["btrfs.new-data": "", "btrfs.compress": "zstd:9"]) == nil)
        #expect(try newDataLevel(["btrfs.new-data": "zstd"]) == 3)
        #expect(try newDataLevel(["btrfs.new-data": "zstd:1"]) == 1)
        #expect(try newDataLevel(["btrfs.new-data": "zstd:15"]) == 15)
        for value in ["zstd:16", "zstd:-1", "zstd:0", "off", "lzo", "3"] {
            let error = #expect(throws: SettingsError.self) {
                try newDataLevel(["btrfs.new-data": value])
            }
            #expect(error?.description.contains("qvm-features dom0 btrfs.new-data zstd:1") == true)
        }
    }
}
